"""Lines that are written as they come, by the thread that writes recordings: a disk that hangs must not hold calls up.

What is on its way when a kill comes is lost, a sixth of a second of it; a line is whole or the last one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from ..media.writers.shared_thread import add_job, wake

__all__ = ["EventLog"]

logger = logging.getLogger(__name__)

_MOST_BYTES = 16 << 20
"""That wait for the disk; beyond them lines are dropped, and counted. The recording is worth more than its log."""


class EventLog:
    """A file of lines, new and 0600. Driven by `write` in the event loop and by the shared thread; `aclose` ends it.

    Attributes:
        dropped: lines that were left out because the disk did not keep up.
    """

    def __init__(self, path: Path) -> None:
        """Make the file.

        Raises:
            OSError: it exists, or cannot be made.
        """
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: deque[bytes] = deque()
        self._put_bytes = self._taken_bytes = 0  # each has one writing thread
        self._closing = threading.Event()
        self._closed: Future[None] = Future()
        self._has_failed = False
        self.dropped = 0
        add_job(self)

    def write(self, line: bytes) -> None:
        """Append a line, soon; it ends with its line feed."""
        if self._has_failed or self._closing.is_set():
            return
        if self._put_bytes - self._taken_bytes + len(line) > _MOST_BYTES:
            if not self.dropped:
                logger.warning("! %s: the disk does not keep up, events are left out", self._path)
            self.dropped += 1
            return
        self._put_bytes += len(line)
        self._lines.append(line)

    async def aclose(self) -> None:
        """Write what waits and close the file. Idempotent; safe to cancel, it is closed in any case."""
        self.close_soon()
        await asyncio.shield(asyncio.wrap_future(self._closed))

    def close_soon(self) -> None:
        """Begin to do so, and do not wait. Idempotent."""
        self._closing.set()
        wake()

    def run(self) -> bool:
        """Write what has come; called by the shared thread."""
        closing = self._closing.is_set()  # before the lines are looked at: what was written before is there
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            self._append(b"".join(lines))
        except OSError as exc:
            # It goes on, and fails by itself if the disk is full.
            self._has_failed = True
            logger.warning("! %s: %s", self._path, (exc.strerror or str(exc)).lower())
        self._taken_bytes += sum(len(line) for line in lines)
        if not closing:
            return True
        try:
            os.close(self._fd)
        except OSError as exc:
            logger.warning("! %s: %s", self._path, (exc.strerror or str(exc)).lower())
        self._closed.set_result(None)
        return False

    def _append(self, content: bytes) -> None:
        while content and not self._has_failed:
            content = content[os.write(self._fd, content) :]
