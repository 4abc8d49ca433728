"""A long recording through cuts of 2, 10 and 40 seconds, a node that restarts, and a transfer: the long form.

`PEXRTC_STAYING_S` is the time between two faults: 90 makes ten minutes of it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

import pexrtc_py
from pexrtc_py.node.fault_injection import Restart
from pexrtc_py.protocol.models import ParticipantRole, TransferRequest
from tests.recorder.beacon import ALICE, BOB, RATE, cut_wire, job_of, read_marks
from tests.soak.test_recorder_hour import hear, number_chirps
from tests.support.beacon_process import beacon_process
from tests.support.running_recorder import Running, recorder_in

BETWEEN_S = float(os.environ.get("PEXRTC_STAYING_S", "90"))
MIX_S = 0.200
"""How far the source's clock, as the conference has it, may be from its median at any moment. The node's mix holds 40
to 200 ms of the source's sound, more after its machine was held up and less again later, 20 ms at a time (see
`media.mixer_queue`), and its pictures wait as long. What is heard and seen then is later, and recorded as it came."""
SKEW_S = 0.020
"""95th percentile of what sound and picture are apart, against their median: whatever the mix does, they keep together,
and a recorder's clock that were wrong after coming back, for one of them, would show."""


@pytest.mark.timeout(3600)
async def test_ten_minutes_through_everything(tmp_path: Path) -> None:
    """One timeline, holes within 100 ms, every other picture there."""
    path = tmp_path / "talk.mkv"
    faults: list[tuple[float, float, str]] = []
    async with beacon_process(ALICE, BOB) as node, cut_wire(node.url) as wire, asyncio.TaskGroup() as group:
        one = Running(replace(job_of(wire.url, path, peer=wire.peer), sidecars=True))
        recording = group.create_task(one.run())
        await one.played(2.0)
        assert one.recording is not None

        async def rest() -> None:
            await asyncio.sleep(BETWEEN_S)

        def note(what: str, length_s: float) -> None:
            assert one.recording is not None
            faults.append((one.recording.position(), length_s, what))

        for length_s in (2.0, 10.0, 40.0):
            await rest()
            note(f"cut of {length_s:g} s", length_s)
            wire.cut()
            await asyncio.sleep(length_s)
            wire.mend()
        await rest()
        note("node restart, 3 s down", 3.0)
        await node.ask("restart", Restart(down_s=3.0))
        await rest()
        note("transfer", 0.0)
        async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
            request = TransferRequest(conference_alias=BOB, role=ParticipantRole.GUEST)
            await host.client.participant_transfer(await recorder_in(host), request)
        await rest()
        one.over.set()
        await recording
    assert one.recorded is not None
    began = time.monotonic()
    seen = await asyncio.to_thread(read_marks, path)
    sound = await asyncio.to_thread(_silences, path, "audio")
    silences = await asyncio.to_thread(_silences, path, "audio", "video")
    result = one.recorded.result
    say = sys.stdout.write
    say(f"\n{result.duration_s:.1f} s in {len(result.files)} file(s), read in {time.monotonic() - began:.0f} s\n")
    for at_s, _, what in faults:
        say(f"  {at_s:7.2f} s  {what}\n")
    for interruption in one.recorded.interruptions:
        back = "never" if interruption.back_s is None else f"{interruption.back_s:.2f} s"
        say(f"  {interruption.at_s:7.2f} s  {interruption.reason}: {interruption.remedy}, back at {back}\n")
    say(f"holes told:      {[(round(hole.start_s, 2), round(hole.end_s, 2)) for hole in result.holes]}\n")
    say(f"sound missing:   {[(round(a, 2), round(b, 2)) for a, b in sound]}\n")
    say(f"picture missing: {[(round(a, 2), round(b, 2)) for a, b in seen.gaps]}\n")
    errors = seen.hole_errors
    say(
        f"pictures: {len(seen.numbers)} of {seen.numbers[-1] - seen.numbers[0] + 1}, {seen.unmarked} without a number\n"
    )
    say(f"holes measured by the beacon's clock: off by {', '.join(f'{e * 1000:+.0f} ms' for e in errors)}\n")
    say(f"the clock is off the beacon's by {seen.drift * 1000:.0f} ms at worst\n")
    chirps = number_chirps(await asyncio.to_thread(hear, path), seen.offset)
    moments = dict(zip(seen.numbers, seen.times, strict=True))
    skews = [moments[second * RATE] - at for second, at in chirps if second * RATE in moments]
    apart = np.abs(np.array(skews) - np.median(skews))
    say(f"sound and picture, at {len(skews)} seconds: 95 % within {np.percentile(apart, 95) * 1000:.1f} ms, ")
    say(f"worst {apart.max() * 1000:.1f} ms\n")
    assert result.files == (path,)
    assert seen.unmarked == 0
    assert all(abs(error) < 0.1 for error in errors)
    assert seen.drift < MIX_S
    # Of each second that is not in a hole, the first after one apart: it may have begun before its chirp.
    missing_s = sum(hole.end_s - hole.start_s for hole in result.holes)
    assert len(skews) >= result.duration_s - missing_s - 2 * len(faults)
    assert np.percentile(apart, 95) < SKEW_S
    windows = [(at_s - 0.5, at_s + length_s + 12.0) for at_s, length_s, _ in faults]
    assert all(any(a <= start and end <= b for a, b in windows) for start, end in seen.gaps)
    assert [(hole.start_s, hole.end_s) for hole in result.holes] == [pytest.approx(gap, abs=0.1) for gap in silences]


def _silences(path: Path, *kinds: str) -> list[tuple[float, float]]:
    """Stretches of more than a second without a packet of any of these kinds."""
    times: list[float] = []
    with av.open(path) as container:
        for packet in container.demux():
            if packet.stream.type in kinds and packet.pts is not None and packet.time_base is not None:
                times.append(float(packet.pts * packet.time_base))
    times.sort()
    return [(before, after) for before, after in itertools.pairwise(times) if after - before > 1.0]
