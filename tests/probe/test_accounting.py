"""Frames are counted exactly: lost, repeated, reordered, frozen."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.probe.accounting import FrameAccount

FPS = 30


def account(ids: list[int]) -> FrameAccount:
    """Return the account of pictures shown at 30 a second."""
    kept = FrameAccount()
    for index, frame_id in enumerate(ids):
        kept.show(frame_id, index / FPS)
    return kept


def test_all_frames_in_order() -> None:
    """Nothing is wrong with a hundred frames."""
    kept = account(list(range(500, 600)))
    assert (kept.shown, kept.lost, kept.repeated, kept.reordered, kept.freezes) == (100, 0, 0, 0, [])


def test_lost_repeated_and_reordered_are_told_apart() -> None:
    """One of each."""
    kept = account([1, 2, 2, 5, 4, 6])
    assert (kept.shown, kept.lost, kept.repeated, kept.reordered) == (5, 1, 1, 1)


def test_a_held_picture_is_a_freeze_to_the_frame() -> None:
    """Ten pictures of the same frame are eleven intervals without a new one; the dropped frames are lost."""
    ids = [*range(40), *[39] * 10, *range(50, 80)]
    kept = account(ids)
    assert [round(freeze.duration * FPS) for freeze in kept.freezes] == [11]
    assert (kept.repeated, kept.lost) == (10, 10)


def test_a_frame_before_the_first_widens_the_account() -> None:
    """A late frame from before is reordered, and none is lost."""
    kept = account([7, 6, 8])
    assert (kept.expected, kept.lost, kept.reordered) == (3, 0, 1)


def test_ids_wrap() -> None:
    """After 2**24 frames counting goes on."""
    kept = account([2**24 - 2, 2**24 - 1, 0, 1, 3])
    assert (kept.shown, kept.lost, kept.reordered) == (5, 1, 0)


def test_unreadable_pictures_are_counted_apart() -> None:
    """They are neither lost nor shown."""
    kept = account([1, 2])
    kept.miss()
    assert (kept.unread, kept.read, kept.lost) == (1, 2, 0)


def test_an_account_without_pictures_is_all_zero() -> None:
    """Nothing seen is nothing lost."""
    kept = FrameAccount()
    kept.finish(10.0)
    assert (kept.lost, kept.expected, kept.freezes) == (0, 0, [])


@given(st.sets(st.integers(min_value=0, max_value=200), min_size=1), st.randoms(use_true_random=False))
def test_any_drops_repeats_and_order_are_exact(kept_ids: set[int], dice: Random) -> None:
    """Whatever is dropped, repeated and mixed, the sums hold."""
    ids = sorted(kept_ids)
    shuffled = ids[:]
    dice.shuffle(shuffled)
    kept = account(shuffled + ids)
    assert kept.shown == len(ids)
    assert kept.repeated == len(ids)
    assert kept.lost == ids[-1] - ids[0] + 1 - len(ids)
    highest, late = -1, 0
    for number in shuffled:
        late += number < highest
        highest = max(highest, number)
    assert kept.reordered == late
