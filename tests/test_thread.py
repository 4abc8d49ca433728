"""The thin thread: what is played into a room comes out of it, by everything that users use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import av
import pytest

import pexrtc_py
from pexrtc_py import Codec, Kind, Node, Recorded, RecordingConfig, RecordJob, SessionConfig
from pexrtc_py.media.clip_comparison import compare_with_clip
from pexrtc_py.recorder.recording import Recording

from .announcer.processes import announcer_process, node_process

CLIP = pexrtc_py.clip_path("motion.mkv")
ALIAS = "meet.alice"


@pytest.fixture
async def node() -> AsyncIterator[str]:
    """The URL of a node on loopback, a process of its own like the announcer: the recording alone is made here."""
    async with node_process() as url:
        yield url


class Recorder:
    """A recording that runs until told; `joined` is set once it is in."""

    def __init__(self, node_url: str, path: Path, *, video_codecs: tuple[Codec, ...] = (Codec.VP8, Codec.H264)) -> None:
        self.joined = asyncio.Event()
        self.over = asyncio.Event()
        self.recording: Recording | None = None
        self._job = RecordJob(
            session=SessionConfig(node_url=node_url, alias=ALIAS, display_name="Recorder"),
            recording=RecordingConfig(path=path),
            video_codecs=video_codecs,
        )

    async def run(self) -> Recorded:
        """Record."""

        def note(recording: Recording, _: pexrtc_py.Conference) -> None:
            self.recording = recording
            self.joined.set()

        return await pexrtc_py.record(self._job, stopping=self.over.wait, on_recording=note)


async def test_what_comes_out_is_what_went_in(node: str, tmp_path: Path) -> None:
    """Every picture as it was sent, the sound whole and as loud, in sync, the slide beside it; nothing missing."""
    recorder = Recorder(node, tmp_path / "talk.mkv")
    slide_path = pexrtc_py.clip_path("slide-1.png")
    async with announcer_process(node, ALIAS, CLIP, slide=slide_path) as announcer, asyncio.TaskGroup() as group:
        recording = group.create_task(recorder.run())
        await recorder.joined.wait()
        await announcer.begin()
        played = await announcer.finished()
        recorder.over.set()
    recorded = recording.result()
    assert played.ended == "finished"
    assert played.codecs == {Kind.AUDIO: Codec.OPUS, Kind.VIDEO: Codec.VP8}
    result = recorded.result
    assert [stream.gaps for stream in result.streams] == [0, 0, 0]
    assert result.files == (tmp_path / "talk.mkv", tmp_path / "talk.slides.mkv")
    came_out = await asyncio.to_thread(compare_with_clip, result.files[0], CLIP)
    assert came_out.pictures.lost == came_out.pictures.repeated == came_out.pictures.unmarked == 0
    assert came_out.pictures.ssim == pytest.approx(1.0), "a picture was encoded anew"
    # A busy machine makes the mix wait for sound, and pictures wait with it, so each is compared with its own sound.
    # Before the sender's first report they may be off by what the machine was late (ITU-R BT.1359 accepts 90 ms).
    assert median(came_out.apart_s) < 0.02
    assert max(came_out.apart_s) < 0.09
    assert came_out.sound is not None
    assert came_out.sound.heard == 1.0
    assert abs(came_out.sound.level_db) < 1.0
    assert abs(came_out.av_offset_s) < 0.04
    with av.open(str(result.files[0])) as container:
        first = next(packet for packet in container.demux(video=0))
        assert first.is_keyframe
    with av.open(str(result.files[1])) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    with av.open(str(slide_path)) as container:
        slide = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == slide.shape
    assert abs(picture.astype(int) - slide).mean() < 6


@pytest.mark.slow
async def test_a_recorder_that_comes_late(node: str, tmp_path: Path) -> None:
    """A recorder that joins in the middle has the rest, from a key frame on, sound and picture in sync."""
    recorder = Recorder(node, tmp_path / "late.mkv")
    async with announcer_process(node, ALIAS, CLIP) as announcer, asyncio.TaskGroup() as group:
        await announcer.begin()
        await asyncio.sleep(1.0)  # the middle of the clip, less what joining takes
        recording = group.create_task(recorder.run())
        await announcer.finished()
        recorder.over.set()
    result = recording.result().result
    assert result.file is not None
    came_out = await asyncio.to_thread(compare_with_clip, result.file, CLIP)
    assert 20 <= came_out.pictures.seen <= 60
    assert came_out.pictures.ssim == pytest.approx(1.0)
    with av.open(str(result.file)) as container:
        assert next(packet for packet in container.demux(video=0)).is_keyframe


@pytest.mark.slow
async def test_h264_sender_and_vp8_receiver(node: str, tmp_path: Path) -> None:
    """The node transcodes for whoever did not negotiate the speaker's codec; the picture is the same to the eye."""
    recorder = Recorder(node, tmp_path / "vp8.mkv", video_codecs=(Codec.VP8,))
    clip = pexrtc_py.clip_path("announcement.mp4")
    async with announcer_process(node, ALIAS, clip) as announcer, asyncio.TaskGroup() as group:
        recording = group.create_task(recorder.run())
        await recorder.joined.wait()
        await announcer.begin()
        played = await announcer.finished()
        recorder.over.set()
    assert played.codecs[Kind.VIDEO] is Codec.H264, "out of MP4 as it is"
    result = recording.result().result
    assert [stream.codec for stream in result.streams] == [Codec.OPUS, Codec.VP8]
    assert result.file is not None
    came_out = await asyncio.to_thread(compare_with_clip, result.file, clip)
    assert came_out.pictures.seen >= 0.95 * came_out.pictures.sent
    assert came_out.pictures.ssim > 0.9
    assert abs(came_out.av_offset_s) < 0.06
    assert came_out.sound is not None
    assert came_out.sound.heard > 0.98


async def test_digits_reach_the_node() -> None:
    """Digits that one participant sends by the API, and within its media, are learnt by the node's hook."""
    heard: list[tuple[str, str, str]] = []
    digits = asyncio.Event()

    def on_digits(alias: str, participant: str, pressed: str) -> None:
        heard.append((alias, participant, pressed))
        digits.set()

    async with (
        Node(on_digits=on_digits) as node,
        pexrtc_py.connect(node.url, ALIAS) as conference,
        conference.call() as call,
    ):
        await call.connected()
        await call.send_digits("12#")
        async with asyncio.timeout(5):
            await digits.wait()
        assert heard == [(ALIAS, conference.participant_uuid, "12#")]
        assert call.audio is not None
        assert call.audio.sender is not None
        digits.clear()
        call.audio.sender.send_digits("5")
        async with asyncio.timeout(5):
            await digits.wait()
    assert heard[1:] == [(ALIAS, conference.participant_uuid, "5")]
