"""A node that stands still for a while, as a process of its own: what a recording of its sound and pictures shows."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.recorder.beacon import RATE, beacon, read_marks
from tests.recorder.killing import start_recorder
from tests.soak.test_recorder_hour import hear
from tests.support.commands import command

RETURN_S = 1.0
"""How long after a stall sound and picture may be late or apart."""
APART_S = 0.020
LATE_S = 0.150
"""Later than usual by more than what the mix holds in reserve on a machine with other work."""


async def stop(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Let a process stand still."""
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is stopped by a signal")
@pytest.mark.parametrize("stall_s", [1.0, 2.5])
async def test_a_node_that_stood_still_makes_up_for_it(tmp_path: Path, stall_s: float) -> None:
    """Every picture and every chirp is there, at its time; a second later nothing is late that was not before.

    Pictures used to come as late as the stall was long, then caught up by 30 ms a second; sound had a hole, and what
    was said meanwhile was lost.
    """
    path = tmp_path / "stopped.mkv"
    async with command("node", "--listen", "127.0.0.1:0", "--quiet") as node:
        assert node.stdout is not None
        url = (await node.stdout.readline()).decode().strip()
        async with beacon(url, "meet.alice"):
            recorder = await start_recorder(url, "meet.alice", path, "--duration", "22")
            try:
                await recorder.recorded(8.0)
                await stop(node, stall_s)
                async with asyncio.timeout(60):
                    code, _, errors = await recorder.result()
            finally:
                if recorder.process.returncode is None:
                    recorder.process.kill()
                    await recorder.process.communicate()
    assert (code, errors) == (0, [])
    seen, heard = await asyncio.to_thread(read_marks, path), await asyncio.to_thread(hear, path)
    pictures = [(at, at - n / RATE) for n, at in zip(seen.numbers, seen.times, strict=True) if at > 3]
    usual = float(np.median([late for at, late in pictures if at < 8]))
    chirps = {round(chirp.time - usual): chirp for chirp in heard if chirp.time > 3}
    numbers = dict(zip(seen.numbers, seen.times, strict=True))
    pairs = [(c.time, numbers[n * RATE] - c.time) for n, c in chirps.items() if n * RATE in numbers]
    missing = sorted(set(range(min(chirps), max(chirps))) - chirps.keys())
    late = [of - usual for at, of in pictures if at > 8]
    apart = [skew for _, skew in pairs]
    say = sys.stdout.write
    say(f"\nstall {stall_s} s: {len(seen.missing)} pictures missing, chirps {missing} of {len(chirps)}\n")
    say(f"pictures later than usual: {max(late) * 1000:.0f} ms at most, {late[-1] * 1000:.0f} ms at the end\n")
    say(f"sound and picture apart, ms: {[round(skew * 1000) for skew in apart]}\n")
    assert seen.missing == []
    assert missing == []
    assert len(apart) > 12
    # One chirp a second: two of them are near a second that may be out of order.
    assert len([skew for skew in apart if abs(skew) > APART_S]) <= 2
    assert len([one for one in late if one > LATE_S]) <= RATE * RETURN_S
