"""What the tests of announcing listen with finds what is missing, and nothing that is not."""

from __future__ import annotations

import numpy as np
import pytest

from .hearing import babble, missing_ends

WORDS = babble(1.5)


def recorded(*parts: np.ndarray[tuple[int], np.dtype[np.int16]]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return a recording of these parts, with the faint noise of a room before, between and after."""
    room = np.random.default_rng(5).normal(0, 40, (len(parts) + 1, 3 * 960)).astype(np.int16)
    pieces = [room[0]]
    for number, part in enumerate(parts):
        pieces += [part, room[number + 1]]
    return np.concatenate([np.tile(room[0], 10), *pieces])


@pytest.mark.parametrize(("start", "end"), [(0, 0), (1, 0), (0, 2), (3, 4), (12, 0)])
def test_what_is_cut_off_is_missing(start: int, end: int) -> None:
    """So many packets of 20 ms cut off at an end are that much missing there."""
    kept = WORDS[960 * start : len(WORDS) - 960 * end]
    assert missing_ends(WORDS, recorded(kept)) == pytest.approx((0.02 * start, 0.02 * end))


@pytest.mark.parametrize("at", [2, 11, 60, 70])
def test_a_pause_of_the_mix_cuts_nothing_off(at: int) -> None:
    """Where the mix waited for 60 ms in the middle of a word, nothing is missing."""
    assert missing_ends(WORDS, recorded(WORDS[: 960 * at], WORDS[960 * at :])) == (0, 0)


def test_a_mix_that_waits_again_and_again_cuts_nothing_off() -> None:
    """Where each tenth of a second came later than the one before by 60 ms, all of it was heard."""
    assert missing_ends(WORDS, recorded(*np.split(WORDS, 15))) == (0, 0)


def test_other_sound_is_nothing_of_it() -> None:
    """Of other noise nothing is taken for it."""
    with pytest.raises(AssertionError, match="nothing of it"):
        missing_ends(WORDS, recorded(babble(1.5, seed=9)))
