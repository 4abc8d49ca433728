"""How long to wait before trying again: doubling from try to try, with dice, up to a ceiling.

The range is that of Pexip's own client, 100 ms to 30 s (@pexip/infinity 20). The dice spread the
clients of a node that has just come back.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays in seconds, each between half and the whole of a span that doubles."""

    def __init__(self, dice: Callable[[], float], *, first_s: float = 0.1, ceiling_s: float = 30.0) -> None:
        """Start at the first span.

        Args:
            dice: gives numbers from 0 up to 1, `random.random` for example.
            first_s: the first span.
            ceiling_s: the longest span.
        """
        self._dice = dice
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._span_s = first_s

    def next_delay(self) -> float:
        """Say how long to wait now; the next wait will be longer."""
        delay = self._span_s * (0.5 + 0.5 * self._dice())
        self._span_s = min(self._span_s * 2, self._ceiling_s)
        return delay

    def reset(self) -> None:
        """Begin anew: something went well."""
        self._span_s = self._first_s
