"""Losses and their runs are exact in whatever order they become known."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.webrtc.loss_runs import LossRuns


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=40), st.booleans())))
def test_any_order_of_losing_and_finding(steps: list[tuple[int, bool]]) -> None:
    """Count and runs are those of the set that is lost in the end."""
    runs, lost = LossRuns(), set[int]()
    for number, is_lost in steps:
        if is_lost:
            runs.lose(number)
            lost.add(number)
        else:
            assert runs.find(number) == (number in lost)
            lost.discard(number)
    ordered = sorted(lost)
    assert runs.count == len(ordered)
    assert runs.runs == bool(ordered) + sum(after - before > 1 for before, after in pairwise(ordered))


def test_what_was_counted_outlives_a_restart() -> None:
    """A new sequence of numbers does not join the runs of the old one."""
    runs = LossRuns()
    runs.lose(7)
    runs.restart()
    runs.lose(8)
    assert (runs.count, runs.runs) == (2, 2)
    assert not runs.find(7)
