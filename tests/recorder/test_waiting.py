"""A recorder that is not in yet: what it waits for, and what of that a node may take away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, NodeConfig, RecordJob, StopRules
from pexrtc_py.errors import ConferenceNotFound, SessionClosedError, TokenExpired, TransportError
from pexrtc_py.node.fault_injection import Restart, Whom
from pexrtc_py.protocol.models import Reason
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.recorder.persistence import StayRules, may_wait_on
from tests.recorder.beacon import beacon, job_of

ALICE = "meet.alice"
ROOM = RoomSettings(alias=ALICE, pin="1234")


async def people(node: Node, count: int) -> None:
    """Wait until so many are in the conference, its waiting room counted."""
    async with asyncio.timeout(15):
        while sum(len(one.room.participants) for one in node.state.conferences.values()) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def restarted(node: Node) -> None:
    """Let a node forget everybody, and not be there for a while."""
    assert node.faults is not None
    node.faults.restart(Restart(down_s=0.5))


async def token_lost(node: Node) -> None:
    """Let a node forget one."""
    assert node.faults is not None
    assert node.faults.expire_token(Whom(participant="Recorder")) == 1


@pytest.mark.parametrize("lose", [restarted, token_lost])
async def test_a_place_in_the_waiting_room_that_is_lost(
    tmp_path: Path, lose: Callable[[Node], Awaitable[None]]
) -> None:
    """It waits on: the recording that nobody had begun was given up when its node began anew."""
    async with Node(NodeConfig(conferences={ALICE: ROOM}, faults=True)) as node:
        job = job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(rejoin_for_s=20))
        job = replace(job, recording=replace(job.recording, stop=StopRules(duration_s=0.5)))
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(pexrtc_py.record(job))
            await people(node, 1)
            await lose(node)
            await people(node, 0)
            await people(node, 1)
            async with beacon(node.url, ALICE, pin="1234"), asyncio.timeout(15):
                recorded = await recording
    assert recorded.result.ended == "duration"
    assert recorded.result.file == tmp_path / "talk.mkv"
    assert recorded.interruptions == (), "nothing was being recorded"


async def test_patience_in_a_waiting_room_has_an_end(tmp_path: Path) -> None:
    """A node that does not come back, or has no such conference any more, ends it with that word."""
    job: RecordJob | None = None
    async with Node(NodeConfig(conferences={ALICE: ROOM}, faults=True)) as node:
        job = job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(rejoin_for_s=0.6))
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(_failing(job))
            await people(node, 1)
            node.state.config = replace(node.state.config, conferences={}, open=False)
            node.state.forget_all()
            async with asyncio.timeout(15):
                error = await recording
    assert isinstance(error, ConferenceNotFound)
    assert list(tmp_path.iterdir()) == []


async def _failing(job: RecordJob) -> pexrtc_py.errors.PexrtcError:
    with pytest.raises(pexrtc_py.errors.PexrtcError) as caught:
        await pexrtc_py.record(job)
    return caught.value


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (SessionClosedError("the node no longer knows our token (403 Invalid token)", by_us=False), True),
        (SessionClosedError(Reason.MAINTENANCE, by_us=False), True),
        (SessionClosedError(Reason.WAITED_TOO_LONG, by_us=False), False),
        (SessionClosedError(Reason.DISCONNECTED_BY_PARTICIPANT, by_us=False), False),
        (SessionClosedError("", by_us=True), False),
        (TokenExpired("calls", 403, "Invalid token"), True),
        (TransportError("refused"), False),
    ],
)
def test_who_waits_on(error: pexrtc_py.errors.PexrtcError, *, waits: bool) -> None:
    """Whoever lost its place; not who was put out, or waited as long as the node has it."""
    assert may_wait_on(error) is waits
