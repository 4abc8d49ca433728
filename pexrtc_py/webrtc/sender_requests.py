"""Requests for key frames in measure: at most one every 0.3 s is passed on, and none is lost."""

from __future__ import annotations

__all__ = ["KeyFrameRequests"]

_INTERVAL_S = 0.3  # more key frames than that would take the rate of all other frames


class KeyFrameRequests:
    """Decides when a request is passed on. Driven by `ask`, with the time at which `next_timer` fell due included."""

    def __init__(self) -> None:
        self._told = float("-inf")
        self._due = float("inf")

    def ask(self, now: float) -> bool:
        """Return whether to pass on a request now; if not, one is due at `next_timer`."""
        if now < self._told + _INTERVAL_S:
            self._due = self._told + _INTERVAL_S
            return False
        self._told = now
        self._due = float("inf")
        return True

    def next_timer(self) -> float:
        """Return when to ask again; infinity when nothing is put off."""
        return self._due
