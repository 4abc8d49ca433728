"""The recording's own clock: the call's time, from the first frame on, with what was paused cut out.

Files, sidecars and chapters all take their times from here.
"""

from __future__ import annotations

__all__ = ["Timeline"]


class Timeline:
    """Maps `EncodedFrame.time` to seconds of the recording. Pure: times are given, never read."""

    def __init__(self) -> None:
        self.origin: float | None = None
        self._pauses: list[tuple[float, float]] = []
        self._paused_at: float | None = None

    def start(self, origin: float) -> None:
        """Fix the moment that is 0."""
        self.origin = origin

    @property
    def is_paused(self) -> bool:
        """Whether time stands still."""
        return self._paused_at is not None

    def pause(self, at: float) -> None:
        """Let time stand still from `at` on. Nothing happens when it does already."""
        if self._paused_at is None:
            self._paused_at = at

    def resume(self, at: float) -> None:
        """Let time go on from `at`."""
        if self._paused_at is not None:
            self._pauses.append((self._paused_at, max(at, self._paused_at)))
            self._paused_at = None

    def cut_before(self, at: float) -> float:
        """Seconds that were cut out before `at`."""
        if not self._pauses and self._paused_at is None:
            return 0.0
        pauses = [*self._pauses, *([(self._paused_at, at)] if self._paused_at is not None else [])]
        return sum(max(0.0, min(end, at) - start) for start, end in pauses)

    def keeps(self, at: float) -> bool:
        """Whether what happens at `at` belongs into the recording."""
        if self._paused_at is not None and at >= self._paused_at:
            return False
        return not any(start <= at < end for start, end in self._pauses)

    def position(self, at: float) -> float:
        """Seconds of the recording at `at`; 0 before its start, the moment of the pause during one."""
        if self.origin is None:
            return 0.0
        return max(0.0, at - self.cut_before(at) - self.origin)
