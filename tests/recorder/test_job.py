"""A recorder in a conference: what it asks for, what it writes, who may tell it what, and that it stays."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

import pexrtc_py
from pexrtc_py import Conference, EncodedFrame, Gap, Node, NodeConfig, Recorded, Recording, RecordJob, StopRules
from pexrtc_py.media.chirps import Samples
from pexrtc_py.media.integrity import inspect_file
from pexrtc_py.node.fault_injection import Restart, Whom
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.models import ParticipantRole, ParticipantUuid, TransferRequest
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.protocol.roster import Roster
from pexrtc_py.recorder.persistence import Remedy, StayRules
from tests.announcer.hearing import write_wav
from tests.recorder.beacon import RATE, Seen, beacon, cut_wire, job_of, read_marks
from tests.support.beacon_process import beacon_process
from tests.support.held_disk import HeldDisk

ALICE, BOB = "meet.alice", "meet.bob"
ME = Whom(participant="Recorder")


class Running:
    """A recorder that runs until told."""

    def __init__(self, job: RecordJob) -> None:
        self.job = job
        self.joined = asyncio.Event()
        self.over = asyncio.Event()
        self.visits = 0
        self.recording: Recording | None = None
        self.conference: Conference | None = None
        self.recorded: Recorded | None = None

    async def run(self) -> None:
        """Record."""

        def note(recording: Recording, conference: Conference) -> None:
            self.recording, self.conference = recording, conference
            self.visits += 1
            self.joined.set()

        self.recorded = await pexrtc_py.record(self.job, stopping=self.over.wait, on_recording=note)

    async def until(self, condition: Callable[[Recording], bool]) -> None:
        """Wait until something is so of the recording, which nothing tells of."""
        async with asyncio.timeout(20):
            await self.joined.wait()
            assert self.recording is not None
            while not condition(self.recording):  # noqa: ASYNC110 - a recording tells nobody of its clock
                await asyncio.sleep(0.02)

    async def back_from(self, visits: int) -> None:
        """Wait for the visit after so many, and for some media of it."""
        await self.until(lambda _: self.visits > visits)
        await self.played(0.6)

    async def played(self, seconds: float) -> None:
        """Wait until so much more media has come."""
        await self.until(lambda recording: recording.has_started)
        assert self.recording is not None
        begun = time.monotonic()
        heard = 0.0
        async with asyncio.timeout(seconds + 20):
            while heard < seconds:
                await asyncio.sleep(0.05)
                last = self.recording.watch.heard_at(*pexrtc_py.Role)
                now = time.monotonic()
                if last is not None and now - last < 0.2:
                    heard += now - begun
                begun = now


@asynccontextmanager
async def running(job: RecordJob) -> AsyncIterator[Running]:
    """Run a recorder; it is asked to finish when the block ends, and has then."""
    one = Running(job)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.run())
        await one.joined.wait()
        yield one
        one.over.set()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node."""
    async with Node() as node:
        yield node


def gaps(seen: Seen) -> list[tuple[float, float]]:
    """Stretches of a recording in which pictures are missing: seconds of the last before and the first after."""
    pairs = zip(seen.numbers, seen.numbers[1:], seen.times, seen.times[1:], strict=False)
    return [(at, after) for number, following, at, after in pairs if following > number + 1]


def recorders(roster: Roster) -> list[ParticipantUuid]:
    """Return who in a conference is called Recorder."""
    return [uuid for uuid, person in roster.participants.items() if person.display_name == "Recorder"]


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
            await host.session.wait_for(lambda session: bool(recorders(session.roster)))
            [me] = recorders(host.roster)
            await host.client.participant_transfer(
                me, TransferRequest(conference_alias=there, role=ParticipantRole.CHAIR)
            )
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
                await host.session.wait_for(lambda session: session.roster.synced)
                [me] = [uuid for uuid, person in host.participants.items() if person.display_name == "Recorder"]
                await host.client.participant_transfer(
                    me, TransferRequest(conference_alias=BOB, role=ParticipantRole.GUEST)
                )
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
    for start, end in gaps(seen):
        assert any(a <= start and end <= b for a, b in lost), f"pictures missing from {start:.2f} to {end:.2f} s"
    for hole in result.holes:
        assert any(a - 0.2 <= hole.start_s and hole.end_s <= b + 0.2 for a, b in gaps(seen))
    assert any(hole.end_s - hole.start_s > 1.4 for hole in result.holes), "the cut"


async def test_whom_somebody_removes_stays_out(node: Node, tmp_path: Path) -> None:
    """Disconnected by a Host, the recorder closes its file and does not come back."""
    async with beacon(node.url, ALICE), running(job_of(node.url, tmp_path / "talk.mkv")) as one:
        await one.played(0.3)
        async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
            await host.session.wait_for(lambda session: session.roster.synced)
            [me] = [uuid for uuid, person in host.participants.items() if person.display_name == "Recorder"]
            await host.client.participant_disconnect(me)
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


async def test_a_conference_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is waited for within the limit given, and without one not at all."""
    async with Node(NodeConfig(open=False)) as node:
        with pytest.raises(pexrtc_py.errors.ConferenceNotFound):
            await pexrtc_py.record(job_of(node.url, tmp_path / "never.mkv"))
        one = Running(job_of(node.url, tmp_path / "talk.mkv", stay=StayRules(wait_for_s=10)))
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await asyncio.sleep(0.3)  # some tries
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


async def test_people_pause_resume_and_stop_it(node: Node, tmp_path: Path) -> None:
    """Digits and a Host's chat are obeyed, a guest's chat is not; what was said in a pause is not in the file, and what
    happened is beside it."""
    job = job_of(
        node.url,
        tmp_path / "talk.mkv",
        sidecars=True,
        chat_control=True,
        digit_control=True,
        notice="This meeting is recorded",
    )
    async with beacon(node.url, ALICE), pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
        heard = host.events()
        async with running(job) as one:
            await one.played(0.8)
            assert one.conference is not None
            me = one.conference.participant_uuid
            await host.session.wait_for(lambda session: me in session.roster.participants)
            await host.client.participant_dtmf(me, "*1")
            await one.until(lambda recording: recording.is_paused)
            paused_at = one.recording.position() if one.recording else 0.0
            await one.played(1.0)
            await host.say("!resume")
            await one.until(lambda recording: not recording.is_paused)
            assert one.recording is not None
            assert one.recording.position() == pytest.approx(paused_at, abs=0.1)
            await one.played(0.6)
            await host.say("!stop")
            async with asyncio.timeout(5):
                await one.recording.wait_ended()
        said: list[str] = []
        async with asyncio.timeout(5):
            while len(said) < 3:
                event = await anext(heard)
                if isinstance(event, MessageReceived):
                    said.append(event.payload)
    assert said == ["This meeting is recorded", "Recording: resume", "Recording: stop"]
    assert one.recorded is not None
    result = one.recorded.result
    assert result.ended == "stopped"
    seen = await asyncio.to_thread(read_marks, tmp_path / "talk.mkv")
    [(before, after)] = [pair for pair in gaps(seen) if pair[0] > 0.3]
    assert after - before < 0.7, "the clock stands still in a pause"
    assert paused_at == pytest.approx(before, abs=0.3)
    beside = {path.name for path in tmp_path.iterdir()} - {"talk.mkv"}
    assert beside == {
        "talk.events.jsonl",
        "talk.roster.json",
        "talk.speakers.vtt",
        "talk.chat.vtt",
        "talk.manifest.json",
        "talk.html",
    }
    manifest = json.loads((tmp_path / "talk.manifest.json").read_text())
    assert manifest["about"]["alias"] == ALICE
    assert {person["name"] for person in manifest["people"]} == {"Beacon meet.alice", "Host", "Recorder"}
    assert [message["text"] for message in manifest["chat"]] == ["!resume", "!stop"]


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


class _Ear:
    """A tap that keeps what it hears."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def push(self, item: EncodedFrame | Gap) -> None:
        """Keep it."""
        if isinstance(item, EncodedFrame):
            self.packets.append(item.data)

    def end(self) -> None:
        """Nothing is held."""

    def samples(self) -> Samples:
        """Return all of it, decoded."""
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        frames = [frame for packet in self.packets for frame in decoder.decode(av.Packet(packet))]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        return np.concatenate([one.to_ndarray()[0] for frame in frames for one in resampler.resample(frame)])


def tone_level(samples: Samples, hz: float) -> float:
    """Return how much of a tone is in the loudest half second, 0 to 1."""
    steps = range(0, len(samples) - 24000, 4800)
    wave = np.exp(-2j * np.pi * hz * np.arange(24000) / 48000)
    return max((float(2 * np.abs(samples[at : at + 24000] @ wave) / 24000) for at in steps), default=0.0)


@pytest.mark.slow
async def test_it_says_aloud_that_it_records(node: Node, tmp_path: Path) -> None:
    """People hear the announcement once, whatever kind of file it is; the recording does not have it."""
    announcement = tmp_path / "announcement.wav"
    write_wav(announcement, (9000 * np.sin(2 * np.pi * 440 * np.arange(96000) / 48000)).astype(np.int16))
    cache = tmp_path / "cache"
    job = job_of(node.url, tmp_path / "out" / "talk.mkv", announcement=announcement, announcement_cache=cache)
    ear = _Ear()
    async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
        config = pexrtc_py.CallConfig(audio=pexrtc_py.Direction.RECVONLY, video=pexrtc_py.Direction.INACTIVE)
        async with host.call(config) as call, beacon(node.url, ALICE), running(job) as one:
            await call.connected()
            assert call.audio is not None
            assert call.audio.receiver is not None
            call.audio.receiver.add_tap(ear)
            async with asyncio.timeout(15):
                while not ear.packets or tone_level(ear.samples(), 440) < 0.02:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.3)
            await one.played(0.5)
    assert one.recorded is not None
    with av.open(tmp_path / "out" / "talk.mkv") as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        sound = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
    heard = np.concatenate([frame.to_ndarray()[0] for frame in sound])
    assert tone_level(heard, 440) < 0.005
    assert [path.suffix for path in cache.iterdir()] == [".mkv"], "kept for the next time"


async def test_a_preset_and_an_announcement_are_looked_at_before_joining(tmp_path: Path) -> None:
    """Nobody is called, and no file is left, when they cannot be."""
    job = job_of("http://127.0.0.1:1", tmp_path / "talk.mkv", transcode="avi")
    with pytest.raises(pexrtc_py.errors.UsageError, match="no preset is called 'avi'"):
        await pexrtc_py.record(job)
    job = job_of("http://127.0.0.1:1", tmp_path / "talk.mkv", announcement=tmp_path / "no.wav")
    with pytest.raises(pexrtc_py.errors.SourceError, match=r"no\.wav"):
        await pexrtc_py.record(job)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_a_cache_that_cannot_be_costs_no_recording(tmp_path: Path) -> None:
    """A service often has no home: the announcement is made anew, and what fails then is the node that is not there."""
    clip = pexrtc_py.clip_path("announcement.mkv")
    job = job_of("http://127.0.0.1:1", tmp_path / "a.mkv", announcement=clip, announcement_cache=Path("/proc/cache"))
    with pytest.raises(pexrtc_py.errors.TransportError):
        await pexrtc_py.record(job)
