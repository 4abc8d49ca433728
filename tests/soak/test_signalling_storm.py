"""Ten minutes of refreshes and cut event streams: no roster change is missed, nothing grows."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import time
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Conference, Node, NodeConfig
from pexrtc_py.node.fault_injection import Whom
from pexrtc_py.protocol.models import ParticipantUuid

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
TOKEN_S = 6.0
CUT_EVERY_S = 3.0
ALIAS = "meet.alice"


def open_files() -> int:
    """File descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def memory_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def until_present(watcher: Conference, uuid: ParticipantUuid, *, present: bool) -> None:
    """Wait until a participant is in the watcher's roster, or no longer."""
    async with asyncio.timeout(20):
        await watcher.session.wait_for(lambda session: (uuid in session.roster.participants) is present)


@pytest.mark.timeout(SECONDS + 120)
async def test_storm() -> None:
    """People come and go, tokens last seconds, streams are cut; every watcher's roster is the node's at the end."""
    dice = random.Random(1)
    async with Node(NodeConfig(token_lifetime_s=TOKEN_S, faults=True)) as node:
        assert node.faults is not None
        async with pexrtc_py.connect(node.url, ALIAS, display_name="watcher") as watcher:
            # Everything that is made once is there before it is counted.
            await asyncio.sleep(5)
            gc.collect()
            tasks, files, memory = len(asyncio.all_tasks()), open_files(), memory_mb()
            began, cuts, visits = time.monotonic(), 0, 0
            while time.monotonic() - began < SECONDS:
                async with pexrtc_py.connect(node.url, ALIAS, display_name=f"guest {visits}") as guest:
                    visits += 1
                    await until_present(watcher, guest.participant_uuid, present=True)
                    if time.monotonic() - began > cuts * CUT_EVERY_S:
                        node.faults.cut_events(Whom())
                        cuts += 1
                    await asyncio.sleep(dice.uniform(0.0, 0.5))
                    gone = guest.participant_uuid
                await until_present(watcher, gone, present=False)
            assert set(watcher.participants) == {watcher.participant_uuid}
            assert watcher.session.closed is None
            await asyncio.sleep(2)
            gc.collect()
            print(
                f"\n{SECONDS:.0f} s, {visits} visits, {cuts} cuts: tasks {tasks} -> {len(asyncio.all_tasks())}, "
                f"files {files} -> {open_files()}, memory {memory:.0f} -> {memory_mb():.0f} MB"
            )
            assert visits > SECONDS / 2
            assert len(asyncio.all_tasks()) <= tasks + 2
            assert open_files() <= files + 4
            assert memory_mb() - memory < 20 + SECONDS / 30
