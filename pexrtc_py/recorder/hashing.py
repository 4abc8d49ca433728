"""Hashes of a recording's files, made as each is complete: one of weeks must not be read whole at its end.

One file is read at a time. A file that is another by the end, such as one that slides were put into, is read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ..tasks import first_of, task_owner
from .manifest import FileSum, sum_of

__all__ = ["Hashing"]


class Hashing:
    """Makes hashes while its block lasts. Driven by `add`; `finish` waits for those that are wanted."""

    def __init__(self) -> None:
        self._sums: dict[Path, tuple[tuple[int, int] | None, FileSum]] = {}
        """With size and time of change of the file that was read."""
        self._waiting: deque[Path] = deque()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_over = False
        self._owner = task_owner()

    async def __aenter__(self) -> Self:
        """Begin."""
        tasks = await self._owner.__aenter__()
        tasks.start(self._hash_all(), name="pexrtc hashes")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; a disk that hangs is not waited for."""
        self._is_over = True
        await self._owner.__aexit__(kind, error, trace)

    def add(self, path: Path) -> None:
        """Take a file that is complete."""
        self._waiting.append(path)
        self._idle.clear()
        self._changed.set()

    async def finish(
        self, paths: Iterable[Path], *, late: Callable[[], Awaitable[object]]
    ) -> Mapping[Path, FileSum | None]:
        """Return the hashes of files that change no more; None for one that cannot be read, or not before `late` ends.

        Cancelling is safe.
        """
        wanted = tuple(paths)
        for path in wanted:
            if path not in self._waiting and self._known(path) is None:
                self.add(path)

        async def until_late() -> None:
            await late()

        await first_of(done=self._idle.wait(), late=until_late())
        return {path: self._known(path) for path in wanted}

    def _known(self, path: Path) -> FileSum | None:
        was, found = self._sums.get(path, (None, None))
        return found if _identity(path) in (None, was) else None  # one that is gone by now was what was read

    async def _hash_all(self) -> None:
        while True:
            while self._waiting:
                path = self._waiting[0]
                was = _identity(path)
                with suppress(OSError):  # gone, or not to be read: told at the end
                    found = await asyncio.to_thread(sum_of, path, is_over=lambda: self._is_over)
                    self._sums[path] = (was, found)
                self._waiting.popleft()
            self._idle.set()
            self._changed.clear()
            await self._changed.wait()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
