"""Ten minutes of refreshes and cut event streams: no roster change is missed, nothing grows.

Memory is looked at in two ways. What the process holds must not grow with the number of visits: objects that Python
knows and blocks that it has handed out, counted each minute after a full collection; all of one visit is gone, so
hundreds more of them leave the counts where they were. What the system counts for the process may grow by a little at
the beginning: each visit leaves some hundred objects of httpx and httpcore that know each other (pool, connection,
request, response), and those wait for a full collection, which Python makes when a quarter more objects are there than
at the last; the arenas of that high water are kept. Without collections in between 2848 visits took 1.9 MB, all of
them before the first full collection (after 1500 visits), and not a page afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Conference, Node, NodeConfig
from pexrtc_py.node.fault_injection import Whom
from pexrtc_py.protocol.models import ParticipantUuid

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
TOKEN_S = 6.0
CUT_EVERY_S = 3.0
LOOKS = 10
ALIAS = "meet.alice"


@dataclass(frozen=True)
class Held:
    """What the process holds when nobody but the watcher is there."""

    visits: int
    objects: int
    blocks: int
    memory_mb: float

    @classmethod
    async def after(cls, visits: int) -> Held:
        """Look, after all that is over was collected. Connections that end take a moment of the loop."""
        await asyncio.sleep(1)
        gc.collect()
        return cls(visits, len(gc.get_objects()), sys.getallocatedblocks(), memory_mb())


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
async def test_storm(caplog: pytest.LogCaptureFixture) -> None:
    """People come and go, tokens last seconds, streams are cut; every watcher's roster is the node's at the end."""
    caplog.set_level(logging.CRITICAL)  # what pytest keeps of the log is not ours
    dice = random.Random(1)
    async with Node(NodeConfig(token_lifetime_s=TOKEN_S, faults=True)) as node:
        assert node.faults is not None
        async with pexrtc_py.connect(node.url, ALIAS, display_name="watcher") as watcher:
            # Everything that is made once is there before it is counted.
            await asyncio.sleep(5)
            gc.collect()
            tasks, files, memory = len(asyncio.all_tasks()), open_files(), memory_mb()
            began, cuts, visits, looks = time.monotonic(), 0, 0, list[Held]()
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
                if time.monotonic() - began > (len(looks) + 1) * SECONDS / LOOKS:
                    looks.append(await Held.after(visits))
            assert set(watcher.participants) == {watcher.participant_uuid}
            assert watcher.session.closed is None
            looks.append(await Held.after(visits))
            await asyncio.sleep(1)
            print(
                f"\n{SECONDS:.0f} s, {visits} visits, {cuts} cuts: tasks {tasks} -> {len(asyncio.all_tasks())}, "
                f"files {files} -> {open_files()}, memory {memory:.0f} -> {memory_mb():.0f} MB"
            )
            for held in looks:
                print(f"{held.visits:6} visits: {held.objects} objects, {held.blocks} blocks, {held.memory_mb:.1f} MB")
            assert visits > SECONDS / 2
            assert len(asyncio.all_tasks()) <= tasks + 2
            assert open_files() <= files + 4
            assert memory_mb() - memory < 5
            # One object kept of each visit, or of each cut or renewal, would show in either.
            early, late = looks[:3], looks[-3:]
            more = late[0].visits - early[-1].visits
            assert min(held.objects for held in late) - min(held.objects for held in early) < more / 2
            assert min(held.blocks for held in late) - min(held.blocks for held in early) < 2 * more
