"""Lip sync of recordings, by LiveKit egress's score: 95 or more, and at most 20 ms at the 95th percentile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from pexrtc_py.media.frames import EncodedFrame
from pexrtc_py.media.sync_score import find_beeps, find_flashes, score_sync
from pexrtc_py.recorder.roles import Role
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene

LENGTH_S = 8


def beeps(**how: object) -> list[EncodedFrame]:
    """A beep a second."""
    return opus_frames(LENGTH_S * 50, start=START, ntp_offset=1e9, beep_interval_s=1.0, **how)  # type: ignore[arg-type]


def flashes(**how: object) -> list[EncodedFrame]:
    """A flash a second."""
    return vp8_frames(LENGTH_S * 30, start=START, ntp_offset=1e9, flash_interval=30, key_interval=30, **how)


def late(frames: Sequence[EncodedFrame], by: float) -> list[EncodedFrame]:
    """Leave out what came before: joined in the middle."""
    return [frame for frame in frames if frame.time >= START + by]


def unsynchronised(frames: Sequence[EncodedFrame], count: int, error_s: float) -> list[EncodedFrame]:
    """Frames before the first sender report, whose time is a guess that is wrong by `error_s`."""
    return [replace(one, ntp_time=None, time=one.time + error_s) for one in frames[:count]] + list(frames[count:])


def sizes() -> list[EncodedFrame]:
    """A flash a second, twice as large in each direction from the middle on."""
    return [*flashes()[:120], *late(flashes(width=640, height=360), 4)]


# Made where they are played, and not while tests are looked for.
Made = Callable[[], list[EncodedFrame]]


@pytest.mark.parametrize(
    ("sound", "pictures"),
    [
        pytest.param(beeps, flashes, id="together"),
        pytest.param(beeps, lambda: late(flashes(), 1.0), id="audio first"),
        pytest.param(lambda: late(beeps(), 0.7), flashes, id="video first"),
        pytest.param(lambda: [*beeps()[:100], *beeps()[250:]], flashes, id="mute"),
        pytest.param(beeps, sizes, id="resolution change"),
        pytest.param(lambda: unsynchronised(beeps(), 20, 0.15), flashes, id="late sender report"),
    ],
)
async def test_sound_and_picture_fit(tmp_path: Path, sound: Made, pictures: Made) -> None:
    """Whichever comes first, stops in between, changes its size or is synchronised late."""
    scene = Scene(tmp_path / "talk.mkv")
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound(), video=pictures())
    assert len(recording.result.files) == 1
    found = score_sync(find_flashes(tmp_path / "talk.mkv"), find_beeps(tmp_path / "talk.mkv"))
    assert found is not None
    assert found.pairs >= 5
    assert found.score >= 95
    assert found.p95_skew_s <= 0.020


async def test_a_late_presentation_fits_the_sound(tmp_path: Path) -> None:
    """The slides' own file is on the clock of the main one."""
    scene = Scene(tmp_path / "talk.mkv")
    async with scene.recording:
        scene.attach(Role.AUDIO, Role.SLIDES)
        await scene.play(audio=beeps(), slides=late(flashes(), 3.0))
    found = score_sync(find_flashes(tmp_path / "talk.slides.mkv"), find_beeps(tmp_path / "talk.mkv"))
    assert found is not None
    assert found.pairs == 5
    assert found.score >= 95
    assert found.p95_skew_s <= 0.020
