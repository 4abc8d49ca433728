"""The thread behind every tap that decodes: frames are pushed in the event loop and worked on elsewhere, in order.

Nothing waits for anybody: what to drop when the thread falls behind is the rule of the subclass, kept in `_admit`
(`admit_video` is the one for pictures). Results come back to the event loop one by one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from types import TracebackType
from typing import Generic, Self, TypeVar

from .frames import EncodedFrame, Gap

__all__ = ["DecodingThread", "VideoBacklog"]

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# Encoded pictures waiting for the thread: one second of 30 a second.
_VIDEO_BACKLOG = 30


class VideoBacklog:
    """The rule for pictures: when there are too many, drop all and wait for a key frame."""

    def __init__(self) -> None:
        self._awaits_key = False

    def admit(self, inbox: deque[EncodedFrame | Gap | None], item: EncodedFrame | Gap) -> tuple[bool, bool]:
        """Make room in `inbox`; returns whether to take the item, and whether to ask for a key frame now."""
        key = isinstance(item, EncodedFrame) and item.key
        behind = len(inbox) >= _VIDEO_BACKLOG
        if behind:
            logger.debug("! decoder is %d pictures behind and waits for a key frame", len(inbox))
            inbox.clear()
            inbox.append(Gap(codec=item.codec, rtp_time=item.rtp_time, time=item.time, duration=0, packets=0))
            self._awaits_key = True
        if key:
            self._awaits_key = False
        return not self._awaits_key, behind and not key


class DecodingThread(ABC, Generic[_Result]):
    """A tap with a thread. Enter it to start the thread; `end` lets it finish its work, `aclose` does not."""

    def __init__(self, thread_name: str) -> None:
        self._inbox: deque[EncodedFrame | Gap | None] = deque()
        self._filled = threading.Condition()
        self._ended = False
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)

    def start(self) -> None:
        """Start the thread; whoever calls this instead of entering calls `aclose` too."""
        self._thread.start()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def push(self, item: EncodedFrame | Gap) -> None:
        """Queue the next frame or gap; dropped by the subclass's rule when the thread cannot keep up."""
        with self._filled:
            if self._admit(item):
                self._inbox.append(item)
                self._filled.notify()

    def end(self) -> None:
        """Let the thread work off what is queued and end. Idempotent."""
        with self._filled:
            self._inbox.append(None)
            self._filled.notify()

    def stop(self) -> None:
        """Drop what is queued and let the thread end; `aclose` waits for it. Idempotent."""
        with self._filled:
            self._inbox.clear()
            self._inbox.append(None)
            self._filled.notify()

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended."""
        return self._ended

    async def aclose(self) -> None:
        """Drop what is queued and end. Idempotent; when cancelled the thread ends all the same."""
        self.stop()
        if self._thread.is_alive():
            await self._done.wait()
            self._thread.join()

    @abstractmethod
    def _admit(self, item: EncodedFrame | Gap) -> bool:
        """Make room for an item, or refuse it; called with the lock held, in the event loop."""

    @abstractmethod
    def _work(self, item: EncodedFrame | Gap) -> list[_Result]:
        """Do the work, in the thread."""

    @abstractmethod
    def _deliver(self, result: _Result) -> None:
        """Take a result, in the event loop."""

    def _finish(self) -> None:
        """Learn that no result will come any more, in the event loop."""
        self._ended = True
        self._done.set()

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                for result in self._work(item):
                    self._loop.call_soon_threadsafe(self._deliver, result)
        finally:
            self._loop.call_soon_threadsafe(self._finish)

    def _next(self) -> EncodedFrame | Gap | None:
        with self._filled:
            while not self._inbox:
                self._filled.wait()
            return self._inbox.popleft()
