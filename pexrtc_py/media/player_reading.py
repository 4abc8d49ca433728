"""Reading a source ahead, in a thread of its own, because reading may block.

It reads a bounded number of seconds beyond what has been played, and then waits until half of it has been, so that the
two threads meet once a second and not per frame. News are told to the event loop only while that has nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ..errors import PexrtcError, SourceError
from .frames import EncodedFrame, Kind, Source
from .sources.raw import Interruptible

__all__ = ["ReadAhead", "Taken"]

logger = logging.getLogger(__name__)

# Read before the first is played, so that a slow start of an encoder is not heard as a gap.
_HEAD_START_S: Final = 0.2
_READ_AHEAD_S: Final = 2.0
# The read-ahead of a source that encodes: what was encoded before a request for a key frame or for a lower rate is sent
# before it is heeded.
_ENCODING_AHEAD_S: Final = 0.3


class Taken(NamedTuple):
    """What the reading has given, and how it stood at that moment."""

    frames: list[EncodedFrame]
    """The oldest ones."""
    is_empty: bool
    """Whether there was nothing at all: the next frame, or the end, is news."""
    is_over: bool
    """Whether the source is over; what was read before may still be there."""


class ReadAhead:
    """Frames of a source, read before they are due. All but the reading itself is for the event loop.

    Args:
        source: what to read; closed by the thread when it is over or stopped.
        ahead_s: seconds that are read ahead; None: what suits the source.
        on_news: called in the loop when there is something after `take` had found nothing.
    """

    def __init__(self, source: Source, ahead_s: float | None, on_news: Callable[[], None]) -> None:
        self._source = source
        self._on_news = on_news
        self._ahead_s = ahead_s if ahead_s is not None else _ENCODING_AHEAD_S if source.encodes else _READ_AHEAD_S
        self._head_start_s = 0.0 if source.live else min(_HEAD_START_S, self._ahead_s)
        self.failure: PexrtcError | None = None
        """Why the source broke, once it is over."""
        # Between the thread and the loop; every field under `_lock`, but `_played` is only written by the loop.
        self._lock = threading.Condition()
        self._read: deque[EncodedFrame] = deque()
        self._over = False
        self._quit = False
        self._loop_waits = True
        self._begun = False
        self._newest = 0.0  # the source's time of the frame that was read last
        self._played: float | None = None  # and of the one that was played last
        self._reader_waits = False
        self._thread = threading.Thread(target=self._run, name="pexrtc-player-read", daemon=True)

    def start(self) -> None:
        """Begin to read, and to tell the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def take(self, most: int) -> Taken:
        """Take up to so many frames; when there are none at all, the next is told."""
        with self._lock:
            frames = [self._read.popleft() for _ in range(min(len(self._read), most))]
            self._loop_waits = empty = not (frames or self._read)
            return Taken(frames, empty, self._over)

    def take_more(self, most: int) -> list[EncodedFrame]:
        """Take up to so many frames beside those that wait to be played, so that nobody waits for news."""
        if not self._read:
            return []
        with self._lock:
            return [self._read.popleft() for _ in range(min(len(self._read), most))]

    def first_picture(self) -> EncodedFrame | None:
        """Return the first key frame of what has been read and not taken."""
        with self._lock:
            return next((frame for frame in self._read if frame.kind is Kind.VIDEO and frame.key), None)

    def note_played(self, at: float) -> None:
        """Note that the frame of this time in the source is done with, so that there is room for others."""
        self._played = at
        if self._reader_waits and self._newest - at <= self._ahead_s / 2:
            with self._lock:
                self._lock.notify()

    def stop(self) -> None:
        """Read nothing more, and forget what was read. Idempotent."""
        with self._lock:
            self._quit = True
            self._read.clear()
            self._lock.notify()

    async def aclose(self) -> None:
        """Stop, wait for the thread, which closes the source. Idempotent. Not safe to cancel."""
        self.stop()
        if isinstance(self._source, Interruptible):
            self._source.interrupt()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    # The thread.

    def _run(self) -> None:
        try:
            self._read_all()
        except PexrtcError as exc:
            self.failure = exc
        except Exception as exc:
            # A defect of a source must not leave the player waiting for ever.
            logger.exception("! a source failed unexpectedly")
            self.failure = SourceError(f"a source failed unexpectedly: {exc!r}")
        finally:
            self._source.close()
            with self._lock:
                self._over = True
            self._tell_loop()

    def _read_all(self) -> None:
        while not self._quit:
            frame = self._source.pull()
            if frame is None:
                return
            with self._lock:
                self._read.append(frame)
                self._newest = frame.time
                if self._played is None:
                    self._played = frame.time
                tell = self._loop_waits and (self._begun or self._ahead() >= self._head_start_s)
                if tell:
                    self._loop_waits, self._begun = False, True
            if tell:
                self._tell_loop()
            if self._ahead() >= self._ahead_s:
                with self._lock:
                    self._reader_waits = True
                    self._lock.wait_for(lambda: self._quit or self._ahead() <= self._ahead_s / 2)
                    self._reader_waits = False

    def _ahead(self) -> float:
        """Seconds that have been read and not played."""
        played = self._played
        return self._newest - played if played is not None else 0.0

    def _tell_loop(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._on_news)
        except RuntimeError:
            logger.debug("x the event loop is gone")
