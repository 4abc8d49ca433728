"""Encoded frames of a call into one file, without decoding any.

What all kinds of files share: tracks declared before the header and none after it (libavformat would abort the
process), one origin for all tracks, frames queued in the event loop and written by the process's writer thread, and a
file that is closed on every path. A kind of file is a `Container`: its codecs and its muxer.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import UsageError, WriteError
from ..frames import Codec, Kind
from .muxer import Chapter, Muxer
from .shared_thread import add_job, wake
from .target import Target
from .track_output import TrackHole, TrackOutput, TrackResult
from .tracks import TrackSpec
from .writer_track import Backlog, WriterTrack

__all__ = ["Chapter", "Container", "ContainerWriter", "TrackHole", "TrackResult", "WriteResult", "WriterConfig"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A kind of file: what it can carry, and who writes it."""

    name: str
    """As people call it."""
    suffix: str
    """Ending of a file's name, with the dot."""
    codecs: frozenset[Codec]
    """What goes in as it is."""
    muxer: Callable[[], Muxer]
    """Makes the muxer of one file."""
    changes_size: bool = True
    """Whether pictures may change their size in the middle of a file."""

    def takes(self, kind: Kind) -> bool:
        """Whether it has room for sound, or for pictures, at all."""
        return any(codec.kind is kind for codec in self.codecs)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterConfig:
    """How a file is written."""

    max_pending_bytes: int = 32 * 1024 * 1024
    """Memory for frames the disk has not taken yet; some three minutes of 720p. Beyond it pictures go, counted."""
    min_free_bytes: int = 0
    """End the file, complete, when its disk has less than this left; 0 to write until it is full."""
    fsync_interval_s: float | None = None
    """How often to have the disk hold everything, against a power cut; None leaves that to the system."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Tags of the whole file, `title` for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What became of a file."""

    path: Path
    """Where it is; `NAME.part.SUFFIX` when it could not be completed."""
    duration_s: float
    """From the origin to the end of the last frame."""
    bytes: int
    """Size of the file."""
    tracks: tuple[TrackResult, ...]
    """In the order they were declared."""
    error: WriteError | None
    """Why it ended before it was closed, None if it did not."""


class ContainerWriter:
    """Writes encoded frames to one new file; `tracks` are its Taps.

    Driven by pushes into the tracks (event loop) and by the shared writer thread. The file exists from the start; its
    header is written in the first round of the thread.

    Attributes:
        tracks: one Tap per track declared, in order. One may never be fed.
    """

    def __init__(
        self,
        container: Container,
        path: Path | Target,
        specs: Sequence[TrackSpec],
        *,
        origin: float,
        config: WriterConfig | None = None,
    ) -> None:
        """Create the file, or take one over.

        Args:
            container: what kind of file.
            path: its name when it is complete, see `target` for the meantime; or a file made earlier, which is the
                writer's from here on.
            specs: the tracks; none can be added later.
            origin: `EncodedFrame.time` that is 0 in the file, for all tracks.
            config: how to write.

        Raises:
            UsageError: the file exists or cannot be created, or the container cannot carry a codec.
        """
        name = path.name if isinstance(path, Path) else path.path.name
        for spec in specs:
            if spec.codec not in container.codecs:
                raise UsageError(f"{name}: {container.name} does not carry {spec.codec}")
        if not specs:
            raise UsageError(f"{name}: a file needs a track")
        self._container = container
        self._config = config or WriterConfig()
        self._origin = origin
        self._specs = tuple(specs)
        self._backlog = Backlog(self._config.max_pending_bytes)
        self.tracks: tuple[WriterTrack, ...] = tuple(
            WriterTrack(spec, index, self._backlog) for index, spec in enumerate(specs)
        )
        self._outputs: list[TrackOutput] = []
        self._muxer = container.muxer()
        self._chapters: tuple[Chapter, ...] = ()
        self._closing = threading.Event()
        self._result: Future[WriteResult] = Future()
        self._flushes: deque[Future[None]] = deque()
        self._checked_at = self._synced_at = time.monotonic()
        self._ended_early: WriteError | None = None
        self._target = Target(path) if isinstance(path, Path) else path
        add_job(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        result = await self.aclose()
        if result.error is not None and error is None:
            raise result.error

    @property
    def path(self) -> Path:
        """Where the file is now."""
        return self._target.part if not self._result.done() else self._result.result().path

    @property
    def is_closed(self) -> bool:
        """Whether the file is closed, well or because of an error."""
        return self._result.done()

    @property
    def is_closing(self) -> bool:
        """Whether somebody has asked for its end."""
        return self._closing.is_set()

    @property
    def bytes_written(self) -> int:
        """Bytes given to the disk."""
        return self._target.written

    @property
    def pending_bytes(self) -> int:
        """Bytes of frames the disk has not taken yet."""
        return self._backlog.pending_bytes

    def set_chapters(self, chapters: Sequence[Chapter]) -> None:
        """Give the file these chapters, instead of those given before. They are written when it is closed."""
        self._chapters = tuple(chapters)

    async def flush(self) -> None:
        """Wait until everything pushed so far is in the file, or the file is closed. Safe to cancel."""
        flushed: Future[None] = Future()
        self._flushes.append(flushed)
        wake()
        if not self._result.done():  # else nobody would come for it
            await asyncio.shield(asyncio.wrap_future(flushed))

    async def wait_closed(self) -> WriteResult:
        """Wait until the file is closed, by `aclose` or because of an error. Safe to cancel."""
        return await asyncio.shield(asyncio.wrap_future(self._result))

    async def aclose(self) -> WriteResult:
        """Write what was pushed and close the file. Idempotent.

        Safe to cancel: the file is closed in any case, only the wait for it ends.
        """
        self.close_soon()
        return await self.wait_closed()

    def close_soon(self) -> Future[WriteResult]:
        """Begin to close the file, from any thread; the future tells when it is done."""
        for track in self.tracks:
            track.end()
        self._closing.set()
        wake()
        return self._result

    def run(self) -> bool:
        """Write what has come; called by the shared thread."""
        # Both read before the queue: what was pushed before is written.
        closing, flushes = self._closing.is_set(), len(self._flushes)
        self._guarded(self._round)
        goes_on = not closing and self._target.error is None and self._ended_early is None
        if not goes_on:
            self._guarded(self._end)
            self._guarded(self._finish)
            if not self._result.done():  # a defect of ours; who waits for the end would wait for ever
                self._result.set_result(self._left())
            flushes = len(self._flushes)
        for _ in range(flushes):
            self._flushes.popleft().set_result(None)
        return goes_on

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take a step; what goes wrong ends this file and no other."""
        try:
            step()
        except WriteError as exc:
            self._target.fail(str(exc), exc)
        except Exception as exc:
            logger.exception("! %s", self._target.path)
            self._target.fail(f"failed: {exc}", exc)

    def _round(self) -> None:
        if not self._outputs:
            self._begin()
        self._check_disk()
        if self._target.error is None:
            self._write_pending()

    def _begin(self) -> None:
        """Write the header: from here on the tracks are fixed."""
        self._muxer.begin(self._target, self._specs, self._config.metadata)
        self._outputs = [
            TrackOutput(spec, self._origin, self._muxer.ticks_per_s(index)) for index, spec in enumerate(self._specs)
        ]

    def _write_pending(self) -> None:
        frames = self._backlog.frames
        for _ in range(len(frames)):
            track, frame, follows_loss = frames.popleft()
            place = self._outputs[track.index].place(frame, follows_loss=follows_loss)
            if place is not None:
                self._muxer.write(track.index, frame, *place)
            self._backlog.taken_bytes += len(frame.data)
            if self._target.error is not None:
                return
        self._muxer.flush()

    def _check_disk(self) -> None:
        now = time.monotonic()
        if self._target.is_deleted:
            self._ended_early = WriteError(
                f"{self._target.path}: deleted during the recording; what was written is kept"
            )
            return
        config = self._config
        if config.min_free_bytes and now >= self._checked_at + 1.0:
            self._checked_at = now
            if self._target.free_bytes < config.min_free_bytes:
                self._ended_early = WriteError(
                    f"{self._target.path}: less than {config.min_free_bytes} bytes free on its disk; "
                    "the file was ended, and is complete"
                )
        if config.fsync_interval_s is not None and now >= self._synced_at + config.fsync_interval_s:
            self._synced_at = now
            self._target.sync()

    def _end(self) -> None:
        for track in self.tracks:
            track.end()
        self._backlog.frames.clear()
        self._muxer.finish(self._chapters)

    def _finish(self) -> None:
        size = self._target.size
        path = self._target.close()
        end_s = max((output.end_s for output in self._outputs), default=0.0)
        tracks = zip(self._outputs, self.tracks, strict=False)
        self._result.set_result(
            WriteResult(
                path=path,
                duration_s=end_s,
                bytes=size,
                tracks=tuple(output.result(track, end_s=end_s) for output, track in tracks),
                error=self._target.error or self._ended_early,
            )
        )

    def _left(self) -> WriteResult:
        """Say what is left when not even the end went well."""
        return WriteResult(
            path=self._target.part, duration_s=0.0, bytes=self._target.written, tracks=(), error=self._target.error
        )
