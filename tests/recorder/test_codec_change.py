"""Sound that changes its codec needs another file; the key frame that this is to begin with comes, or does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pexrtc_py.media.frames import EncodedFrame
from pexrtc_py.recorder.roles import Role
from tests.support.frames import g711_frames, opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, expected, read
from tests.support.waiting import until

OPUS = opus_frames(50, start=START, ntp_offset=1.0)
"""A second of it; what comes then is of another codec."""


def pictures_of(count: int, *, key_interval: int) -> list[EncodedFrame]:
    """Pictures from the beginning on."""
    return vp8_frames(count, start=START, ntp_offset=1.0, key_interval=key_interval)


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Scene]:
    """Record sound and picture."""
    scene = Scene(folder / "talk.mkv")
    async with scene.recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        yield scene


async def test_a_change_of_the_sound_codec_begins_another_file_at_a_key_frame(tmp_path: Path) -> None:
    """Sound of the new codec waits for the key frame that is asked for; each packet is written once."""
    g711 = g711_frames(150, start=START + 1.0)
    pictures = pictures_of(120, key_interval=45)
    async with recorded(tmp_path) as scene:
        await scene.play(audio=[*OPUS, *g711], video=pictures)
    first, second = scene.recording.result.files
    one, two = list(read(first).values()), list(read(second).values())
    assert one == [expected(OPUS), expected(pictures[:45])]
    assert two == [expected(g711, START + 1.0), expected(pictures[45:], START + 1.0)]
    assert scene.streams[Role.VIDEO].key_frames_asked >= 1
    assert scene.recording.result.duration_s == pytest.approx(4.0, abs=0.02)


async def test_sound_that_waits_too_long_for_a_key_frame_goes_on_without(tmp_path: Path) -> None:
    """Of sound that changed its codec all but the last five seconds was thrown away, and not counted."""
    g711 = g711_frames(450, start=START + 1.0)
    pictures = pictures_of(300, key_interval=270)
    async with recorded(tmp_path) as scene:
        await scene.play(audio=[*OPUS, *g711], video=pictures)
    first, second = scene.recording.result.files
    one, two = list(read(first).values()), list(read(second).values())
    assert one == [expected(OPUS), expected(pictures[:270])], "pictures stay where they can be decoded"
    assert two == [expected(g711, START + 1.0), expected(pictures[270:], START + 1.0)]
    assert scene.streams[Role.VIDEO].key_frames_asked >= 7, "it is asked for all the time"
    assert scene.recording.result.duration_s == pytest.approx(10.0, abs=0.04)
    assert all(not stream.holes and not stream.undecodable for stream in scene.recording.result.streams)


async def test_sound_that_waits_at_the_end_is_written(tmp_path: Path) -> None:
    """It was thrown away with the recording's end."""
    g711 = g711_frames(100, start=START + 1.0)
    pictures = pictures_of(90, key_interval=90)
    async with recorded(tmp_path) as scene:
        await scene.play(audio=[*OPUS, *g711], video=pictures)
    first, second = scene.recording.result.files
    assert list(read(first).values()) == [expected(OPUS), expected(pictures)]
    assert list(read(second).values()) == [expected(g711, START + 1.0)]


async def test_pictures_that_cease_while_they_lag(tmp_path: Path) -> None:
    """The file that was kept for their sake is closed, and those that come later have their place."""
    g711 = g711_frames(900, start=START + 1.0)
    pictures = pictures_of(200, key_interval=200)
    later = vp8_frames(60, start=START + 16.0, ntp_offset=1.0)
    async with recorded(tmp_path) as scene:
        await scene.play(audio=[*OPUS, *g711[:700]], video=pictures)
        await until(lambda: (tmp_path / "talk.mkv").exists(), within_s=5)
        await scene.play(audio=g711[700:], video=later)
    first, second = scene.recording.result.files
    assert list(read(first).values()) == [expected(OPUS), expected(pictures)]
    assert list(read(second).values()) == [expected(g711, START + 1.0), expected(later, START + 1.0)]
