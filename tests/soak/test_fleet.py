"""Fifty recordings by one `pexrtc run` in two processes, one of which is killed in the middle.

Five conferences with a speaker each, ten recorders in each conference; node and speakers have processes of their own.
What is measured is what the recorders cost, how soon the killed ones are back, how soon what they left is whole, and
what the others lost by all that.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.integrity import inspect_file
from pexrtc_py.media.writers.target import part_path
from tests.fleet.fleet_process import FleetProcess, run_fleet_process

CONFERENCES = 5
RECORDERS = 10
STEADY_S = 30.0
LIMITS = "[limits]\ncpu = 1.0\ndisk_free_bytes = 0\nmemory_free_bytes = 0\n"


@asynccontextmanager
async def run_node() -> AsyncIterator[str]:
    """A node in a process of its own; gives its URL."""
    node = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from pexrtc_py.cli import main; main()",
        "node",
        "--listen",
        "127.0.0.1:0",
        "--quiet",
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    try:
        yield (await node.stdout.readline()).decode().strip()
    finally:
        node.terminate()
        await node.communicate()


def recorders(url: str, folder: Path) -> str:
    """The list of recordings."""
    head = f'[defaults]\nnode = "{url}"\noutput = "{folder}/{{alias}}-{{time}}.mkv"\n[fleet]\nworkers = 2\n{LIMITS}'
    return head + "".join(
        f'[[record]]\nalias = "meet.{number}"\nid = "r{number}.{copy}"\n'
        for copy in range(RECORDERS)
        for number in range(CONFERENCES)
    )


def speakers(url: str) -> str:
    """The list of speakers."""
    head = f'[defaults]\nnode = "{url}"\n[fleet]\nworkers = 1\n{LIMITS}'
    return head + "".join(
        f'[[announce]]\nalias = "meet.{number}"\nfiles = ["{clip_path("motion.mkv")}"]\nloop = 0\n'
        for number in range(CONFERENCES)
    )


def running(status: dict[str, Any]) -> int:
    """How many jobs run, with media."""
    return sum(job["state"] == "running" and job["seconds"] > 0 for job in status["jobs"])


def cpu_s(status: dict[str, Any]) -> float:
    """Processor time of all workers."""
    return float(sum(worker["cpu_s"] for worker in status["workers"]))


async def measure(fleet: FleetProcess, began: float) -> None:
    """Let it run, kill a worker, wait until its jobs are back, let it run; print what that took."""
    count = CONFERENCES * RECORDERS
    first = await fleet.until(lambda status: running(status) == count, within_s=120)
    print(f"\n{count} recordings run after {time.monotonic() - began:.1f} s")
    before, at = cpu_s(first), time.monotonic()
    await asyncio.sleep(STEADY_S)
    status = await fleet.until(lambda status: running(status) == count, within_s=10)
    cores = (cpu_s(status) - before) / (time.monotonic() - at)
    held = [worker["rss_bytes"] / 1e6 for worker in status["workers"]]
    print(f"cores: {cores:.2f} in all, {100 * cores / count:.1f} % of one each")
    print("memory: " + ", ".join(f"{one:.0f} MB" for one in held))
    victim = status["workers"][0]
    killed_at = time.monotonic()
    os.kill(victim["pid"], signal.SIGKILL)
    after = await fleet.until(
        lambda status: (
            running(status) == count and sum(job["runs"] for job in status["jobs"]) == count + len(victim["runs"])
        ),
        within_s=30,
    )
    back_s = time.monotonic() - killed_at
    print(f"{len(victim['runs'])} jobs were back {back_s:.1f} s after their process was killed")
    assert len(victim["runs"]) == count // 2
    assert back_s < 10
    for job in after["jobs"]:
        assert job["runs"] == (2 if job["id"] in victim["runs"] else 1)
    left = [Path(job["path"]) for job in status["jobs"] if job["id"] in victim["runs"]]
    async with asyncio.timeout(120):
        while any(not path.exists() or part_path(path).exists() for path in left):  # noqa: ASYNC110 - a directory
            await asyncio.sleep(0.2)
    print(f"what they left was whole {time.monotonic() - killed_at:.1f} s after")
    lengths = [inspect_file(path).duration_s for path in left]
    print(f"it is {min(lengths):.1f} to {max(lengths):.1f} s long")
    assert min(lengths) > STEADY_S
    await asyncio.sleep(STEADY_S / 3)


async def test_fifty_recordings_and_a_kill(tmp_path: Path) -> None:
    """Nothing is dropped, the killed ones are back within ten seconds, all finish on SIGTERM."""
    status_file = tmp_path / "status.json"
    async with run_node() as url:
        (tmp_path / "speakers.toml").write_text(speakers(url))
        (tmp_path / "recorders.toml").write_text(recorders(url, tmp_path / "recordings"))
        async with run_fleet_process(tmp_path / "speakers.toml") as speaking:
            await speaking.until(lambda status: running(status) == CONFERENCES, within_s=60)
            began = time.monotonic()
            async with run_fleet_process(tmp_path / "recorders.toml", "--status", str(status_file)) as fleet:
                await measure(fleet, began)
                ending = time.monotonic()
                fleet.process.send_signal(signal.SIGTERM)
                assert await fleet.process.wait() == ExitCode.DONE
                print(f"drained in {time.monotonic() - ending:.1f} s")
    check(status_file)


def check(status_file: Path) -> None:
    """Sum up what the recordings lost."""
    results = [job["result"] for job in msgspec.json.decode(status_file.read_bytes())["jobs"]]
    totals = {name: sum(one[name] for one in results) for name in ("packets", "gaps", "lost_packets", "dropped")}
    seconds = sum(one["duration_s"] for one in results)
    print(f"{seconds:.0f} s recorded in all: {totals}")
    assert totals["dropped"] == 0
    assert totals["lost_packets"] <= totals["packets"] * 1e-4
    # 50 packets of sound and 20 pictures each second.
    assert totals["packets"] >= 0.95 * 70 * seconds
