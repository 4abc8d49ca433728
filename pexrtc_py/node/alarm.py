"""One timer that can be set again and again; the pure parts of the node say when, this rings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Alarm"]


class Alarm:
    """Calls back at a moment of the loop's clock, the last one set."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def set(self, when: float | None) -> None:
        """Ring at this moment, at once if it has passed, or not at all."""
        if self._handle is not None:
            if self._handle.when() == when:
                return
            self._handle.cancel()
        self._handle = None if when is None else self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._handle = None
        self._callback()
