"""The score by itself; recordings are scored in tests/recorder/test_sync.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.sync_score import find_beeps, find_flashes, score_recording, score_sync
from pexrtc_py.media.writers.matroska import MatroskaWriter
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.support.frames import merged, opus_frames, vp8_frames

SECONDS = [float(n) for n in range(10)]


def test_marks_together_score_a_hundred() -> None:
    """Nothing is taken off."""
    found = score_sync(SECONDS, SECONDS)
    assert found is not None
    assert (found.score, found.pairs, found.lock_s) == (100.0, 10, 0.0)


@pytest.mark.parametrize(
    ("flashes", "beeps", "score"),
    [
        ([at + 0.3 for at in SECONDS], SECONDS, 100 - 20 - 10 * 0.5),  # mean at its limit, largest half way
        ([at + 0.175 for at in SECONDS], SECONDS, 100 - 10 - 10 * 0.1875),
        ([20.0, 21.0], [*SECONDS, 20.0, 21.0], 100 - 10),  # the first pair after twenty seconds
    ],
)
def test_each_part_is_taken_off(flashes: list[float], beeps: list[float], score: float) -> None:
    """By the formula."""
    found = score_sync(flashes, beeps)
    assert found is not None
    assert found.score == pytest.approx(score, abs=0.01)


def test_a_mute_is_no_jitter_and_no_pair_no_score() -> None:
    """Marks that are missing are not marks that are late."""
    found = score_sync(SECONDS, [*SECONDS[:3], *SECONDS[7:]])
    assert found is not None
    assert (found.score, found.pairs) == (100.0, 6)
    assert score_sync(SECONDS, []) is None
    assert score_sync([0.5], [1.0]) is None


async def test_marks_are_found_where_they_were_made(tmp_path: Path) -> None:
    """Flashes to a millisecond, beeps to two windows and libopus' own delay of 6.5 ms."""
    sound = opus_frames(200, beep_interval_s=1.0)
    pictures = vp8_frames(120, start=0.1, flash_interval=30)
    writer = MatroskaWriter(tmp_path / "out.mkv", [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])], origin=0.0)
    for index, frame in merged(sound, pictures):
        writer.tracks[index].push(frame)
    path = (await writer.aclose()).path
    assert find_flashes(path) == pytest.approx([0.1, 1.1, 2.1, 3.1], abs=0.001)
    assert find_beeps(path) == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.017)
    found = score_recording(path)
    assert found is not None
    assert found.mean_skew_s == pytest.approx(0.095, abs=0.01)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Naming the file."""
    with pytest.raises(SourceError, match=r"nothing\.mkv"):
        score_recording(tmp_path / "nothing.mkv")
