"""Pictures that come late, without a description, in another size, or without key frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from msgspec.structs import replace

from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.writers.tracks import annexb_units
from pexrtc_py.recorder.file_series import SegmentRules
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from tests.support.frames import h264_frames, opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, expected, packets_and_gaps, read


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
async def test_a_late_picture_finds_its_track_kept_free(tmp_path: Path, suffix: str) -> None:
    """With the codec known from negotiation, sound begins alone after its budget, and the picture still goes in.

    Of two tracks kept free each has its own size in the header, the one that is never used keeps the guess.
    """
    path = tmp_path / f"talk.{suffix}"
    sound = opus_frames(250, start=START, ntp_offset=1e9)
    pictures = vp8_frames(30, start=START + 3.5, width=640, height=360)
    scene = Scene(path, RecordingConfig(path=path, slides_in_same_file=True))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES, video=Codec.VP8, slides=Codec.VP9)
        await scene.play(audio=sound, video=pictures)
    assert list(read(path).values()) == [expected(sound), expected(pictures)]
    assert recording.result.streams[1].sizes == ((3.5, 640, 360),)
    with av.open(path) as container:
        assert [(track.width, track.height) for track in container.streams.video] == [(640, 360), (1280, 720)]


async def test_a_late_h264_picture_begins_another_file_and_no_sound_is_lost(tmp_path: Path) -> None:
    """Its header needs its first frame, so the recording goes on in the next file, on the same clock."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(250, start=START, ntp_offset=1e9)
    pictures = h264_frames(30, start=START + 3.5)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
    first, second = recording.result.files
    assert (first, second) == (path, tmp_path / "talk.002.mkv")
    joint = next(n for n, frame in enumerate(sound) if frame.time > START + 3.5)  # that of 3.5 came just before
    (one,) = read(first).values()
    two = read(second)
    assert [data for _, data in one] == [frame.data for frame in sound[:joint]]
    assert two["opus"] == expected(sound[joint:], START + 3.5)
    assert packets_and_gaps(recording.result, Role.VIDEO) == (30, 0)
    assert recording.result.streams[-1].start_s == pytest.approx(3.5, abs=0.001)
    assert scene.streams[Role.VIDEO].key_frames_asked == 0


def without_sets(frame: EncodedFrame, *kinds: int) -> EncodedFrame:
    """Take parameter sets out of an H.264 key frame, as when their packet is lost."""
    kept = [unit for unit in annexb_units(frame.data) if unit[0] & 31 not in kinds]
    return replace(frame, data=b"".join(b"\0\0\0\1" + unit for unit in kept))


def with_sets(frame: EncodedFrame, count: int) -> EncodedFrame:
    """Put more picture parameter sets into an H.264 key frame than any header can hold."""
    more = b"".join(b"\0\0\0\1\x68" + bytes([1 + n % 200, 7]) for n in range(count))
    return replace(frame, data=more + frame.data)


@pytest.mark.parametrize("spoil", [lambda frame: without_sets(frame, 8), lambda frame: with_sets(frame, 300)])
@pytest.mark.parametrize("name", ["talk.mkv", "talk.mp4"])
async def test_a_key_frame_that_cannot_be_described_ends_nothing(
    tmp_path: Path, name: str, spoil: Callable[[EncodedFrame], EncodedFrame]
) -> None:
    """One lost packet of the first picture ended the whole recording, sound included: it is left out, and the next
    key frame asked for."""
    path = tmp_path / name
    sound = opus_frames(150, start=START, ntp_offset=1.0)
    pictures = h264_frames(60, start=START, ntp_offset=1.0, key_interval=30)
    pictures[0] = spoil(pictures[0])
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
        assert recording.ended is None
    assert recording.result.error is None
    assert packets_and_gaps(recording.result, Role.AUDIO) == (150, 0)
    assert packets_and_gaps(recording.result, Role.VIDEO) == (30, 0)
    assert scene.streams[Role.VIDEO].key_frames_asked > 0
    assert recording.result.files == (path,)
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == 30


async def test_pictures_that_are_never_described_leave_the_sound(tmp_path: Path) -> None:
    """The recording begins without them when its budget is spent, as if none had come."""
    path = tmp_path / "talk.mkv"
    pictures = [without_sets(frame, 7, 8) for frame in h264_frames(90, start=START, ntp_offset=1.0, key_interval=30)]
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES, video=Codec.H264)
        await scene.play(audio=opus_frames(150, start=START, ntp_offset=1.0), video=pictures, slides=pictures)
    assert recording.result.error is None
    assert [(one.role, one.packets) for one in recording.result.streams] == [(Role.AUDIO, 150)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["talk.mkv"]


async def test_a_late_picture_without_description_waits_for_the_next(tmp_path: Path) -> None:
    """It begins no file, and the sound goes on meanwhile in the one there is."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(300, start=START, ntp_offset=1.0)
    pictures = h264_frames(60, start=START + 3.5, key_interval=30)
    pictures[0] = without_sets(pictures[0], 8)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
    assert recording.result.error is None
    assert packets_and_gaps(recording.result, Role.AUDIO) == (300, 0)
    assert packets_and_gaps(recording.result, Role.VIDEO) == (30, 0)
    assert scene.streams[Role.VIDEO].key_frames_asked > 0
    with av.open(tmp_path / "talk.002.mkv") as container:
        assert len(list(container.decode(video=0))) == 30


async def test_a_segment_begins_with_the_description_there_was(tmp_path: Path) -> None:
    """A sender may say its parameter sets once: the next file has them in its header, and plays alone."""
    path = tmp_path / "talk.mkv"
    pictures = h264_frames(120, start=START, ntp_offset=1.0, key_interval=30)
    pictures[30:] = [without_sets(frame, 7, 8) for frame in pictures[30:]]
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.5)))
    async with scene.recording as recording:
        scene.attach(Role.VIDEO)
        await scene.play(video=pictures)
    assert recording.result.error is None
    assert len(recording.result.files) > 1
    decoded = 0
    for file in recording.result.files:
        with av.open(file) as container:
            decoded += len(list(container.decode(video=0)))
    assert decoded == 120


async def test_a_change_of_picture_size_begins_another_mp4(tmp_path: Path) -> None:
    """MP4 declares one size, so the larger picture goes to the next file; nothing is lost."""
    path = tmp_path / "talk.mp4"
    sound = opus_frames(100, start=START, ntp_offset=1.0)
    small = h264_frames(30, start=START, ntp_offset=1.0)
    large = h264_frames(30, start=START + 1, ntp_offset=1.0, width=640, height=360)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound, video=[*small, *large])
    sizes: list[tuple[int, int]] = []
    for file in recording.result.files:
        with av.open(file) as container:
            sizes.extend((frame.width, frame.height) for frame in container.decode(video=0))
    assert sizes == [(320, 180)] * 30 + [(640, 360)] * 30
    assert [data for file in recording.result.files for _, data in read(file)["opus"]] == [one.data for one in sound]


async def test_a_sender_that_makes_no_key_frames_is_asked_now_and_then(tmp_path: Path) -> None:
    """A node sent one for the first picture and no more: in an hour of that nobody could find a minute."""
    path = tmp_path / "talk.mkv"
    key, *others = vp8_frames(5, start=START, ntp_offset=1.0, key_interval=1000)
    scene = Scene(path)
    async with scene.recording:
        scene.attach(Role.VIDEO)
        await scene.play(video=[key, *(later(others[0], START + second) for second in range(1, 100))])
    assert scene.streams[Role.VIDEO].key_frames_asked == 3
    assert packets_and_gaps(scene.recording.result, Role.VIDEO) == (100, 0)


def later(frame: EncodedFrame, at: float) -> EncodedFrame:
    """Return the frame at another time."""
    return replace(frame, time=at)
