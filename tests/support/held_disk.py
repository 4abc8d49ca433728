"""The thread that writes recordings, held as a disk that blocks holds it."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from pexrtc_py.media.writers.shared_thread import add_job


class HeldDisk:
    """A disk that takes nothing from `hold` until `release`, or the end of the block."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._holding = threading.Event()

    def __enter__(self) -> Self:
        """Hold nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release what is still held: the thread serves the tests that follow."""
        self.release()

    async def hold(self) -> None:
        """Return once the thread writes nothing more."""
        add_job(self)
        assert await asyncio.to_thread(self._holding.wait, 10), "the writers' thread took no job"

    def release(self) -> None:
        """Let it write."""
        self._released.set()

    def run(self) -> bool:
        """Block: what the thread calls."""
        self._holding.set()
        self._released.wait()
        return False
