"""What a run leaves behind for whoever looks into a failure: descriptions, events, statistics, pictures.

Collected beside the measuring and written by `bundle`, which also takes out what must not leave the house: everything
here is as it was on the wire. All of it is bounded, whatever a peer sends and however long a run is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ..errors import PexrtcError
from ..media.decoding import Picture
from ..media.snapshots import Snapshot, take_snapshot
from ..protocol.events import serialize_event
from ..tasks import task_owner
from .ends import End
from .thresholds import Threshold

__all__ = ["EndEvidence", "Evidence", "KeptEvent", "WorstMoment"]

_MAX_EVENTS: Final = 2000
_MAX_EVENT_BYTES: Final = 64 * 1024
"""Of one event; a presentation's picture is not evidence."""
_MAX_EVENTS_BYTES: Final = 4 * 1024 * 1024
_MAX_READINGS: Final = 600
"""Statistics of one end; past that every second one is dropped, and only every second one is taken from then on."""
_SNAPSHOT_EVERY_S: Final = 0.5
_RING: Final = 10
"""Snapshots kept of the last seconds: a sample is told a second after its picture."""
_HISTORY: Final = 48
"""Snapshots kept of the whole run, for what is known only at its end, as freezes are; when full, every second goes."""
_HISTORY_EVERY_S: Final = 1.0
_MAX_WATCHED: Final = 4
"""Thresholds on pictures whose worst moment is kept, for each stream."""
_MAX_END_SECRETS: Final = 256
_DEFAULT_WATCHED: Final = ("video.longest_freeze_ms > 0", "video.ssim < 1", "video.black_ratio > 0")
"""Where no threshold says what is bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """A server-sent event."""

    time: float
    """Seconds since the run began."""
    type: str
    body: object
    """As JSON has it; None when it was too large to keep."""


@dataclass(slots=True, kw_only=True)
class WorstMoment:
    """When a metric was at its worst, and what was to be seen then."""

    metric: str
    stream: str
    value: float
    time: float
    """Seconds since the run began."""
    pictures: list[Snapshot] = field(default_factory=list)
    """Before, at and after that moment, as far as there are any."""


@dataclass(slots=True)
class EndEvidence:
    """What one end of a run saw and said."""

    name: str
    offer: str = ""
    answer: str = ""
    events: deque[KeptEvent] = field(default_factory=deque)
    events_dropped: int = 0
    roster: list[object] = field(default_factory=list)
    """Who was there when it ended, as JSON has it."""
    statistics: list[tuple[float, list[object]]] = field(default_factory=list)
    """(second of the run, W3C statistics as JSON has them)."""
    phases: dict[str, float] = field(default_factory=dict)
    """Milestones of joining, milliseconds."""
    state: str = ""
    """Of the transport, when it was looked at last."""


class Evidence:
    """Collects what one run leaves behind; `follow` each end, `read` every second, `note` every sample.

    Args:
        thresholds: those on video say which moments are the worst; without any, freezes, SSIM and black decide.
    """

    def __init__(self, thresholds: Sequence[Threshold] = ()) -> None:
        self.ends: list[EndEvidence] = []
        self.secrets: set[str] = set()
        """Every token and PIN that was in use: what no bundle may hold."""
        self.names: set[str] = set()
        """Names of participants that were seen."""
        watched = [one for one in thresholds if one.metric.group == "video"][:_MAX_WATCHED]
        self._watched = watched or [Threshold.parse(text) for text in _DEFAULT_WATCHED]
        self._followed: list[tuple[End, EndEvidence, float]] = []
        self._films: dict[str, _Film] = {}
        self._worst: dict[tuple[str, str], WorstMoment] = {}
        self._lock = threading.Lock()
        self._skip = 1
        self._reads = 0

    def worst(self) -> list[WorstMoment]:
        """Return the worst moments that have pictures, by metric and stream; to be asked when the run is over."""
        with self._lock:
            moments = [moment for _, moment in sorted(self._worst.items())]
            for moment in moments:
                film = self._films.get(moment.stream)
                moment.pictures = _around(moment.time, [*moment.pictures, *(film.history if film else ())])
        return [moment for moment in moments if moment.pictures]

    @asynccontextmanager
    async def follow(self, end: End, began: float) -> AsyncIterator[None]:
        """Follow an end while the block lasts; `began` is when the run began, on `time.monotonic`."""
        kept = EndEvidence(end.name, end.call.offer_sdp, end.call.answer_sdp)
        self.ends.append(kept)
        self._followed.append((end, kept, began))
        self.names |= {end.name, end.config.session.alias}
        if end.config.session.pin:
            self.secrets.add(end.config.session.pin)
        try:
            async with task_owner() as tasks:
                tasks.start(self._keep_events(end, kept, began), name="pexrtc probe evidence")
                yield
        finally:
            self._look(end, kept, began, always=True)
            kept.phases = end.call.phases.as_ms()
            people = list(end.conference.participants.values())
            kept.roster = [msgspec.to_builtins(person) for person in people[:_MAX_EVENTS]]
            self.names |= {person.display_name for person in people}

    async def _keep_events(self, end: End, kept: EndEvidence, began: float) -> None:
        size = 0
        with suppress(PexrtcError):  # how the session ended stands in the result
            async for event in end.conference.events():
                name, text = serialize_event(event)
                length = len(text)
                body: object = None
                if length <= _MAX_EVENT_BYTES and size + length <= _MAX_EVENTS_BYTES:
                    body = _parsed(text)
                    size += length
                kept.events.append(KeptEvent(time=time.monotonic() - began, type=name, body=body))
                if len(kept.events) > _MAX_EVENTS:
                    kept.events.popleft()
                    kept.events_dropped += 1

    def read(self) -> None:
        """Take everybody's statistics as they are now."""
        self._reads += 1
        for end, kept, began in self._followed:
            self._look(end, kept, began, always=False)

    def _look(self, end: End, kept: EndEvidence, began: float, *, always: bool) -> None:
        now = time.monotonic()
        kept.state = end.call.peer.state.value
        if len(self.secrets) < _MAX_END_SECRETS:  # a token lasts two minutes, a run a day at most
            self.secrets.add(str.__str__(end.conference.session.token_result.token))
        if not always and self._reads % self._skip:
            return
        taken = [msgspec.to_builtins(item) for item in end.call.peer.statistics(now)]
        kept.statistics.append((round(now - began, 3), taken))
        if len(kept.statistics) > _MAX_READINGS:
            for each in self.ends:
                del each.statistics[1::2]
            self._skip *= 2

    def see(self, stream: str, picture: Picture, at: float) -> None:
        """Take a decoded picture of a stream, shown at a second of the run; called in whatever thread."""
        with self._lock:
            film = self._films.setdefault(stream, _Film())
        if film.wants(at):
            snapshot = take_snapshot(picture.frame, at)
            with self._lock:
                film.add(snapshot)

    def note(self, at: float, metric: str, stream: str, value: float) -> None:
        """Take a sample; called in whatever thread."""
        for threshold in self._watched:
            if threshold.metric.name != metric or at < threshold.after_s or threshold.stream not in (None, stream):
                continue
            with self._lock:
                self._compare(threshold, at, metric, stream, value)
            return

    def _compare(self, threshold: Threshold, at: float, metric: str, stream: str, value: float) -> None:
        """Keep the moment when it is bad by itself, and worse than the worst so far."""
        more_is_worse = threshold.comparison in (">", ">=")
        limit = threshold.limit if threshold.aggregate != "sum" else 0.0  # a sum's limit is of the whole run
        worst = self._worst.get((metric, stream))
        bound = worst.value if worst is not None else limit
        if value > bound if more_is_worse else value < bound:
            film = self._films.get(stream)
            self._worst[metric, stream] = WorstMoment(
                metric=metric, stream=stream, value=value, time=at, pictures=list(film.latest) if film else []
            )


class _Film:
    """Snapshots of one stream: the last seconds closely, the whole run sparsely."""

    def __init__(self) -> None:
        self.latest: deque[Snapshot] = deque(maxlen=_RING)
        self.history: list[Snapshot] = []
        self._step = _HISTORY_EVERY_S

    def wants(self, at: float) -> bool:
        """Whether it is time for another one."""
        return not self.latest or at - self.latest[-1].time >= _SNAPSHOT_EVERY_S

    def add(self, snapshot: Snapshot) -> None:
        """Take one."""
        self.latest.append(snapshot)
        if not self.history or snapshot.time - self.history[-1].time >= self._step:
            self.history.append(snapshot)
            if len(self.history) > _HISTORY:
                del self.history[1::2]
                self._step *= 2


def _around(time: float, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the snapshots next before a moment, at it, and a while after it."""
    known = sorted({one.time: one for one in snapshots}.values(), key=lambda one: one.time)
    before = [one for one in known if one.time < time][-1:]
    since = [one for one in known if one.time >= time]
    after = [one for one in since[1:] if one.time >= time + 1.0][:1]
    return [*before, *since[:1], *after]


def _parsed(text: str) -> object:
    """Return what an event says; an event that we do not know may be no JSON."""
    try:
        return msgspec.json.decode(text or "null")
    except msgspec.DecodeError:
        return text
