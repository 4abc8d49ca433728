"""A recording: the streams of a conference in files, on one clock, from the first frame to the reason it ended.

Nothing is decoded. Streams may come late, stop, change codec or size, and come again from another receiver after a
rejoin: time goes on. `alignment` says when it begins, `timeline` what the clock shows, `file_series` where frames go,
`watching` and `stopping` when it ends; here they are wired to receivers, to a clock and to the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import structs

from ..errors import LocalProtocolError, PexrtcError, UsageError, WriteError
from ..media.frames import Codec, EncodedFrame, Gap
from ..media.writers.containers import container_for
from ..media.writers.muxer import Chapter
from ..media.writers.tracks import TrackSpec
from ..tasks import task_owner
from .alignment import Alignment, Start
from .chapters import chapters_between
from .declaring import reserved_spec, spec_from
from .file_series import FileSeries
from .naming import role_path
from .recording_config import RecordingConfig
from .results import Hole, RecordingResult, sum_up
from .roles import Role
from .stopping import Ended, stop_reason
from .tap_source import RoleTap, TapSource
from .timeline import Timeline
from .watching import Watch

__all__ = ["Recording"]

logger = logging.getLogger(__name__)

_CHECK_S = 0.2
_HOLE_S = 1.0
"""Time without any frame that is told as a hole; shorter ones are gaps of a stream."""


class Recording:
    """Records what is attached to it. Driven by frames, by its user, and by a check five times a second.

    `async with Recording(config) as recording:` makes the file and thereby finds out whether it can be made; leaving it
    completes all files. A failure of the disk ends the recording (`ended`) and is raised on leaving.

    Attributes:
        watch: to be told who is there and who speaks, for the stop rules.
        on_file_closed: told each file that is complete, a fraction of a second after, the last ones on leaving.
        file_listeners: others who are told so.
    """

    def __init__(
        self,
        config: RecordingConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare. `clock` must be that of `EncodedFrame.time`."""
        self.config = config
        self.on_file_closed: Callable[[Path], None] | None = None
        self.file_listeners: list[Callable[[Path], None]] = []
        self.timeline = Timeline()
        self.watch = Watch(clock)
        self._clock = clock
        self._wall_clock = wall_clock
        self.container = container = config.container or container_for(config.path)
        self._main = FileSeries(
            config.path,
            container,
            segments=config.segments,
            config=config.writer,
            request_key_frame=self._request_key_frame,
            chapters=self._chapters_between,
        )
        self._slides = FileSeries(
            role_path(config.path, Role.SLIDES),
            container,
            config=config.writer,
            request_key_frame=self._request_key_frame,
            chapters=self._chapters_between,
        )
        self._alignment: Alignment | None = Alignment(config.start_budget_s)
        self._sources: dict[Role, tuple[TapSource, RoleTap]] = {}
        self._codecs: dict[Role, Codec] = {}
        self._chapters: list[tuple[float, str]] = []
        self._holes: list[Hole] = []
        self._overflowed = 0
        self._last_time: float | None = None
        self._began_at: float | None = None
        self._reason: Ended | None = None
        self._has_ended = asyncio.Event()
        self._error: PexrtcError | None = None
        self._result: RecordingResult | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Make the file.

        Raises:
            UsageError: it exists already or cannot be made.
        """
        slides = role_path(self.config.path, Role.SLIDES)
        if not self.config.slides_in_same_file and slides.exists():
            raise UsageError(f"{slides} exists already, and a recording never overwrites")
        self._main.reserve()
        tasks = await self._stack.enter_async_context(task_owner())
        tasks.start(self._check_now_and_then(), name="pexrtc recording")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        try:
            await self._aclose()
        finally:
            await self._stack.aclose()
        if self._error is not None and error is None:
            raise self._error

    # what is recorded

    def attach(self, role: Role, source: TapSource, *, codec: Codec | None = None) -> None:
        """Record `role` from `source` from now on, instead of from the one before (after a rejoin).

        Pictures are left out when the container takes none: a recording to WAV or Ogg is one of sound.

        Args:
            role: what the stream is.
            source: a receiver.
            codec: what was negotiated, if known: a track is then kept free for a stream that comes late.
        """
        self.detach(role)
        if not self.container.takes(role.kind):
            return
        tap = RoleTap(role, self._push)
        self._sources[role] = (source, tap)
        if codec is not None:
            self._codecs[role] = codec
        source.add_tap(tap)

    def note_loss(self, *roles: Role) -> None:
        """Say that what was sent since the last frame did not come: the call was gone, or is taken for lost."""
        for role in roles:
            for series in (self._main, self._slides):
                series.note_loss(role)

    def detach(self, role: Role) -> None:
        """Record `role` no more from the source it has; the file stays open."""
        if before := self._sources.pop(role, None):
            source, tap = before
            source.remove_tap(tap)

    # what its user does

    @property
    def has_started(self) -> bool:
        """Whether the first frame is written, and the clock runs."""
        return self.timeline.origin is not None

    @property
    def is_paused(self) -> bool:
        """Whether frames are left out at the moment."""
        return self.timeline.is_paused

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, all files together."""
        return self._main.size_bytes + self._slides.size_bytes

    @property
    def ended(self) -> Ended | None:
        """Why it has ended, None while it runs."""
        return self._reason

    @property
    def has_result(self) -> bool:
        """Whether all files were seen closed; not so after leaving that was cancelled, they are closed all the same."""
        return self._result is not None

    @property
    def result(self) -> RecordingResult:
        """What was recorded; there is one after leaving the context, see `has_result`."""
        if self._result is None:
            raise LocalProtocolError("a recording has its result after it is closed")
        return self._result

    def position(self, at: float | None = None) -> float:
        """Seconds of the recording at a moment of the call's clock; now, if none is given."""
        return self.timeline.position(self._clock() if at is None else at)

    def pause(self) -> None:
        """Leave out what comes from now on; the file's clock stands still. Idempotent."""
        self.timeline.pause(self._clock())
        logger.info("= %s paused at %.1f s", self.config.path, self.position())

    def resume(self) -> None:
        """Go on in the same file, with a key frame. Idempotent."""
        if not self.timeline.is_paused:
            return
        now = self._clock()
        self.timeline.resume(now)
        if self._last_time is not None:  # what is missing from here on is missing
            self._last_time = now
        self._main.interrupt()
        self._slides.interrupt()
        logger.info("= %s resumed at %.1f s", self.config.path, self.position())

    def add_chapter(self, title: str, *, at: float | None = None) -> None:
        """Begin a chapter at a moment of the call's clock, now if none is given. It lasts until the next one."""
        insort(self._chapters, (self._clock() if at is None else at, title), key=itemgetter(0))

    def note_overflow(self, datagrams: int) -> None:
        """Say that a call is over, and how many datagrams found no room in its sockets."""
        self._overflowed += datagrams

    def stop(self, reason: Ended = Ended.STOPPED) -> None:
        """End the recording. The first reason counts."""
        if self._reason is None:
            self._reason = reason
            self._has_ended.set()

    async def wait_ended(self) -> Ended:
        """Wait until it is to end: by `stop`, by a rule, or because the disk failed. Safe to cancel."""
        await self._has_ended.wait()
        return self._reason or Ended.STOPPED

    # frames

    def _push(self, role: Role, item: EncodedFrame | Gap) -> None:
        if self._reason is not None:
            return
        if isinstance(item, EncodedFrame):
            self.watch.note_media(role)
        if not self.timeline.keeps(item.time):
            return
        if self._alignment is not None:
            if not self._alignment.add(role, item, self._clock()):
                self._request_key_frame(role)
            self._try_to_start(self._alignment)
            return
        self._write(role, item)

    def _try_to_start(self, alignment: Alignment, expected: Iterable[Role] | None = None) -> None:
        if expected is None:
            expected = {role for role in self._sources if role is not Role.SLIDES}
        start = alignment.start(expected, self._clock())
        if start is None:
            return
        self._alignment = None
        self.timeline.start(start.origin - self.timeline.cut_before(start.origin))
        self._began_at = self._wall_clock() - (self._clock() - start.origin)
        try:
            self._main.begin(self._shifted(start.origin), self._specs(start))
        except UsageError as exc:
            self._fail(exc)
            return
        logger.info("= %s started with %s", self.config.path, ", ".join(start.first))
        for role, item in start.held:
            self._write(role, item)

    def _specs(self, start: Start) -> Mapping[Role, TrackSpec]:
        """Declare the main file's tracks: those that are there, and those that are known to come."""
        specs: dict[Role, TrackSpec] = {}
        for role in Role:
            if role is Role.SLIDES and not self.config.slides_in_same_file:
                continue
            spec = None
            if role in start.first:
                spec = spec_from(start.first[role], role)
            elif role in self._codecs:
                spec = reserved_spec(self._codecs[role], role)
            if spec is not None:
                specs[role] = spec
        return specs

    def _write(self, role: Role, item: EncodedFrame | Gap) -> None:
        self._note_hole(item.time)
        if cut := self.timeline.cut_before(item.time):
            item = structs.replace(item, time=item.time - cut)
        if role is not Role.SLIDES or self.config.slides_in_same_file:
            self._main.push(role, item)
            return
        if not self._slides.is_begun:
            spec = None if isinstance(item, Gap) else spec_from(item, role)
            if spec is None:
                self._request_key_frame(role)
                return
            origin = self.timeline.origin or 0.0
            try:
                self._slides.begin(origin, {role: spec})
            except UsageError as exc:
                self._fail(exc)
                return
        self._slides.push(role, item)

    def _note_hole(self, at: float) -> None:
        if self._last_time is not None and at - self._last_time >= _HOLE_S:
            self._holes.append(Hole(start_s=self.position(self._last_time), end_s=self.position(at)))
        self._last_time = at if self._last_time is None else max(at, self._last_time)

    def _shifted(self, at: float) -> float:
        return at - self.timeline.cut_before(at)

    def _request_key_frame(self, role: Role) -> None:
        if source := self._sources.get(role):
            source[0].request_key_frame()

    # the end

    async def _check_now_and_then(self) -> None:
        while self._reason is None:
            self._check()
            await asyncio.sleep(_CHECK_S)

    def _check(self) -> None:
        now = self._clock()
        if self._alignment is not None:
            self._try_to_start(self._alignment)
        for series in (self._main, self._slides):
            series.check(self._shifted(now))
            if series.error is not None:
                self._fail(series.error)
        self._tell_closed()
        seen = replace(
            self.watch.observed(now, self._wall_clock()),
            recorded_s=self.position(now),
            size_bytes=self.size_bytes,
            is_paused=self.is_paused,
        )
        if reason := stop_reason(self.config.stop, seen):
            self.stop(reason)

    def _tell_closed(self) -> None:
        for series in (self._main, self._slides):
            for path in series.take_closed():
                if self.on_file_closed is not None:
                    self.on_file_closed(path)
                for listener in self.file_listeners:
                    listener(path)

    def _fail(self, error: PexrtcError) -> None:
        self._error = self._error or error
        self.stop(Ended.DISK if isinstance(error, WriteError) else Ended.FAILED)

    def _chapters_between(self, start_s: float, end_s: float) -> list[Chapter]:
        return chapters_between(self._chapters, self.position, start_s, end_s, until_s=self.position())

    async def _aclose(self) -> None:
        if self._alignment is not None:  # what it holds came, and nothing more will
            self._try_to_start(self._alignment, expected=())
        for role in tuple(self._sources):
            self.detach(role)
        for series in (self._main, self._slides):  # before any wait, which may be cancelled
            series.close_soon()
        main = await self._main.aclose()
        slides = await self._slides.aclose()
        self._tell_closed()
        for series in (self._main, self._slides):
            if series.error is not None:
                self._fail(series.error)
        self._result = await asyncio.to_thread(
            sum_up,
            main,
            slides,
            began_at=self._began_at,
            ended=self._reason or Ended.STOPPED,
            holes=self._holes,
            datagrams_overflowed=self._overflowed,
            error=self._error,
        )
