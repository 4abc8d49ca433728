"""Matroska files: what went in comes out, whatever happened to the process."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import av
import pytest
from msgspec.structs import replace

from pexrtc_py.errors import UsageError
from pexrtc_py.media.frames import Codec, Gap
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.matroska import WEBM, MatroskaWriter
from pexrtc_py.media.writers.muxer import Chapter
from pexrtc_py.media.writers.tracks import TrackSpec, annexb_units
from tests.media.writers.matroska_files import ORIGIN, data, kill_recorder, packets, split_lengths, times_ms
from tests.support.frames import g711_frames, h264_frames, merged, opus_frames, vp8_frames, vp9_frames


async def test_audio_and_vp8_come_out_byte_for_byte_on_one_clock(tmp_path: Path) -> None:
    """Every packet is in the file as it was pushed, at its time since the common origin."""
    sound = opus_frames(100, start=ORIGIN)
    pictures = vp8_frames(50, start=ORIGIN + 0.37)
    path = tmp_path / "out.mkv"
    writer = MatroskaWriter(path, [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])], origin=ORIGIN)
    for index, frame in merged(sound, pictures):
        writer.tracks[index].push(frame)
    result = await writer.aclose()
    assert result.error is None
    assert result.path == path
    assert data(path, 0) == [frame.data for frame in sound]
    assert data(path, 1) == [frame.data for frame in pictures]
    assert times_ms(path, 0) == [20 * n for n in range(100)]
    assert times_ms(path, 1) == [round(370 + n * 1000 / 30) for n in range(50)]
    assert result.duration_s == pytest.approx(2.0, abs=0.02)
    assert [(track.frames, track.dropped, track.adjusted) for track in result.tracks] == [(100, 0, 0), (50, 0, 0)]
    assert result.tracks[1].first_s == pytest.approx(0.37, abs=0.001)
    assert result.tracks[1].sizes == ((0.37, 320, 180),)


async def test_every_codec_is_declared_so_that_a_decoder_opens(tmp_path: Path) -> None:
    """H.264, VP9, G.711 and Opus streams decode to as many pictures and samples as went in."""
    for video in (h264_frames(30, start=ORIGIN), vp9_frames(30, start=ORIGIN)):
        sound = g711_frames(50, start=ORIGIN)
        path = tmp_path / f"{video[0].codec}.mkv"
        writer = MatroskaWriter(path, [TrackSpec.of(sound[0]), TrackSpec.of(video[0])], origin=ORIGIN)
        for index, frame in merged(sound, video):
            writer.tracks[index].push(frame)
        assert (await writer.aclose()).error is None
        with av.open(path) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) == 50 * 160
        with av.open(path) as container:
            assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [(320, 180)] * 30


async def test_a_silent_picture_holds_nothing_back(tmp_path: Path) -> None:
    """With a track never fed, what was pushed is readable in the open file as soon as the thread has written it."""
    sound = opus_frames(200, start=ORIGIN)
    path = tmp_path / "out.mkv"
    reserved = TrackSpec(codec=Codec.VP8, width=1280, height=720, title="slides")
    async with MatroskaWriter(path, [TrackSpec.of(sound[0]), reserved], origin=ORIGIN) as writer:
        for frame in sound:
            writer.tracks[0].push(frame)
        await writer.flush()
        assert writer.path == tmp_path / "out.part.mkv"
        assert data(writer.path, 0) == [frame.data for frame in sound]
    assert data(path, 0) == [frame.data for frame in sound]
    assert data(path, 1) == []
    with av.open(path) as container:
        assert container.streams[1].metadata["title"] == "slides"


async def test_the_first_picture_written_is_a_key_frame(tmp_path: Path) -> None:
    """Pictures that came before a key frame are left out, and a key frame is asked for, once a second."""
    pictures = vp8_frames(90, start=ORIGIN, key_interval=75)
    asked: list[float] = []
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(pictures[0])], origin=ORIGIN)
    for frame in pictures[1:]:
        writer.tracks[0].on_key_frame_needed = partial(asked.append, frame.time)
        writer.tracks[0].push(frame)
    result = await writer.aclose()
    assert data(result.path, 0) == [frame.data for frame in pictures[75:]]
    assert packets(result.path, 0)[0].is_keyframe
    assert times_ms(result.path, 0)[0] == 2500
    assert result.tracks[0].undecodable == 74
    assert [round(time - ORIGIN, 2) for time in asked] == [0.03, 1.03, 2.03]


async def test_a_gap_is_time_in_the_file_and_pictures_go_on_with_a_key_frame(tmp_path: Path) -> None:
    """Lost sound leaves a hole of its own length; lost pictures are held until one that can be decoded."""
    sound = opus_frames(100, start=ORIGIN)
    pictures = vp8_frames(60, start=ORIGIN, key_interval=40)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])], origin=ORIGIN)
    for index, frame in merged(sound, pictures):
        if index == 0 and 30 <= frame.rtp_time // 960 < 40:
            if frame.rtp_time == 30 * 960:
                gap = Gap(codec=frame.codec, rtp_time=frame.rtp_time, time=frame.time, duration=9600, packets=10)
                writer.tracks[0].push(gap)
            continue
        if index == 1 and frame.rtp_time == 20 * 3000:
            gap = Gap(codec=frame.codec, rtp_time=frame.rtp_time, time=frame.time, duration=0, packets=3)
            writer.tracks[1].push(gap)
            continue
        writer.tracks[index].push(frame)
    result = await writer.aclose()
    assert times_ms(result.path, 0) == [20 * n for n in range(100) if not 30 <= n < 40]
    assert data(result.path, 1) == [frame.data for n, frame in enumerate(pictures) if not 20 <= n < 40]
    assert [(track.gaps, track.lost_packets, track.undecodable) for track in result.tracks] == [(1, 10, 0), (1, 3, 19)]


async def test_a_change_of_picture_size_is_carried_in_band(tmp_path: Path) -> None:
    """Smaller and larger pictures of one track decode to their own sizes, and the result says where they changed."""
    small = vp8_frames(15, start=ORIGIN)
    large = vp8_frames(15, start=ORIGIN + 0.5, width=640, height=360)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(small[0])], origin=ORIGIN)
    for frame in [*small, *large]:
        writer.tracks[0].push(frame)
    result = await writer.aclose()
    with av.open(result.path) as container:
        sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert sizes == [(320, 180)] * 15 + [(640, 360)] * 15
    assert result.tracks[0].sizes == ((0.0, 320, 180), (0.5, 640, 360))


async def test_h264_is_the_same_units_behind_lengths(tmp_path: Path) -> None:
    """Every NAL unit is in the file as it was pushed, and the header has the parameter sets of the first key frame."""
    pictures = h264_frames(40, start=ORIGIN, key_interval=20)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(pictures[0])], origin=ORIGIN)
    for frame in pictures:
        writer.tracks[0].push(frame)
    result = await writer.aclose()
    assert [split_lengths(packet) for packet in data(result.path, 0)] == [
        annexb_units(frame.data) for frame in pictures
    ]
    with av.open(result.path) as container:
        header = container.streams.video[0].codec_context.extradata
        assert header is not None
        assert header[0] == 1
        assert all(unit in header for unit in annexb_units(pictures[0].data) if unit[0] & 31 in (7, 8))


async def test_times_that_step_back_are_put_behind_one_another(tmp_path: Path) -> None:
    """A frame whose time is not later than the one before it is kept, a tick later, and counted."""
    sound = opus_frames(4, start=ORIGIN)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(sound[0])], origin=ORIGIN)
    early = replace(sound[0], time=ORIGIN - 0.02)
    for frame in (early, *sound[:2], replace(sound[2], time=ORIGIN + 0.01), sound[3]):
        writer.tracks[0].push(frame)
    result = await writer.aclose()
    assert times_ms(result.path, 0) == [0, 20, 21, 60]
    assert result.tracks[0].adjusted == 2


async def test_a_frame_of_another_codec_is_refused_and_counted(tmp_path: Path) -> None:
    """A track has one codec from beginning to end; a tap must not raise."""
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec(codec=Codec.OPUS)], origin=ORIGIN)
    for frame in (*opus_frames(5, start=ORIGIN), *g711_frames(5, start=ORIGIN + 0.1)):
        writer.tracks[0].push(frame)
    result = await writer.aclose()
    assert (result.tracks[0].frames, result.tracks[0].unfit) == (5, 5)


async def test_a_closed_file_can_be_sought_and_has_its_chapters(tmp_path: Path) -> None:
    """Duration, cues and chapters are there when the file was closed well, hostile titles included."""
    pictures = vp8_frames(300, start=ORIGIN, key_interval=30, width=64, height=64)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(pictures[0])], origin=ORIGIN)
    writer.tracks[0].push(pictures[0])
    for frame in pictures[1:]:
        writer.tracks[0].push(frame)
    writer.set_chapters(
        [
            Chapter(start_s=0.0, end_s=4.5, title="<Alice> & \u202eBob\0\ud800"),
            Chapter(start_s=4.5, end_s=10.0, title="presentation"),
        ]
    )
    result = await writer.aclose()
    with av.open(result.path) as container:
        assert container.duration == pytest.approx(9.967e6, abs=2000)
        chapters = [
            (chapter["start"], chapter["end"], chapter["metadata"]["title"]) for chapter in container.chapters()
        ]
        assert chapters == [(0, 4500000000, "<Alice> & \u202eBob ?"), (4500000000, 10000000000, "presentation")]
        container.seek(7_000_000)
        first = next(container.demux(video=0))
        assert first.is_keyframe
        assert first.pts is not None
        assert 5000 <= first.pts <= 7000


async def test_webm_takes_no_h264(tmp_path: Path) -> None:
    """A container that cannot carry a codec says so before it makes a file."""
    with pytest.raises(UsageError, match=r"out\.webm: WebM does not carry H264"):
        ContainerWriter(WEBM, tmp_path / "out.webm", [TrackSpec(codec=Codec.H264)], origin=0.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "after_s"), [("mkv", 1.3), ("webm", 1.7)])
def test_a_kill_loses_less_than_a_second(tmp_path: Path, name: str, after_s: float) -> None:
    """What SIGKILL leaves plays unrepaired, to within a second of what was pushed, and says that it is incomplete."""
    path = tmp_path / f"out.{name}"
    pushed_ms = kill_recorder(path, name, after_s)
    part = tmp_path / f"out.part.{name}"
    assert not path.exists()
    for stream in (0, 1):
        left = times_ms(part, stream)
        assert pushed_ms - left[-1] < 1000, f"{pushed_ms - left[-1]} ms lost"
    with av.open(part) as container:
        assert len(list(container.decode(video=0))) == len(times_ms(part, 1))
