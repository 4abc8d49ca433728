"""Where a player takes its time from: the event loop's real one, or a test's that runs as fast as it can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "LoopClock", "Timer"]


class Timer(Protocol):
    """Something that will be called, and can be cancelled."""

    def cancel(self) -> None:
        """Do not call it any more."""


class Clock(Protocol):
    """Where a player takes its time from; a test gives one that runs as fast as it can."""

    def now(self) -> float:
        """Return seconds; never steps back."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` in the event loop when `now()` has reached `when`."""


class LoopClock:
    """`time.monotonic` and the running event loop's timers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    now = staticmethod(time.monotonic)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` at `when`."""
        # The loop's clock need not be ours: uvloop's is another one, in milliseconds.
        return self._loop.call_later(when - time.monotonic(), callback)
