"""Milestones of joining."""

from pexrtc_py.endpoint.phases import JoinPhases


def test_as_ms_counts_from_the_start_and_leaves_out_what_was_not_reached() -> None:
    """A milestone is told in milliseconds since the start; one not reached is absent, not zero."""
    phases = JoinPhases(started=100.0, token=100.0123, first_video=100.5)
    assert phases.as_ms() == {"token": 12.3, "first_video": 500.0}
