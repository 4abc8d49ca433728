"""A recorder that stays: transfers, losses, and who is sent away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node
from pexrtc_py.node.fault_injection import Restart, Whom
from pexrtc_py.protocol.models import ParticipantRole, TransferRequest
from pexrtc_py.recorder.persistence import Remedy, StayRules
from tests.recorder.beacon import ALICE, BOB, beacon, cut_wire, job_of, read_marks
from tests.support.beacon_process import beacon_process
from tests.support.running_recorder import Running, recorder_in, running

ME = Whom(participant="Recorder")


@pytest.mark.slow
async def test_a_recorder_that_is_sent_on_now_and_then_stays(node: Node, tmp_path: Path) -> None:
    """The twenty-first transfer once ended a recording of weeks, however long it had been in each conference."""
    job = job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(settled_s=0.0))
    async with (
        pexrtc_py.connect(node.url, ALICE, display_name="Host") as alice,
        pexrtc_py.connect(node.url, BOB, display_name="Host") as bob,
        running(job) as one,
    ):
        await one.until(lambda _: True)
        for number in range(22):
            host, there = (bob, ALICE) if number % 2 else (alice, BOB)
            request = TransferRequest(conference_alias=there, role=ParticipantRole.CHAIR)
            await host.client.participant_transfer(await recorder_in(host), request)
            await one.until(lambda _, visits=number + 1: one.visits > visits)  # type: ignore[misc]  # cannot be inferred
    assert one.recorded is not None
    assert one.visits == 23
    assert one.recorded.reason == "stopped"


@pytest.mark.slow
async def test_it_goes_on_after_each_loss(tmp_path: Path) -> None:
    """Events cut, token gone, media stalled, network cut, node restarted, transferred: one file on one clock.

    Nothing is missing but what could not come.
    """
    async with beacon_process(ALICE, BOB) as node, cut_wire(node.url) as wire:
        job = job_of(wire.url, tmp_path / "talk.mkv", peer=wire.peer, stay=StayRules(silence_s=1.0))
        async with running(job) as one:
            await one.played(0.6)
            assert await node.ask("cut_events", ME) == 1
            await one.played(0.6)
            assert one.conference is not None
            await node.end_call("Recorder")
            await one.played(0.6)
            assert one.visits == 1
            assert await node.ask("expire_token", ME) == 1
            await one.back_from(1)
            assert await node.ask("stop_media", ME) == 1
            await one.back_from(2)
            wire.cut()
            await asyncio.sleep(1.5)  # the length of the cut
            wire.mend()
            await one.played(0.6)
            visits = one.visits
            await node.ask("restart", Restart(down_s=0.3))
            await one.back_from(visits)
            visits = one.visits
            async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
                request = TransferRequest(conference_alias=BOB, role=ParticipantRole.GUEST)
                await host.client.participant_transfer(await recorder_in(host), request)
            await one.back_from(visits)
            assert one.conference.session.config.alias == BOB
    assert one.recorded is not None
    result = one.recorded.result
    assert result.files == (tmp_path / "talk.mkv",)
    remedies = [interruption.remedy for interruption in one.recorded.interruptions]
    assert remedies[:3] == [Remedy.CALL, Remedy.SESSION, Remedy.SESSION], "the call, the token, the stalled media"
    assert remedies[-2:] == [Remedy.SESSION, Remedy.TRANSFER], "the restart, the transfer"
    assert all(interruption.back_s is not None for interruption in one.recorded.interruptions)
    seen = await asyncio.to_thread(read_marks, tmp_path / "talk.mkv")
    assert seen.unmarked == 0
    assert seen.hole_errors
    assert all(abs(error) < 0.1 for error in seen.hole_errors), f"holes are as long as they were: {seen.hole_errors}"
    assert seen.drift < 0.1, "the clock of the recording is that of the beacon over all holes"
    lost = [(i.at_s - 1.5, (i.back_s or 0.0) + 1.0) for i in one.recorded.interruptions]
    for start, end in seen.gaps:
        assert any(a <= start and end <= b for a, b in lost), f"pictures missing from {start:.2f} to {end:.2f} s"
    for hole in result.holes:
        assert any(a - 0.2 <= hole.start_s and hole.end_s <= b + 0.2 for a, b in seen.gaps)
    assert any(hole.end_s - hole.start_s > 1.4 for hole in result.holes), "the cut"


async def test_whom_somebody_removes_stays_out(node: Node, tmp_path: Path) -> None:
    """Disconnected by a Host, the recorder closes its file and does not come back."""
    async with beacon(node.url, ALICE), running(job_of(node.url, tmp_path / "talk.mkv")) as one:
        await one.played(0.3)
        async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
            await host.client.participant_disconnect(await recorder_in(host))
            assert one.recording is not None
            async with asyncio.timeout(5):
                await one.recording.wait_ended()
    assert one.recorded is not None
    assert one.recorded.result.ended == "removed"
    assert one.recorded.interruptions == ()
    assert one.recorded.reason == "API initiated participant disconnect"
    assert one.visits == 1


async def test_a_node_that_does_not_come_back(tmp_path: Path) -> None:
    """Patience has an end: what was recorded is kept, and told as lost."""
    async with Node() as node:
        one = Running(job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(rejoin_for_s=0.5)))
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(one.run())
            async with beacon(node.url, ALICE):
                await one.played(0.5)
            node.state.config = replace(node.state.config, open=False)  # nobody gets in any more
            node.state.forget_all()
            await recording
    assert one.recorded is not None
    assert one.recorded.result.ended == "removed"
    assert one.recorded.result.duration_s > 0.3
    [interruption] = one.recorded.interruptions
    assert interruption.back_s is None
