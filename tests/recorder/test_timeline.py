"""The recording's clock."""

from __future__ import annotations

import pytest

from pexrtc_py.recorder.timeline import Timeline


def test_time_counts_from_the_first_frame() -> None:
    """Before it the clock shows 0."""
    line = Timeline()
    assert line.position(50.0) == 0.0
    line.start(100.0)
    assert line.position(99.0) == 0.0
    assert line.position(107.5) == 7.5


def test_pauses_are_cut_out() -> None:
    """In a pause the clock stands still and nothing is kept; afterwards it goes on."""
    line = Timeline()
    line.start(100.0)
    line.pause(110.0)
    line.pause(111.0)
    assert line.is_paused
    assert [line.keeps(at) for at in (109.9, 110.0, 150.0)] == [True, False, False]
    assert line.position(150.0) == 10.0
    line.resume(160.0)
    line.resume(170.0)
    assert [line.keeps(at) for at in (109.9, 159.9, 160.0)] == [True, False, True]
    assert line.position(165.0) == 15.0
    line.pause(170.0)
    line.resume(171.0)
    assert line.cut_before(200.0) == 51.0
    assert line.position(105.0) == 5.0
    assert line.position(172.0) == pytest.approx(21.0)
