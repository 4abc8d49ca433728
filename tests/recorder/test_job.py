"""A recorder in a conference: when it begins and ends, what it asks for, and what it writes."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, NodeConfig, StopRules
from pexrtc_py.media.integrity import inspect_file
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.recorder.persistence import StayRules
from tests.recorder.beacon import ALICE, RATE, beacon, job_of, read_marks
from tests.support.held_disk import HeldDisk
from tests.support.running_recorder import Running, running
from tests.support.waiting import until


async def test_a_conference_that_is_not_there_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is waited for within the limit given, and without one not at all."""
    caplog.set_level(logging.INFO, "pexrtc_py.recorder")
    async with Node(NodeConfig(open=False)) as node:
        with pytest.raises(pexrtc_py.errors.ConferenceNotFound):
            await pexrtc_py.record(job_of(node.url, tmp_path / "never.mkv"))
        one = Running(job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(wait_for_s=10)))
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await until(lambda: "not yet" in caplog.text)
            node.state.config = replace(node.state.config, open=True)
            async with beacon(node.url, ALICE):
                await one.played(0.2)
                one.over.set()
    assert one.recorded is not None
    assert one.recorded.result.file is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "talk.mkv"]


@pytest.mark.slow
async def test_it_waits_for_people_and_leaves_after_them(tmp_path: Path) -> None:
    """In a waiting room nothing is recorded and no time counts; when the last person has left it leaves too."""
    room = RoomSettings(alias=ALICE, pin="1234")
    async with Node(NodeConfig(conferences={ALICE: room})) as node:
        job = job_of(node.url, tmp_path / "talk.mkv")
        rules = StopRules(alone_s=0.5, deserted_s=0.5)
        one = Running(replace(job, recording=replace(job.recording, stop=rules)))
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(one.run())
            await asyncio.sleep(1.0)  # longer than it would be alone for
            assert not one.joined.is_set()
            async with beacon(node.url, ALICE, pin="1234"):
                await one.played(1.0)
                assert one.recording is not None
                assert one.recording.ended is None
            async with asyncio.timeout(10):
                await recording
    assert one.recorded is not None
    assert one.recorded.result.ended == "alone"
    assert one.recorded.result.duration_s > 1.0


async def test_a_second_cancel_is_a_cancel(node: Node, tmp_path: Path) -> None:
    """It came out as an error about the result, which there is none of while the disk takes its time; events stay."""
    one = Running(job_of(node.url, tmp_path / "talk.mkv", sidecars=True))
    with HeldDisk() as disk:
        async with beacon(node.url, ALICE), asyncio.TaskGroup() as group:
            recording = group.create_task(one.run())
            await one.played(0.3)
            await disk.hold()
            recording.cancel()
            await one.until(lambda recording: recording.ended is not None)
            recording.cancel()
            await asyncio.wait((recording,))
            assert recording.cancelled()
    await one.until(lambda _: (tmp_path / "talk.mkv").exists())
    assert (tmp_path / "talk.events.jsonl").exists()


@pytest.mark.slow
async def test_containers_ask_for_their_codecs(node: Node, tmp_path: Path) -> None:
    """An MP4 gets H.264 from one who sends VP8, an Ogg gets sound alone; each is whole."""
    async with beacon(node.url, ALICE):
        jobs = [job_of(node.url, tmp_path / name) for name in ("talk.mp4", "talk.ogg", "talk.wav")]
        async with running(jobs[0]) as mp4, running(jobs[1]) as ogg, running(jobs[2]) as wav:
            for one in (mp4, ogg, wav):
                await one.played(1.0)
    codecs = [[str(stream.codec) for stream in one.recorded.result.streams] for one in (mp4, ogg, wav) if one.recorded]
    assert codecs == [["opus", "H264"], ["opus"], ["opus"]]
    for name in ("talk.mp4", "talk.ogg", "talk.wav"):
        assert (await asyncio.to_thread(inspect_file, tmp_path / name)).problems == []
    seen = await asyncio.to_thread(read_marks, tmp_path / "talk.mp4")
    assert len(seen.numbers) > 5


@pytest.mark.slow
async def test_eight_conferences_in_one_process(node: Node, tmp_path: Path) -> None:
    """Each file has each picture of its own conference, once."""
    aliases = [f"meet.{number}" for number in range(8)]
    recorders = [Running(job_of(node.url, tmp_path / f"{alias}.mkv", alias)) for alias in aliases]
    async with beacon(node.url, *aliases), asyncio.TaskGroup() as group:
        for one in recorders:
            group.create_task(one.run())
        for one in recorders:
            await one.until(lambda recording: recording.position() > 2)
        for one in recorders:
            one.over.set()
    for one in recorders:
        assert one.recorded is not None
        assert [stream.lost_packets for stream in one.recorded.result.streams] == [0, 0]
        seen = await asyncio.to_thread(read_marks, one.job.recording.path)
        assert seen.missing == []
        assert seen.unmarked == 0
        assert len(seen.numbers) == len(set(seen.numbers)) >= 1.5 * RATE
