"""The files a recording's streams go to, one after the other.

Mostly there is one. Another begins where a segment ends, by time or size, or where the open file cannot take what
comes: a container's tracks are fixed when it begins, so a stream that comes late or changes its codec needs the next.
A file begins with a key frame, and no frame is lost or written twice at a joint: sound that comes after the joint and
belongs before it still goes to the file before, and so do pictures where sound could not wait any longer for their key
frame. What is closed is only a result from then on: a recording may have
thousands of files, and is looked at five times a second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError, WriteError
from ..media.frames import Codec, EncodedFrame, Gap, Kind
from ..media.writers.container import Container, ContainerWriter, WriterConfig
from ..media.writers.muxer import Chapter
from ..media.writers.target import Target, part_path
from ..media.writers.tracks import TrackSpec
from .closed_files import ClosedFiles, FileResult
from .declaring import spec_from
from .naming import segment_path
from .roles import Role

__all__ = ["FileSeries", "SegmentRules"]

logger = logging.getLogger(__name__)

_GRACE_S = 1.0
"""How long after a joint the file before it stays open for sound that is still on its way."""
_KEY_EVERY_S = 30.0
"""A node that encodes for us alone sends a key frame only when asked, and without one nobody finds a minute of an hour;
Janus asks its senders likewise (`fir_freq`)."""
_PATIENCE_S = 5.0
"""How long frames wait for a key frame to begin the file that can take them: a kill would lose them."""
_ASK_EVERY_S = 1.0
"""How often a key frame is asked for while a file waits for it: what asks for one may be lost as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRules:
    """When to begin another file; None for limits that do not count. It ends at the next key frame after."""

    duration_s: float | None = None
    """Seconds in one file."""
    size_bytes: int | None = None
    """Bytes in one file."""

    def asks_cut(self, duration_s: float, size_bytes: int) -> bool:
        """Tell whether a file that has come this far is to end."""
        return (self.duration_s is not None and duration_s >= self.duration_s) or (
            self.size_bytes is not None and size_bytes >= self.size_bytes
        )


@dataclass(slots=True, kw_only=True, eq=False)
class _OpenFile:
    writer: ContainerWriter
    roles: dict[Role, int]
    origin: float
    changes_size: bool

    def takes(self, role: Role, item: EncodedFrame | Gap) -> bool:
        index = self.roles.get(role)
        if index is None:
            return False
        spec = self.writer.tracks[index].spec
        if spec.codec is not item.codec:
            return False
        if self.changes_size or isinstance(item, Gap) or not item.width:
            return True
        return (item.width, item.height) == (spec.width, spec.height)

    def push(self, role: Role, item: EncodedFrame | Gap) -> None:
        self.writer.tracks[self.roles[role]].push(item)


class FileSeries:
    """Writes streams to one file after the other. Driven by `push` and, about four times a second, by `check`."""

    def __init__(
        self,
        path: Path,
        container: Container,
        *,
        segments: SegmentRules | None = None,
        config: WriterConfig | None = None,
        request_key_frame: Callable[[Role], None],
        chapters: Callable[[float, float], Sequence[Chapter]],
    ) -> None:
        """Prepare; `reserve` or `begin` makes the first file.

        Args:
            path: what the first file is called, unless numbers are asked for from the start.
            container: kind of file.
            segments: when to go on in another file.
            config: how to write.
            request_key_frame: asks the sender of a role for one.
            chapters: tells those of the recording that lie between two of its seconds; asked when a file ends.
        """
        self._path = path
        self._container = container
        self._segments = segments or SegmentRules()
        self._config = config
        self._request_key_frame = request_key_frame
        self._chapters = chapters
        self._numbered = self._segments != SegmentRules()
        self._target: Target | None = None
        self._first_origin = 0.0
        self._open: _OpenFile | None = None
        self._before: _OpenFile | None = None
        self._files: list[_OpenFile] = []
        """Those that are not known to be closed, in order."""
        self._results = ClosedFiles()
        """Of those before them."""
        self._closed: list[Path] = []
        """Complete, and nobody was told yet."""
        self._closed_bytes = 0
        self._number = 0
        self._specs: dict[Role, TrackSpec] = {}
        self._last: dict[Role, float] = {}
        self._last_key: dict[Role, float] = {}
        """When the last key frame came, or was asked for."""
        self._waiting: list[tuple[Role, EncodedFrame]] = []
        self._lagging: set[Role] = set()
        """Pictures that stay in the file before until they have a key frame."""
        self._cut_wanted = False
        self._asked_at = float("-inf")
        self.error: WriteError | None = None

    @property
    def is_begun(self) -> bool:
        """Whether there is a file that takes frames."""
        return self._open is not None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files so far."""
        return self._closed_bytes + sum(file.writer.bytes_written for file in self._files)

    def take_closed(self) -> tuple[Path, ...]:
        """Return the files that are complete since this was asked last."""
        while self._files and self._files[0].writer.is_closed:
            self._settle(self._files.pop(0))
        closed, self._closed = self._closed, []
        return tuple(closed)

    def reserve(self) -> None:
        """Make the first file before anything is known of its tracks, so that its name is ours.

        Raises:
            UsageError: it exists or cannot be made, or its disk has less left than it must have.
        """
        self._number = 1
        target = Target(self._path_of(1))
        needed = self._config.min_free_bytes if self._config is not None else 0
        if (free := target.free_bytes) < needed:
            target.discard()
            raise UsageError(
                f"{target.path}: its disk has {free / 1e6:.0f} MB left, and {needed / 1e6:.0f} MB are to stay free"
            )
        self._target = target

    def begin(self, origin: float, specs: Mapping[Role, TrackSpec], *, recording_origin: float | None = None) -> None:
        """Begin the first file with these tracks; its 0 is `origin`.

        Raises:
            UsageError: the file cannot be made, or the container takes one of the codecs not.
        """
        self._first_origin = origin if recording_origin is None else recording_origin
        self._specs = dict(specs)
        self._begin_file(origin)

    def push(self, role: Role, item: EncodedFrame | Gap) -> None:
        """Write a frame to the file it belongs to."""
        current = self._open
        if current is None or self.error is not None:
            return
        if isinstance(item, Gap):
            file = self._before if self._before is not None and role in self._lagging else current
            if file.takes(role, item):
                file.push(role, item)
            return
        self._last[role] = item.time
        if item.key:
            self._last_key[role] = item.time
            if item.time >= current.origin:
                self._lagging.discard(role)
        before = self._before
        is_before = item.time < current.origin or role in self._lagging
        if before is not None and is_before and before.takes(role, item):
            before.push(role, item)
            return
        fits = current.takes(role, item)
        spec = self._spec_from(role, item) if self._cut_wanted or not fits else None
        if spec is not None and self._may_begin_with(role, item):
            self._cut([*self._waiting, (role, item)])
        elif fits:
            current.push(role, item)
        else:
            self._wait_for_cut(role, item, can_begin=spec is not None)

    def interrupt(self) -> None:
        """Learn that what comes next does not follow on what came, after a pause for example."""
        self._lagging.clear()
        if self._open is not None:
            for role, index in self._open.roles.items():
                self._open.writer.tracks[index].interrupt()
                if role.kind is Kind.VIDEO:
                    self._request_key_frame(role)

    def note_loss(self, role: Role) -> None:
        """Learn that what was sent since the last frame of a role did not come."""
        for file in (self._open, self._before):
            if file is not None and role in file.roles:
                file.writer.tracks[file.roles[role]].note_loss()

    def check(self, now: float) -> None:
        """Close what has ended, begin what is due, notice what failed. `now` is on the frames' clock."""
        current = self._open
        if current is None:
            return
        self._lagging = {role for role in self._lagging if self._last[role] > now - _PATIENCE_S}
        if self._before is not None and now >= current.origin + _GRACE_S and not self._lagging:
            self._close(self._before, current.origin)
            self._before = None
        if current.writer.is_closed and self.error is None:
            self.error = current.writer.close_soon().result().error
        for role, at in self._last.items():
            if role.kind is Kind.VIDEO and at - self._last_key.setdefault(role, at) >= _KEY_EVERY_S:
                self._last_key[role] = at
                self._request_key_frame(role)
        elapsed = max(self._last.values(), default=current.origin) - current.origin
        if not self._cut_wanted and self._segments.asks_cut(elapsed, current.writer.bytes_written):
            self._cut_wanted = True
        if (self._cut_wanted or self._lagging) and now >= self._asked_at + _ASK_EVERY_S:
            self._ask(now, current.roles if self._cut_wanted else self._lagging)

    def close_soon(self) -> None:
        """Begin to close all files; one into which nothing could ever be written is removed. Idempotent."""
        if self._target is not None:
            self._target.discard()
            self._target = None
        if self._waiting and self.error is None:
            self._cut(self._waiting)
        for number, file in enumerate(self._files):
            following = self._files[number + 1 : number + 2]
            self._close(file, following[0].origin if following else float("inf"))

    async def aclose(self) -> Iterable[FileResult]:
        """Close all files and wait for it. Safe to cancel, idempotent: they are closed in any case."""
        self.close_soon()
        while self._files:
            file = self._files[0]
            await file.writer.aclose()
            if self._files[:1] == [file]:
                self._settle(self._files.pop(0))
        self.error = self.error or self._results.error
        return self._results

    def _settle(self, file: _OpenFile) -> None:
        """Keep of a closed file what is told of it in the end."""
        written = file.writer.close_soon().result()
        tracks = {role: written.tracks[index] for role, index in file.roles.items() if index < len(written.tracks)}
        self._results.append(FileResult(start_s=file.origin - self._first_origin, written=written, tracks=tracks))
        self._closed_bytes += written.bytes
        if not written.path.stem.endswith(".part"):  # else it is none, and its error is told elsewhere
            self._closed.append(written.path)

    def _close(self, file: _OpenFile, end: float) -> None:
        """Begin to close a file, with the chapters that lie in it."""
        if file.writer.is_closing:
            return
        start_s, end_s = file.origin - self._first_origin, end - self._first_origin
        file.writer.set_chapters(
            [
                replace(chapter, start_s=max(0.0, chapter.start_s - start_s), end_s=min(chapter.end_s, end_s) - start_s)
                for chapter in self._chapters(start_s, end_s)
            ]
        )
        file.writer.close_soon()

    def _path_of(self, number: int) -> Path:
        return segment_path(self._path, number) if self._numbered or number > 1 else self._path

    def _next_target(self) -> Target:
        """Make another file, under the next number that nobody has taken: a recording that runs must go on.

        Raises:
            UsageError: it cannot be made.
        """
        while True:
            self._number += 1
            path = self._path_of(self._number)
            try:
                return Target(path)
            except UsageError:
                if not any(os.path.lexists(taken) for taken in (path, part_path(path))):
                    raise
                logger.warning("! %s is taken, the recording goes on in another", path)

    def _begin_file(self, origin: float) -> None:
        target, self._target = self._target or self._next_target(), None
        roles = {role: index for index, role in enumerate(self._specs)}
        try:
            writer = ContainerWriter(
                self._container,
                target,
                tuple(self._specs.values()),
                origin=origin,
                config=self._config,
            )
        except UsageError:
            target.discard()
            raise
        for role, index in roles.items():
            if role.kind is Kind.VIDEO:
                writer.tracks[index].on_key_frame_needed = lambda role=role: self._request_key_frame(role)
        self._open = _OpenFile(writer=writer, roles=roles, origin=origin, changes_size=self._container.changes_size)
        self._files.append(self._open)

    def _may_begin_with(self, role: Role, frame: EncodedFrame) -> bool:
        """Whether another file may begin here: with a key frame of the picture that runs, else with any sound."""
        running = [r for r in (Role.VIDEO, Role.SLIDES) if self._last.get(r, float("-inf")) > frame.time - 1.0]
        return frame.key and role is (running[0] if running else Role.AUDIO)

    def _spec_from(self, role: Role, frame: EncodedFrame) -> TrackSpec | None:
        """Describe the track of a file that begins with a frame; None if it cannot.

        A sender may give its parameter sets once: they hold until it gives others.
        """
        before = self._specs.get(role)
        if frame.key and before is not None and before.codec is frame.codec is Codec.H264:
            size = (frame.width or before.width, frame.height or before.height)
            return spec_from(frame, role) or (before if size == (before.width, before.height) else None)
        return spec_from(frame, role)

    def _wait_for_cut(self, role: Role, frame: EncodedFrame, *, can_begin: bool) -> None:
        if frame.key and not can_begin:
            self._request_key_frame(role)
            return
        if not self._cut_wanted:
            self._cut_wanted = True
            self._ask(frame.time, {role, *self._specs})
        if frame.key or any(waiting is role for waiting, _ in self._waiting):
            self._waiting.append((role, frame))
            if frame.time - self._waiting[0][1].time >= _PATIENCE_S:
                self._cut(self._waiting)

    def _ask(self, now: float, roles: Iterable[Role]) -> None:
        self._asked_at = now
        for role in roles:
            if role.kind is Kind.VIDEO:
                self._request_key_frame(role)

    def _cut(self, first: Sequence[tuple[Role, EncodedFrame]]) -> None:
        """Go on in another file, with these frames."""
        first, self._waiting = list(first), []
        origin = min(frame.time for _, frame in first)
        try:
            for role, frame in first:
                if spec := self._spec_from(role, frame):
                    self._specs[role] = spec
            if self._before is not None and self._open is not None:
                self._close(self._before, self._open.origin)
            self._before = self._open
            self._begin_file(origin)
        except UsageError as exc:
            self.error = WriteError(f"the next file of {self._path.name} cannot begin: {exc}")
            self.error.__cause__ = exc
            return
        logger.info("= %s: goes on in the next file", self._path)
        self._cut_wanted = False
        begun = {role for role, _ in first}
        running = {role for role in self._specs if self._last.get(role, float("-inf")) > origin - _PATIENCE_S}
        self._lagging = {role for role in running - begun if role.kind is Kind.VIDEO}
        for role, frame in first:
            self.push(role, frame)
