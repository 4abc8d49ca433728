"""When a job is due. Pure: the file's words and the time go in, what to do now comes out.

    when = "always"                     again and again, for as long as the fleet runs
    when = "conference"                 whenever somebody is in the conference
    when = "Mon-Fri 09:00-10:30"        from, until; over midnight if the end comes first
    when = ["Mon 09:00", "2026-12-24 18:00"]   once at each start, until it ends by itself
    when = "every 15m"                  at full multiples of it, counted from midnight UTC

Times are those of the job's `timezone`. A moment that the clocks leave out in spring is taken an hour later, one that
comes twice in autumn is the first (PEP 495, fold 0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, TypeAlias

from ..errors import UsageError

__all__ = ["LATE_S", "Always", "Every", "Occurrence", "Times", "When", "due", "parse_when"]

LATE_S: Final = 60.0
"""How late a start without an end may still be made, after a start of the fleet for example; retries count from it, and
those of a run that was broken off from its loss."""
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIMES = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)\s+|(?P<days>[A-Za-z]{3}(?:[-,][A-Za-z]{3})*)\s+)?"
    r"(?P<start>\d\d:\d\d)(?:\s*-\s*(?P<end>\d\d:\d\d))?"
)
_EVERY = re.compile(r"every\s+(?P<number>\d+)\s*(?P<unit>[smhd])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LOOK_AHEAD_DAYS: Final = 8
"""A weekly start is found within a week, and a day more for those over midnight."""


class Always(StrEnum):
    """Schedules that know no clock."""

    ALWAYS = "always"
    CONFERENCE = "conference"


@dataclass(frozen=True, slots=True)
class Every:
    """At each multiple of an interval."""

    interval_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """At a time of day, on some days or on one date."""

    start: time
    end: time | None = None
    """None: it ends by itself."""
    days: frozenset[int] = frozenset(range(7))
    """Days of the week it starts on, 0 is Monday."""
    date: date | None = None
    """The one date it starts on."""


When: TypeAlias = tuple[Always] | tuple[Every | Times, ...]


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One time that a job is due; moments in seconds since the epoch."""

    start: float
    end: float
    """Infinity when it ends by itself."""


def parse_when(words: str | Sequence[str]) -> When:
    """Read what `when` says.

    Raises:
        UsageError: it cannot be understood; the message has the word.
    """
    several = [words] if isinstance(words, str) else list(words)
    parsed = [_parse_one(word) for word in several]
    if len(parsed) == 1 and isinstance(parsed[0], Always):
        return (parsed[0],)
    times = tuple(one for one in parsed if not isinstance(one, Always))
    if len(times) < len(parsed) or not times:
        raise UsageError(f"when = {words!r}: always and conference stand alone, and something must be said")
    return times


def due(when: When, zone: tzinfo | None, now: float) -> tuple[Occurrence | None, float]:
    """Return the occurrence that is running now, and when to look again at the latest.

    Args:
        when: the schedule.
        zone: whose clock it goes by; None for the system's.
        now: seconds since the epoch.
    """
    if isinstance(when[0], Always):
        return Occurrence(float("-inf"), float("inf")), float("inf")
    running: Occurrence | None = None
    next_look = float("inf")
    for one in _around(when, zone, now):
        last_moment = one.start + LATE_S if one.end == float("inf") else one.end
        if one.start > now:
            next_look = min(next_look, one.start)
        elif now < last_moment:
            running = one if running is None else max(running, one)
            next_look = min(next_look, last_moment)
    return running, next_look


def _parse_one(word: str) -> Always | Every | Times:
    text = word.strip()
    if text in tuple(Always):
        return Always(text)
    if match := _EVERY.fullmatch(text):
        interval_s = int(match["number"]) * _UNIT_S[match["unit"]]
        if not 1 <= interval_s <= 7 * 86400:
            raise UsageError(f"when = {word!r}: from 1s to 7d")
        return Every(interval_s)
    match = _TIMES.fullmatch(text)
    if match is None:
        raise UsageError(
            f'when = {word!r}: say "always", "conference", "every 15m", "Mon-Fri 09:00-10:30" or "2026-12-24 18:00"'
        )
    try:
        end = time.fromisoformat(match["end"]) if match["end"] else None
        return Times(
            start=time.fromisoformat(match["start"]),
            end=end,
            days=_days(match["days"]) if match["days"] else frozenset(range(7)),
            date=date.fromisoformat(match["date"]) if match["date"] else None,
        )
    except ValueError as exc:
        raise UsageError(f"when = {word!r}: {exc}") from exc


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        begin, until = _DAYS.index(first), _DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, until + 1 + (7 if until < begin else 0))}
    return frozenset(days)


def _around(when: Iterable[Always | Every | Times], zone: tzinfo | None, now: float) -> Iterator[Occurrence]:
    """Yield what lies around now: all that may be running, and the next of each."""
    for one in when:
        match one:
            case Every(interval_s):
                start = now // interval_s * interval_s
                yield Occurrence(start, float("inf"))
                yield Occurrence(start + interval_s, float("inf"))
            case Times():
                yield from _of_times(one, zone, now)
            case Always():
                raise AssertionError("stands alone")


def _of_times(times: Times, zone: tzinfo | None, now: float) -> Iterator[Occurrence]:
    today = datetime.fromtimestamp(now, zone).date()
    dates = [today + timedelta(days=n) for n in range(-1, _LOOK_AHEAD_DAYS)] if times.date is None else [times.date]
    for day in dates:
        if times.date is None and day.weekday() not in times.days:
            continue
        start = datetime.combine(day, times.start, zone).timestamp()
        if times.end is None:
            yield Occurrence(start, float("inf"))
        else:
            end_day = day + timedelta(days=1) if times.end <= times.start else day
            yield Occurrence(start, datetime.combine(end_day, times.end, zone).timestamp())
