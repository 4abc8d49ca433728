"""Recorders killed at random moments, in each container: what was lost, in a table."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from statistics import median

import pytest

import pexrtc_py
from pexrtc_py import Kind, Node
from pexrtc_py.media.writers.containers import CONTAINERS
from tests.recorder.beacon import beacon
from tests.recorder.killing import Killed, kill_when, start_recorder

KILLS = int(os.environ.get("PEXRTC_KILLS", "20"))
AT_ONCE = 2


@pytest.mark.timeout(3600)
async def test_kills_at_random_moments(tmp_path: Path) -> None:
    """In no container a kill costs more than a second, and what is left plays."""
    dice = random.Random(5)
    kills: dict[str, list[Killed]] = {name: [] for name in CONTAINERS}
    room = asyncio.Semaphore(AT_ONCE)

    async def kill(name: str, number: int, after_s: float) -> None:
        async with room, pexrtc_py.connect(node.url, f"meet.{name}", display_name="Host") as host:
            recorder = await start_recorder(node.url, f"meet.{name}", tmp_path / f"{number:02}-{name}.{name}")
            kills[name].append(await kill_when(recorder, host, after_s))

    async with Node() as node, beacon(node.url, *(f"meet.{name}" for name in CONTAINERS)):
        for number in range(KILLS):  # one of each container at a time: they are in conferences of their own
            async with asyncio.TaskGroup() as group:
                for name in CONTAINERS:
                    group.create_task(kill(name, number, dice.uniform(0.2, 5.0)))
    lines = [f"{'container':10} {'kills':>5} {'stream':>6} {'lost, median':>13} {'lost, worst':>12}"]
    worst = 0.0
    for name, killed in kills.items():
        for kind in sorted({kind for one in killed for kind in one.lost_s}):
            lost = [one.lost_s[kind] for one in killed if kind in one.lost_s]
            worst = max(worst, *lost)
            lines.append(f"{name:10} {len(lost):5} {kind:>6} {median(lost) * 1000:10.0f} ms {max(lost) * 1000:9.0f} ms")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    for name, killed in kills.items():
        assert len(killed) == KILLS
        # In seconds, whatever a packet is: of WAV some tenths of one.
        assert all(one.heard_s > one.length_s - 1.0 for one in killed), name
        if CONTAINERS[name].takes(Kind.VIDEO):
            assert all(one.decoded > 10 for one in killed), name
            assert all("video" in one.lost_s for one in killed), name
        assert all("audio" in one.lost_s for one in killed), name
    assert worst < 1.0
