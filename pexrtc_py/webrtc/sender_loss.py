"""For which loss sound is to be encoded: in steps, since each costs an encoder something, taken back with patience."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

__all__ = ["ExpectedLoss"]

# Percent to encode for; from which share of lost packets on, and below which no more. Between the bounds of a step lie
# some three deviations of what chance makes of 50 packets a second over the time below.
_STEPS = ((15, 0.10, 0.05), (5, 0.02, 0.005))
_SMOOTH_S = 4.0  # reports of audio come each second or five, and each is of few packets
_FIRST_S = 1.0  # what a first report counts for


class ExpectedLoss:
    """Decides how many packets in a hundred an encoder of sound should expect to be lost: 0, 5 or 15.

    Driven by `handle_loss`.

    Attributes:
        percent: that many.
        on_change: told when it changes.
    """

    def __init__(self) -> None:
        self.percent = 0
        self.on_change: Callable[[int], None] | None = None
        self._smooth = 0.0
        self._reported: float | None = None

    def handle_loss(self, fraction: float, now: float) -> None:
        """Take the fraction of packets lost (0 to 1) out of a report block."""
        passed_s = _FIRST_S if self._reported is None else max(0.0, now - self._reported)
        self._reported = now
        self._smooth += (1 - exp(-passed_s / _SMOOTH_S)) * (fraction - self._smooth)
        percent = next((step for step, up, down in _STEPS if self._smooth >= (down if self.percent >= step else up)), 0)
        if percent != self.percent:
            self.percent = percent
            if self.on_change is not None:
                self.on_change(percent)
