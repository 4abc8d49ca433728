"""A tap that keeps what it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pexrtc_py.media.frames import EncodedFrame, Gap


class Collector:
    """A tap that keeps what it is given, and lets a test wait for it."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []
        self.gaps: list[Gap] = []
        self.ended = False
        self._changed = asyncio.Event()

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, Gap):
            self.gaps.append(item)
        else:
            self.frames.append(item)
        self._changed.set()

    def end(self) -> None:
        self.ended = True
        self._changed.set()

    def has(self, frames: int) -> bool:
        """Whether this many frames came."""
        return len(self.frames) == frames

    def came_to(self, ticks: int) -> bool:
        """Whether frames span so many ticks."""
        return bool(self.frames) and self.frames[-1].rtp_time - self.frames[0].rtp_time >= ticks

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
