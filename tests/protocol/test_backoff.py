from __future__ import annotations

from pexrtc_py.protocol.backoff import Backoff


def test_doubles_to_the_ceiling_and_starts_anew() -> None:
    """Spans double from the first to the ceiling; a reset goes back."""
    backoff = Backoff(lambda: 1.0, first_s=0.1, ceiling_s=1.0)
    assert [round(backoff.next_delay(), 3) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert round(backoff.next_delay(), 3) == 0.1


def test_dice_spread_over_half_the_span() -> None:
    """The lowest throw gives half the span."""
    assert Backoff(lambda: 0.0, first_s=2.0).next_delay() == 1.0
