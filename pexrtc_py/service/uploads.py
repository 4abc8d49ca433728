"""Uploads recorded files as they are complete, for as long as it takes, and removes only what has arrived.

What is to be uploaded stands in notes beside the files (`kept_files`), so that after a kill it goes on where it was:
with the file that had not arrived. A file is removed only when that is asked for, when what arrived was confirmed by
its size or by reading it back and comparing SHA-256, and when it is still the file that was uploaded.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final, Literal, Self

import msgspec

from ..errors import SourceError, TransportError, WriteError
from ..protocol.backoff import Backoff
from ..tasks import task_owner
from .kept_files import KeptFile, expired, note_of, read_notes, write_note
from .object_store import ObjectStore, open_store

__all__ = ["UploadConfig", "Uploads", "forget_gone", "remove_expired"]

logger = logging.getLogger(__name__)

_LONGEST_DELAY_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadConfig:
    """Where to, and what becomes of the local files."""

    to: str
    """`s3://bucket/folder`, or a directory."""
    delete: Literal["size", "hash"] | None = None
    """Remove a local file once its arrival is confirmed so; None: never."""
    close_s: float = 30.0
    """How long uploads may go on after the end; the rest is uploaded next time."""
    first_delay_s: float = 1.0
    """Before the second try; it doubles, up to five minutes, and never ends."""


class Uploads:
    """Uploads one file after the other while its block lasts. Entering it opens the store.

    Attributes:
        uploaded: files that have arrived.
        failures: tries that failed.
        removed: local files that were removed.
    """

    def __init__(
        self,
        config: UploadConfig,
        *,
        wall_clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
        on_uploaded: Callable[[Path, KeptFile], None] | None = None,
        may_remove: Callable[[KeptFile], bool] = lambda _: True,
    ) -> None:
        """Prepare.

        Args:
            config: where to.
            wall_clock: seconds since the epoch.
            dice: for delays.
            on_uploaded: told each file that has arrived.
            may_remove: tells whether nobody needs a file any more, where files are to be removed; asked again by
                `sweep`.

        Raises:
            UsageError: the store cannot be used, or obstore is not installed.
        """
        self.config = config
        self._store: ObjectStore = open_store(config.to)
        self._wall_clock = wall_clock
        self._dice = dice
        self._on_uploaded = on_uploaded
        self._may_remove = may_remove
        self._to_remove: dict[Path, KeptFile] = {}
        self.uploaded = self.failures = self.removed = 0
        self._queue: deque[Path] = deque()
        self._notes: dict[Path, KeptFile] = {}
        """Of what waits, the latest: a name may be given again while the file that had it waits."""
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to upload."""
        tasks = await self._stack.enter_async_context(task_owner())
        tasks.start(self._upload_all(), name="pexrtc uploads")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go on for a little while; what is left is found by its note next time."""
        try:
            if error is None:
                async with asyncio.timeout(self.config.close_s):
                    await self.finished()
        except TimeoutError:
            logger.warning("! %d files are not uploaded yet; the next start goes on", len(self._queue))
        finally:
            await self._stack.aclose()

    @property
    def waiting(self) -> int:
        """How many files have not arrived."""
        return len(self._queue)

    def add(self, path: Path, kept: KeptFile) -> None:
        """Upload a file that is complete and noted; one that has arrived already, or waits, is passed over.

        What has the name of one that has arrived, and is another file, has not arrived.
        """
        if kept.to == self.config.to and kept.confirmed is not None and path not in self._notes:
            try:
                found = path.stat()
            except OSError:
                return  # it arrived, and was removed
            if kept.is_of(found):
                self._remove_soon(path, kept)
                return
        self._to_remove.pop(path, None)
        if path not in self._notes:
            self._queue.append(path)
        self._notes[path] = kept
        self._idle.clear()
        self._changed.set()

    async def resume(self, folders: Iterable[Path]) -> int:
        """Add what the notes in `folders` say has not arrived; return how many files. Cancelling is safe."""
        before = len(self._queue)
        for folder in folders:
            for path, kept in await asyncio.to_thread(_notes_in, folder):
                self.add(path, kept)
        return len(self._queue) - before

    def sweep(self) -> None:
        """Remove what has arrived and may go, where that is asked for."""
        for path in [path for path, kept in self._to_remove.items() if self._may_remove(kept)]:
            kept = self._to_remove.pop(path)
            try:
                if _identity(path) == (kept.size, kept.modified_ns):
                    path.unlink()
                    self.removed += 1
            except (OSError, SourceError) as exc:
                logger.warning("! %s cannot be removed: %s", path, exc)

    def _remove_soon(self, path: Path, kept: KeptFile) -> None:
        if self.config.delete == kept.confirmed or (self.config.delete == "size" and kept.confirmed == "hash"):
            self._to_remove[path] = kept
            self.sweep()

    async def finished(self) -> None:
        """Wait until nothing waits. Cancelling is safe."""
        await self._idle.wait()

    async def _upload_all(self) -> None:
        backoff = Backoff(self._dice, first_s=self.config.first_delay_s, ceiling_s=_LONGEST_DELAY_S)
        while True:
            if not self._queue:
                self._idle.set()
                self._changed.clear()
                await self._changed.wait()
                continue
            path = self._queue[0]
            kept = self._notes[path]
            try:
                await self._upload(path, kept)
                backoff.reset()
            except SourceError as exc:
                self.failures += 1
                logger.error("! not uploaded: %s", exc)
            except (TransportError, WriteError) as exc:
                self.failures += 1
                delay = backoff.next_delay()
                logger.warning("! %s; again in %.0f s", exc, delay)
                self._queue.rotate(-1)  # another file may fare better
                await asyncio.sleep(delay)
                continue
            if self._notes[path] is kept:  # else another file of that name was added meanwhile
                self._queue.popleft()
                del self._notes[path]

    async def _upload(self, path: Path, kept: KeptFile) -> None:
        """Upload a file, confirm, note it, and remove it if that is asked for.

        Raises:
            SourceError: there is no such file any more.
            TransportError: it did not arrive.
            WriteError: it arrived, and that cannot be noted.
        """
        began = _identity(path)
        digest = await asyncio.to_thread(_hash_of, path)
        key = await self._free_key(kept.key, began[0], digest)
        if await self._store.size(key) is None:
            await self._store.put(key, path)
        if (arrived := await self._store.size(key)) != began[0]:
            raise TransportError(f"upload of {key} to {self._store.shown}: {arrived} of {began[0]} bytes arrived")
        confirmed = "size"
        if self.config.delete == "hash":
            if await self._store.sha256(key) != digest:
                raise TransportError(f"upload of {key} to {self._store.shown}: what arrived differs")
            confirmed = "hash"
        if _identity(path) != began:
            raise TransportError(f"{path} changed while it was uploaded")
        done = msgspec.structs.replace(
            kept,
            size=began[0],
            modified_ns=began[1],
            key=key,
            sha256=digest,
            to=self.config.to,
            uploaded_at=self._wall_clock(),
            confirmed=confirmed,
        )
        await asyncio.to_thread(write_note, path, done)
        self.uploaded += 1
        logger.info("= %s is at %s", path, self._store.shown)
        self._remove_soon(path, done)
        if self._on_uploaded is not None:
            self._on_uploaded(path, done)

    async def _free_key(self, key: str, size: int, digest: str) -> str:
        """Return a key that nothing else has. The same file there is our own, from before a kill."""
        wanted = PurePosixPath(key)
        for number in range(1, 1000):
            one = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
            there = await self._store.size(str(one))
            if there is None or (there == size and await self._store.sha256(str(one)) == digest):
                return str(one)
        raise SourceError(f"{key}: there are a thousand of that name at {self._store.shown}")


def remove_expired(folder: Path, *, now: float, keep_s: float, uploads: bool) -> list[Path]:
    """Remove the recorded files that are older than they are to be kept; return them. Blocks.

    Args:
        folder: where to look, and below.
        now: seconds since the epoch.
        keep_s: how long a file is kept after it was complete.
        uploads: whether only what was uploaded may go.
    """
    removed: list[Path] = []
    for path, kept in read_notes(folder):
        if expired(path, kept, now=now, keep_s=keep_s, uploads=uploads):
            try:
                path.unlink()
            except OSError as exc:
                logger.warning("! %s cannot be removed: %s", path, exc.strerror)
                continue
            logger.info("= %s was kept for %.1f days, and is removed", path, (now - kept.closed_at) / 86400)
            removed.append(path)
    return removed


def forget_gone(folder: Path, *, now: float, keep_s: float) -> int:
    """Remove the notes of files that are gone, the younger ones left; return how many. Blocks.

    Segments of a minute leave half a million in a year, two gigabytes, all of which are read at each start.

    Args:
        folder: where to look, and below.
        now: seconds since the epoch.
        keep_s: how long a note tells what became of its file, after that was complete.
    """
    forgotten = 0
    for path, kept in read_notes(folder):
        if now - kept.closed_at >= keep_s and not os.path.lexists(path):
            try:
                note_of(path).unlink()
            except OSError as exc:
                logger.warning("! %s cannot be removed: %s", note_of(path), exc.strerror)
                continue
            forgotten += 1
    return forgotten


def _notes_in(folder: Path) -> list[tuple[Path, KeptFile]]:
    return [(path, kept) for path, kept in read_notes(folder) if path.exists()]


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as exc:
        raise SourceError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
    return found.st_size, found.st_mtime_ns


def _hash_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise SourceError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
