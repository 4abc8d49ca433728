"""Clocks for players that take no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pexrtc_py.media.player_clock import Clock, Timer

__all__ = ["FastClock"]


class FastClock(Clock):
    """Jumps to each moment as soon as it is asked for, and counts how often."""

    def __init__(self, time: float = 5000.0) -> None:
        self.time = time
        self.calls = 0

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        def jump() -> None:
            self.time = max(self.time, when)
            self.calls += 1
            callback()

        return asyncio.get_running_loop().call_soon(jump)
