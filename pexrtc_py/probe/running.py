"""Runs of the probe: two participants through a node, or one alone.

Whatever keeps a run from beginning is an error of the tree (refused, unreachable); once media flows, whatever ends it
early stands in the result.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

from ..errors import UsageError
from ..media.frames import Codec
from ..tasks import first_of, task_owner
from ..version import __version__
from .control import ControlProbe
from .emodel import CODEC_MODELS
from .ends import End, EndConfig, Listening, open_end
from .evidence import Evidence
from .result import Cause, Moment, ProbeResult, shown_node
from .series import OnSample, SeriesBook
from .thresholds import Outcome, Threshold, Verdict, judge

__all__ = ["MAX_DURATION_S", "RunConfig", "probe_pair", "probe_single"]

MAX_DURATION_S: Final = 24 * 3600.0
"""The hard cap on one run."""
_TAIL_S: Final = 0.5
"""How long is still listened after the sender stopped, for what is on its way."""
_SECOND_S: Final = 0.95
"""Statistics are read when so much has passed: timers are never quite on time."""
_ID_STEP: Final = 1 << 22
"""Between the first frame ids of two ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How long to measure, and when to fail."""

    duration_s: float = 30.0
    """Seconds of media, at most a day."""
    thresholds: tuple[Threshold, ...] = ()
    control: bool = False
    """Whether a pair measures how long control takes, too: it mutes itself, writes to each other, presents."""
    layout: bool = False
    """With `control`: whether to change the layout for a moment, which everybody in the conference sees. All that was
    transformed is taken back then, a Host's overlay text too: the API does not tell what that was."""
    media_timeout_s: float = 10.0
    """How long connected ends wait for the first picture and sound before the run counts all the same."""
    wants_media: bool = True
    """Whether a run into which no sound or no picture came at all has failed; alone in a conference nothing may come.
    A pair and an echo always want it: what they send themselves must come."""

    def __post_init__(self) -> None:
        if not 1 <= self.duration_s <= MAX_DURATION_S:
            raise UsageError(f"duration {self.duration_s:g} s: from 1 s to a day ({MAX_DURATION_S:g} s)")


async def probe_pair(
    first: EndConfig,
    second: EndConfig,
    config: RunConfig | None = None,
    *,
    stop: asyncio.Event | None = None,
    on_sample: OnSample | None = None,
    evidence: Evidence | None = None,
) -> ProbeResult:
    """Measure both directions between two participants of a conference: full reference, one clock. Cancelling is safe.

    Args:
        first: one end.
        second: the other; it gets frame ids of its own.
        config: how long, and when to fail.
        stop: ends the run early, and well.
        on_sample: is told every sample as it is taken, in whatever thread.
        evidence: collects what a support bundle needs.

    Raises:
        PexrtcError: an end could not join or connect.
    """
    other = replace(second.reference, first_id=(first.reference.first_id + _ID_STEP) % (1 << 24), seed=2)
    second = replace(second, reference=other)
    assumption = "both ends in one process share one clock: one-way delays need no NTP"
    run = _Run("pair", first, config or RunConfig(), stop or asyncio.Event(), on_sample, (assumption,), evidence)
    async with AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(open_end(each)) for each in (first, second)]
        return await run.measure(ends, {0: ends[1], 1: ends[0]}, stack)


async def probe_single(
    end: EndConfig,
    config: RunConfig | None = None,
    *,
    echo: bool = False,
    stop: asyncio.Event | None = None,
    on_sample: OnSample | None = None,
    evidence: Evidence | None = None,
) -> ProbeResult:
    """Measure what one participant receives, and what the far end reports of what it sends. Cancelling is safe.

    Args:
        end: who.
        config: how long, and when to fail.
        echo: the far end is a test call service and sends back what it gets: full reference, delay there and back.
        stop: ends the run early, and well.
        on_sample: is told every sample as it is taken, in whatever thread.
        evidence: collects what a support bundle needs.

    Raises:
        PexrtcError: it could not join or connect.
    """
    assumptions = ("delays are there and back: the far end echoes",) if echo else ()
    run = _Run("single", end, config or RunConfig(), stop or asyncio.Event(), on_sample, assumptions, evidence)
    async with AsyncExitStack() as stack:
        joined = await stack.enter_async_context(open_end(end))
        return await run.measure([joined], {0: joined} if echo else {}, stack)


class _Run:
    """One run: who measures whom is given, the rest is the same for all kinds."""

    def __init__(
        self,
        kind: Literal["single", "pair"],
        first: EndConfig,
        config: RunConfig,
        stop: asyncio.Event,
        on_sample: OnSample | None,
        assumptions: tuple[str, ...],
        evidence: Evidence | None,
    ) -> None:
        self._kind, self._first, self._config = kind, first, config
        self._stop, self._on_sample, self._assumptions = stop, on_sample, assumptions
        self._evidence = evidence
        self._began = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    async def measure(self, ends: Sequence[End], sources: dict[int, End], stack: AsyncExitStack) -> ProbeResult:
        """Connect, listen, send for the duration, and put the result together.

        Args:
            ends: who takes part.
            sources: whose reference each end, by its place, receives.
            stack: closes what is opened here, before the ends leave.
        """
        books = [SeriesBook(_direction(end, sources.get(i)), on_sample=self._tell) for i, end in enumerate(ends)]
        listenings = []
        if self._evidence is not None:
            for end in ends:
                await stack.enter_async_context(self._evidence.follow(end, self._began))
        for place, end in enumerate(ends):
            # What an end of a pair sends belongs to the other direction.
            sent_book = books[1 - place] if len(ends) == 2 else None
            source = sources.get(place)
            see = partial(self._evidence.see, books[place].stream) if self._evidence is not None else None
            listening = Listening(end, books[place], self._began, source=source, sent_book=sent_book, on_picture=see)
            listenings.append(await stack.enter_async_context(listening))
        for end in ends:
            await end.call.connected()
        for end in ends:
            await stack.enter_async_context(end.make_player())
        control = ControlProbe(ends[0], ends[1], listenings[1].book, self._began) if self._wants_control else None
        error = await self._until_over(ends, listenings, control)
        until = time.monotonic()
        for end in ends:
            if end.player is not None:
                end.player.stop()
        if not error:
            await asyncio.sleep(_TAIL_S)
        moments = [moment for listening in listenings for moment in await listening.finish(until)]
        moments += control.moments if control is not None else []
        cause = Cause.REMOVED if error else Cause.NONE
        if not error and (self._config.wants_media or sources):
            error = self._missing(listenings)
            cause = (Cause.STOPPED if self._stop.is_set() else Cause.UNREACHABLE) if error else Cause.NONE
        return self._result(ends, listenings, moments, (error, cause), until)

    def _missing(self, listenings: Sequence[Listening]) -> str:
        """Say what never came to whom; empty when all of it did."""
        missing = [f"{one.book.stream}: no {one.missing}" for one in listenings if one.missing]
        if not missing:
            return ""
        early = " before it was stopped" if self._stop.is_set() else f" within {time.monotonic() - self._began:.0f} s"
        cure = " (--alone says that nobody else sends)" if self._kind == "single" else ""
        return ", ".join(missing) + early + cure

    def _stopped_before(self, verdict: Verdict) -> str:
        """Return what kept a run from passing that somebody ended early, when nothing was found but what is missing."""
        failures = verdict.failures if self._stop.is_set() else ()
        missing = [reason.threshold for reason in failures if reason.outcome is Outcome.UNMEASURED]
        return ", ".join(missing) if len(missing) == len(failures) else ""

    def _tell(self, moment: float, metric: str, stream: str, value: float) -> None:
        """Hand a sample on to whoever wants it, in whatever thread."""
        if self._evidence is not None:
            self._evidence.note(moment, metric, stream, value)
        if self._on_sample is not None:
            self._on_sample(moment, metric, stream, value)

    @property
    def _wants_control(self) -> bool:
        return self._config.control and self._kind == "pair"

    async def _until_over(
        self, ends: Sequence[End], listenings: Sequence[Listening], control: ControlProbe | None
    ) -> str:
        """Measure until the duration is over or something ends it; return what did, empty when all is well."""
        waits = {f"call {place}": end.call.ended() for place, end in enumerate(ends)}
        measuring = self._measure_all(listenings, control)
        what, why = await first_of(time=measuring, stop=self._stop.wait(), **waits)
        return "" if what in ("time", "stop") else f"{ends[int(what.split()[1])].name}: {why}"

    async def _measure_all(self, listenings: Sequence[Listening], control: ControlProbe | None) -> None:
        """Measure for the duration, and longer where control takes longer."""
        flowing = asyncio.Event()
        async with task_owner() as tasks:
            ticking = tasks.start(self._tick(listenings, flowing), name="pexrtc probe seconds")
            if control is not None:
                await flowing.wait()
                await control.measure(layout=self._config.layout)
            await ticking

    async def _tick(self, listenings: Sequence[Listening], flowing: asyncio.Event) -> None:
        """Read the statistics each second, for the duration from the moment that media is there."""
        begin = time.monotonic()
        start: float | None = None
        read = 0.0
        while start is None or time.monotonic() - start < self._config.duration_s:
            now = time.monotonic()
            if now - read >= _SECOND_S:
                read = now
                for listening in listenings:
                    listening.read_network()
                if self._evidence is not None:
                    self._evidence.read()
            late = now - begin >= self._config.media_timeout_s
            if start is None and (late or all(listening.has_picture_and_sound for listening in listenings)):
                start = now
                flowing.set()
            rest = 1.0 if start is None else min(1.0, self._config.duration_s - (now - start))
            await asyncio.sleep(max(0.05, rest if start is not None else 0.1))

    def _result(
        self,
        ends: Sequence[End],
        listenings: Sequence[Listening],
        moments: Sequence[Moment],
        failure: tuple[str, Cause],
        until: float,
    ) -> ProbeResult:
        series = tuple(series for listening in listenings for series in listening.book.series())
        session = self._first.session
        verdict = judge(self._config.thresholds, series)
        if not failure[0] and (unmeasured := self._stopped_before(verdict)):
            failure = f"stopped before it was measured: {unmeasured}", Cause.STOPPED
        return ProbeResult(
            kind=self._kind,
            target=session.alias,
            node=shown_node(session.node_url),
            started=self._started,
            duration_s=round(until - self._began, 3),
            version=__version__,
            series=series,
            moments=tuple(sorted(moments, key=lambda moment: moment.time)),
            verdict=verdict,
            assumptions=(
                *self._assumptions,
                *(assumption for listening in listenings for assumption in listening.assumptions),
                *_kind_assumptions(ends),
                *_speech_assumptions(ends),
            ),
            error=failure[0],
            cause=failure[1],
        )


def _direction(end: End, source: End | None) -> str:
    """Name what an end receives."""
    return f"{source.name} → {end.name}" if source is not None and source is not end else end.name


def _kind_assumptions(ends: Sequence[End]) -> tuple[str, ...]:
    """Say what was not looked at."""
    return ("packets only: nothing was decoded",) if any(end.config.network_only for end in ends) else ()


def _speech_assumptions(ends: Sequence[End]) -> tuple[str, ...]:
    """Say which codec figures the speech score rests on."""
    codecs: set[Codec] = {end.call.audio.codec for end in ends if end.call.audio and end.call.audio.codec}
    return tuple(
        f"{codec}: Ie {CODEC_MODELS[codec].ie:g}, Bpl {CODEC_MODELS[codec].bpl:g}: {CODEC_MODELS[codec].source}"
        for codec in sorted(codecs)
    )
