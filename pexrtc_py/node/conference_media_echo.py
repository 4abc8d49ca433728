"""What a test call sends back: the caller's own sound and picture, as they came, after a while."""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec.structs import replace

from ..media.frames import EncodedFrame, Gap, Tap

__all__ = ["Delay"]

# Frames held at most: ten seconds of sound; the oldest are dropped.
_HELD = 500


class Delay:
    """A tap that hands on what it gets after a fixed time, by one timer of the loop.

    Args:
        tap: what to hand on to; gaps too.
        seconds: how much later; frame times move by it.
    """

    def __init__(self, tap: Tap, seconds: float) -> None:
        self._tap = tap
        self._seconds = seconds
        self._held: deque[tuple[float, EncodedFrame | Gap]] = deque(maxlen=_HELD)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def push(self, item: EncodedFrame | Gap) -> None:
        """Hold an item for its time."""
        self._held.append((self._loop.time() + self._seconds, replace(item, time=item.time + self._seconds)))
        if self._timer is None:
            self._timer = self._loop.call_at(self._held[0][0], self._hand_on)

    def end(self) -> None:
        """Drop what is held."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hand_on(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            self._tap.push(self._held.popleft()[1])
        if self._held:
            self._timer = self._loop.call_at(self._held[0][0], self._hand_on)
