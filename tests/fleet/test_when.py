"""When jobs are due: words in, occurrences out, around the clock and around its changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import UsageError
from pexrtc_py.fleet.when import LATE_S, Always, due, parse_when

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    """A moment in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def test_always_is_always_due() -> None:
    """There is no moment to wait for."""
    occurrence, look = due(parse_when("always"), None, 0.0)
    assert occurrence is not None
    assert occurrence.end == look == float("inf")
    assert parse_when("conference") == (Always.CONFERENCE,)


@pytest.mark.parametrize(
    ("now", "running", "look"),
    [
        ("2026-11-20 08:59", False, "2026-11-20 09:00"),  # a Friday
        ("2026-11-20 09:00", True, "2026-11-20 10:30"),
        ("2026-11-20 10:29", True, "2026-11-20 10:30"),
        ("2026-11-20 10:30", False, "2026-11-23 09:00"),
        ("2026-11-21 09:30", False, "2026-11-23 09:00"),
    ],
)
def test_window_on_weekdays(now: str, running: bool, look: str) -> None:
    """A window is open from its first moment to its last, on its days only; the next look is when that changes."""
    occurrence, next_look = due(parse_when("Mon-Fri 09:00-10:30"), BERLIN, at(now))
    assert (occurrence is not None) is running
    assert next_look == at(look)
    if occurrence is not None:
        assert (occurrence.start, occurrence.end) == (at("2026-11-20 09:00"), at("2026-11-20 10:30"))


def test_window_over_midnight() -> None:
    """It belongs to the day it begins on."""
    when = parse_when("Fri 23:00-01:00")
    occurrence, _ = due(when, BERLIN, at("2026-11-21 00:30"))
    assert occurrence is not None
    assert occurrence.end == at("2026-11-21 01:00")
    assert due(when, BERLIN, at("2026-11-22 00:30"))[0] is None


def test_days_round_the_week() -> None:
    """From Saturday to Monday is three days; a list is those named."""
    when = parse_when("Sat-Mon,Wed 12:00-13:00")
    days = [due(when, BERLIN, at(f"2026-11-{day} 12:30"))[0] is not None for day in range(16, 23)]
    assert days == [True, False, True, False, False, True, True]


def test_start_without_an_end() -> None:
    """It may be made up to a minute late, and is then gone until the next."""
    when = parse_when("2026-12-24 18:00")
    start = at("2026-12-24 18:00")
    occurrence, look = due(when, BERLIN, start + 5)
    assert occurrence is not None
    assert occurrence.end == float("inf")
    assert look == start + LATE_S
    assert due(when, BERLIN, start + LATE_S) == (None, float("inf"))
    assert due(when, BERLIN, start - 5) == (None, start)


def test_every() -> None:
    """Multiples of the interval, by anybody's clock the same."""
    when = parse_when("every 15m")
    occurrence, look = due(when, BERLIN, 900_010.0)
    assert occurrence is not None
    assert occurrence.start == 900_000.0
    assert look == 900_000.0 + LATE_S
    assert due(when, BERLIN, 900_100.0) == (None, 900_900.0)


def test_the_day_has_23_hours() -> None:
    """A start that the clocks leave out is an hour later, a window over it is an hour shorter."""
    occurrence, _ = due(parse_when("02:30"), BERLIN, at("2026-03-29 03:30") + 1)
    assert occurrence is not None
    assert datetime.fromtimestamp(occurrence.start, BERLIN).hour == 3
    window, _ = due(parse_when("01:00-04:00"), BERLIN, at("2026-03-29 03:10"))
    assert window is not None
    assert window.end - window.start == 2 * 3600


@pytest.mark.parametrize(
    "words", ["soon", "Mon-Xyz 09:00", "25:00", "09:00-24:30", "2026-02-30 09:00", "every 0s", "every 8d", ""]
)
def test_what_cannot_be_understood(words: str) -> None:
    """An error names the words."""
    with pytest.raises(UsageError, match=r"when = '"):
        parse_when(words)


def test_always_stands_alone() -> None:
    """Beside times it would make them meaningless; nothing at all is an error, too."""
    for words in (["always", "09:00"], []):
        with pytest.raises(UsageError):
            parse_when(words)


@given(
    words=st.sampled_from(["09:00-17:00", "Fri 23:00-01:00", "02:30", "every 7m", "2026-10-25 02:30-03:30"]),
    now=st.floats(min_value=at("2026-10-20 00:00"), max_value=at("2026-11-05 00:00")),
)
def test_nothing_changes_before_the_next_look(words: str, now: float) -> None:
    """Whoever looks again when told misses no start: between now and then the answer stays."""
    when = parse_when(words)
    occurrence, look = due(when, BERLIN, now)
    assert look > now
    if look < float("inf"):
        assert due(when, BERLIN, (now + look) / 2)[0] == occurrence
        assert due(when, BERLIN, look)[0] != occurrence
