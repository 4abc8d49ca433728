"""Recordings: streams that come as they like, in files as they should be."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.media.frames import Codec
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.stopping import Ended
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, expected, read


async def test_sound_and_picture_are_in_one_file_from_their_first_frames(tmp_path: Path) -> None:
    """The earlier stream is 0, the other lies where its time says, nothing is missing, and the result counts it."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(150, start=START, ntp_offset=1e9)
    pictures = vp8_frames(60, start=START + 0.3, ntp_offset=1e9)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound, video=pictures)
        assert recording.has_started
        assert recording.position(START + 1.5) == 1.5
    result = recording.result
    assert read(path) == {"opus": expected(sound), "vp8": expected(pictures)}
    assert result.file == path
    assert result.files == (path,)
    assert result.ended is Ended.STOPPED
    assert result.error is None
    assert result.holes == ()
    assert result.duration_s == pytest.approx(3.0, abs=0.001)
    assert [(s.role, s.codec, s.packets, s.gaps) for s in result.streams] == [
        (Role.AUDIO, Codec.OPUS, 150, 0),
        (Role.VIDEO, Codec.VP8, 60, 0),
    ]


async def test_the_target_is_ours_before_anybody_is_called(tmp_path: Path) -> None:
    """A name that is taken, for the slides too, is an error on entering; without media no file is left."""
    path = tmp_path / "talk.mkv"
    path.write_text("")
    with pytest.raises(UsageError, match="exists already"):
        await Scene(path).recording.__aenter__()
    path.unlink()
    (tmp_path / "talk.slides.mkv").write_text("")
    with pytest.raises(UsageError, match=r"talk\.slides\.mkv exists already"):
        await Scene(path).recording.__aenter__()
    (tmp_path / "talk.slides.mkv").unlink()
    async with Scene(path).recording as recording:
        assert [entry.name for entry in tmp_path.iterdir()] == ["talk.part.mkv"]
    assert list(tmp_path.iterdir()) == []
    assert recording.result.file is None


@pytest.mark.parametrize("name", ["talk.ogg", "talk.wav"])
async def test_a_container_of_sound_records_sound(tmp_path: Path, name: str) -> None:
    """Pictures are not waited for and not written."""
    scene = Scene(tmp_path / name)
    async with scene.recording as recording:
        scene.attach(*Role)
        await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0), video=vp8_frames(30, start=START))
    assert [one.role for one in recording.result.streams] == [Role.AUDIO]
    assert recording.result.duration_s == pytest.approx(1.0, abs=0.001)


async def test_a_codec_the_container_does_not_take_is_told(tmp_path: Path) -> None:
    """The recording ends with the reason, and no empty file is left."""
    scene = Scene(tmp_path / "talk.mp4")

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.VIDEO)
            await scene.play(video=vp8_frames(10, start=START, ntp_offset=1.0))
            assert await recording.wait_ended() is Ended.FAILED

    with pytest.raises(UsageError, match="MP4 does not carry VP8"):
        await record()
    assert list(tmp_path.iterdir()) == []


async def test_slides_have_their_own_file_on_the_same_clock(tmp_path: Path) -> None:
    """A presentation that begins late, ends and begins again lies in one file at its times in the conference."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(400, start=START, ntp_offset=1e9)
    slides = [*vp8_frames(5, start=START + 2, rate=1), *vp8_frames(1, start=START + 7.5)]
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.SLIDES)
        await scene.play(audio=sound, slides=slides)
    assert recording.result.files == (path, tmp_path / "talk.slides.mkv")
    assert list(read(tmp_path / "talk.slides.mkv").values()) == [expected(slides)]
    assert recording.result.file == path


async def test_slides_can_be_a_track(tmp_path: Path) -> None:
    """With the codec known the track is kept free beside the main picture."""
    path = tmp_path / "talk.mkv"
    sound, pictures = opus_frames(200, start=START, ntp_offset=1.0), vp8_frames(120, start=START, ntp_offset=1.0)
    slides = vp8_frames(20, start=START + 2, rate=10)
    scene = Scene(path, RecordingConfig(path=path, slides_in_same_file=True))
    async with scene.recording as recording:
        scene.attach(*Role, slides=Codec.VP8)
        await scene.play(audio=sound, video=pictures, slides=slides)
    assert recording.result.files == (path,)
    with av.open(path) as container:
        assert [one.metadata["title"] for one in container.streams] == ["audio", "video", "slides"]
        packets = [packet for packet in container.demux(container.streams[2]) if packet.size]
    assert [bytes(packet) for packet in packets] == [frame.data for frame in slides]


@pytest.mark.parametrize("reports", [True, False])
async def test_what_waits_for_the_start_is_written_on_leaving(tmp_path: Path, *, reports: bool) -> None:
    """All that came within the start's budget was thrown away when the recording ended within it."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(90, start=START, ntp_offset=1.0 if reports else None)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.VP8)
        await scene.play(audio=sound)
        assert not recording.has_started
    assert recording.result.file == path
    assert next(iter(read(path).values())) == expected(sound)
    assert recording.result.duration_s == pytest.approx(1.8, abs=0.001)
    assert recording.result.began_at is not None
