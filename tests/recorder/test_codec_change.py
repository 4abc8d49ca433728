"""What another file is needed for, and the key frame that it would begin with does not come."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.recorder.roles import Role
from tests.support.frames import g711_frames, opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, expected, read
from tests.support.waiting import until


async def test_sound_that_waits_too_long_for_a_key_frame_goes_on_without(tmp_path: Path) -> None:
    """Of sound that changed its codec all but the last five seconds was thrown away, and not counted."""
    path = tmp_path / "talk.mkv"
    opus = opus_frames(50, start=START, ntp_offset=1.0)
    g711 = g711_frames(450, start=START + 1.0)
    pictures = vp8_frames(300, start=START, ntp_offset=1.0, key_interval=270)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=[*opus, *g711], video=pictures)
    first, second = recording.result.files
    one, two = list(read(first).values()), list(read(second).values())
    assert one == [expected(opus), expected(pictures[:270])], "pictures stay where they can be decoded"
    assert two == [expected(g711, START + 1.0), expected(pictures[270:], START + 1.0)]
    assert scene.streams[Role.VIDEO].key_frames_asked >= 7, "it is asked for all the time"
    assert recording.result.duration_s == pytest.approx(10.0, abs=0.04)
    assert all(not stream.holes and not stream.undecodable for stream in recording.result.streams)


async def test_sound_that_waits_at_the_end_is_written(tmp_path: Path) -> None:
    """It was thrown away with the recording's end."""
    path = tmp_path / "talk.mkv"
    opus = opus_frames(50, start=START, ntp_offset=1.0)
    g711 = g711_frames(100, start=START + 1.0)
    pictures = vp8_frames(90, start=START, ntp_offset=1.0, key_interval=90)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=[*opus, *g711], video=pictures)
    first, second = recording.result.files
    assert list(read(first).values()) == [expected(opus), expected(pictures)]
    assert list(read(second).values()) == [expected(g711, START + 1.0)]


async def test_pictures_that_cease_while_they_lag(tmp_path: Path) -> None:
    """The file that was kept for their sake is closed, and those that come later have their place."""
    path = tmp_path / "talk.mkv"
    opus = opus_frames(50, start=START, ntp_offset=1.0)
    g711 = g711_frames(900, start=START + 1.0)
    pictures = vp8_frames(200, start=START, ntp_offset=1.0, key_interval=200)
    later = vp8_frames(60, start=START + 16.0, ntp_offset=1.0)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=[*opus, *g711[:700]], video=pictures)
        await until(lambda: path.exists(), within_s=5)
        await scene.play(audio=g711[700:], video=later)
    first, second = recording.result.files
    assert list(read(first).values()) == [expected(opus), expected(pictures)]
    assert list(read(second).values()) == [expected(g711, START + 1.0), expected(later, START + 1.0)]
