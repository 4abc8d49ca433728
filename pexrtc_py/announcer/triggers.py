"""When an announcement is played: small machines that see what happens in a conference and say "now".

All have one shape: `handle_event` and `handle_timer` return whether to play, `next_timer` says when to be called again.
They read `RoomState`, which has applied the event already. No clock, no tasks: time is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from ..errors import UsageError
from .room_state import ChatSaid, ConferenceStarted, DigitPressed, PersonJoined, RoomEvent, RoomState

__all__ = [
    "AtTime", "Every", "Immediately", "OnChat", "OnDigits", "OnJoin", "OnStart", "Trigger", "WhenPeople", "WhenQuiet",
    "parse_trigger",
]  # fmt: skip

# Digits belong to one command when they come within this.
_DIGIT_PAUSE_S: Final = 5.0
# Somebody who has just joined hears nothing for a moment, and people come in groups.
_GREET_DELAY_S: Final = 2.0


class Trigger(Protocol):
    """Says when to play."""

    def next_timer(self, room: RoomState) -> float | None:
        """Return when `handle_timer` wants to be called; None: not by itself."""

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether to play, now that time has passed."""

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether to play, now that something happened."""


class _Waiting:
    """A trigger that nothing happens to, for others to be made of."""

    def next_timer(self, room: RoomState) -> float | None:
        """Return when to be called."""
        return None

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether to play."""
        return False

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether to play."""
        return False


class AtTime(_Waiting):
    """Once, at a moment of the clock."""

    def __init__(self, when: float) -> None:
        self._when: float | None = when

    def next_timer(self, room: RoomState) -> float | None:
        """Return the moment, until it has been."""
        return self._when

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether the moment has come."""
        if self._when is None or now < self._when:
            return False
        self._when = None
        return True


class Immediately(AtTime):
    """Once, as soon as possible."""

    def __init__(self) -> None:
        super().__init__(float("-inf"))


class Every(_Waiting):
    """Again and again, so many seconds apart. What was missed, because the machine slept, is not made up for.

    Args:
        interval_s: seconds.
        start: the clock's time of the first.
    """

    def __init__(self, interval_s: float, start: float) -> None:
        if interval_s <= 0:
            raise UsageError(f"every: {interval_s:g} s is no interval")
        self._interval = interval_s
        self._next = start

    def next_timer(self, room: RoomState) -> float | None:
        """Return the next turn."""
        return self._next

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether a turn has come."""
        if now < self._next:
            return False
        self._next += self._interval * (int((now - self._next) / self._interval) + 1)
        return True


class WhenQuiet(_Waiting):
    """When nobody has spoken for so many seconds and somebody is there; once in each silence.

    Args:
        for_s: seconds of silence.
        once: only the first time.
    """

    def __init__(self, for_s: float, *, once: bool = True) -> None:
        self._for = for_s
        self._once = once
        self._played_in: float | None = None
        self._over = False

    def next_timer(self, room: RoomState) -> float | None:
        """Return when the silence will have lasted long enough."""
        quiet = room.quiet_since
        if self._over or quiet is None or quiet == self._played_in or not room.people:
            return None
        return quiet + self._for

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether it has lasted long enough."""
        due = self.next_timer(room)
        if due is None or now < due:
            return False
        self._played_in = room.quiet_since
        self._over = self._once
        return True


class WhenPeople(_Waiting):
    """When so many people are there; again only after there were fewer.

    Args:
        count: how many. Programs never count.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise UsageError(f"people: {count} are too few to wait for")
        self._count = count
        self._enough = False

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether this made them enough."""
        before, self._enough = self._enough, len(room.people) >= self._count
        return self._enough and not before


class OnJoin(_Waiting):
    """When people join, a moment later; those who come together are greeted together. Programs are not greeted."""

    def __init__(self, delay_s: float = _GREET_DELAY_S) -> None:
        self._delay = delay_s
        self._greet_at: float | None = None
        self._whom: set[str] = set()

    def next_timer(self, room: RoomState) -> float | None:
        """Return when the newcomers are greeted."""
        return self._greet_at

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether somebody is to be greeted who is still there."""
        if self._greet_at is None or now < self._greet_at:
            return False
        self._greet_at = None
        whom, self._whom = self._whom, set()
        return bool(whom & room.people.keys())

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Note a newcomer."""
        if isinstance(event, PersonJoined) and not event.is_bot and not event.was_there:
            self._whom.add(event.person)
            if self._greet_at is None:
                self._greet_at = now + self._delay
        return False


class OnDigits(_Waiting):
    """When digits are pressed one after the other, within five seconds each.

    Args:
        digits: `*1` for example.
    """

    def __init__(self, digits: str) -> None:
        if not re.fullmatch(r"[0-9*#A-D]+", digits):
            raise UsageError(f"digits: {digits!r} are no DTMF digits")
        self._wanted = digits
        self._seen = ""
        self._last = float("-inf")

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether this digit completed them."""
        if not isinstance(event, DigitPressed):
            return False
        before = self._seen if now - self._last <= _DIGIT_PAUSE_S else ""
        self._seen, self._last = (before + event.digit)[-len(self._wanted) :], now
        if self._seen != self._wanted:
            return False
        self._seen = ""
        return True


class OnChat(_Waiting):
    """When somebody writes a command into the chat, alone or followed by more words. What programs write never counts.

    Args:
        command: `/play` for example; upper and lower case are the same.
    """

    def __init__(self, command: str) -> None:
        if not command.strip():
            raise UsageError("chat: there is no command to wait for")
        self._words = command.casefold().split()

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether this was the command."""
        if not isinstance(event, ChatSaid) or room.is_bot(event.person):
            return False
        return event.text.casefold().split()[: len(self._words)] == self._words


class OnStart(_Waiting):
    """Once, when the conference begins; at once when it has begun already."""

    def __init__(self) -> None:
        self._over = False

    def next_timer(self, room: RoomState) -> float | None:
        """Return at once, when it has begun before we came."""
        return float("-inf") if room.started and not self._over else None

    def handle_timer(self, room: RoomState, now: float) -> bool:
        """Return whether it has begun."""
        play, self._over = room.started and not self._over, self._over or room.started
        return play

    def handle_event(self, room: RoomState, event: RoomEvent, now: float) -> bool:
        """Return whether it begins."""
        return isinstance(event, ConferenceStarted) and self.handle_timer(room, now)


def parse_trigger(text: str, now: float) -> Trigger:
    """Read a trigger: `now`, `at:14:30`, `every:10m`, `quiet:5s`, `people:3`, `join`, `digits:*1`,
    `chat:/play` or `start`.

    Args:
        text: what was written.
        now: Unix time; `at:` means the next time the local clock says so, `every:` begins one interval from now.

    Raises:
        UsageError: it is none of these.
    """
    word, _, value = text.partition(":")
    ways: dict[str, Callable[[], Trigger]] = {
        "now": Immediately,
        "at": lambda: AtTime(_next_time(value, now)),
        "every": lambda: Every(_seconds(text, value), now + _seconds(text, value)),
        "quiet": lambda: WhenQuiet(_seconds(text, value)),
        "people": lambda: WhenPeople(_count(text, value)),
        "join": lambda: OnJoin(_seconds(text, value)) if value else OnJoin(),
        "digits": lambda: OnDigits(value.upper()),
        "chat": lambda: OnChat(value),
        "start": OnStart,
    }
    if word not in ways or (value and word in ("now", "start")):
        raise UsageError(f"{text!r} is no moment; write {', '.join(ways)}, and what belongs to it: quiet:3s")
    return ways[word]()


def _seconds(text: str, value: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", value)
    if found is None:
        raise UsageError(f"{text!r}: {value!r} is no duration, write 90s, 10m or 1h")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


def _count(text: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,6}", value):
        raise UsageError(f"{text!r}: {value!r} is no number of people")
    return int(value)


def _next_time(value: str, now: float) -> float:
    """Return the next moment at which the local clock shows a time of day, or a moment given with its date."""
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", value):
            clock = [int(part) for part in value.split(":")]
            # Without a zone on purpose: a day later is then the same time of day, the change to summer time included.
            today = datetime.fromtimestamp(now)
            when = today.replace(hour=clock[0], minute=clock[1], second=clock[2] if clock[2:] else 0, microsecond=0)
            return (when if when.timestamp() > now else when + timedelta(days=1)).timestamp()
        when = datetime.fromisoformat(value).astimezone()
    except ValueError:
        raise UsageError(f"at: {value!r} is no time, write 14:30 or 2026-11-22T14:30") from None
    if when.timestamp() <= now:
        raise UsageError(f"at: {value} is over")
    return when.timestamp()
