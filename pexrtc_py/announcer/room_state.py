"""What a conference looks like to someone who waits for the right moment to speak.

Whoever watches a conference turns what it says into the events of this module; `RoomState` folds them. Participants
that are programs never count: neither the announcer itself nor recorders and probes (the `call_tag` marks them).
Times are seconds of one clock, the Unix clock when a trigger waits for a time of day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

__all__ = [
    "ChatSaid", "ConferenceStarted", "DigitPressed", "PersonJoined", "PersonLeft", "RoomEvent", "RoomEvents",
    "RoomState", "Transferred", "VoiceChanged",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonJoined:
    """A participant came, or was there when we came."""

    person: str
    """The participant's uuid."""
    name: str = ""
    """The display name."""
    is_bot: bool = False
    """Whether it is a program: it never counts."""
    was_there: bool = False
    """Whether it was there before us: it is counted and not greeted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft:
    """A participant went."""

    person: str
    """The participant's uuid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChanged:
    """A participant began or stopped to speak."""

    person: str
    """The participant's uuid."""
    speaking: bool
    """Whether it speaks now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSaid:
    """Somebody wrote into the chat."""

    person: str
    """The participant's uuid."""
    text: str
    """What was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed:
    """A DTMF digit was heard."""

    digit: str
    """One of 0-9, *, #, A-D."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceStarted:
    """The conference began: a host is there, nobody waits any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """We were sent to another conference: nobody of those who were there is here, and who is here was here before."""


RoomEvent: TypeAlias = (
    PersonJoined | PersonLeft | VoiceChanged | ChatSaid | DigitPressed | ConferenceStarted | Transferred
)


class RoomEvents(Protocol):
    """Where the events come from; an endpoint implements it."""

    def events(self) -> AsyncIterator[RoomEvent]:
        """Yield them as they happen, those of the people already there first."""


class RoomState:
    """The fold of the events: who is there, who speaks, since when nobody does."""

    def __init__(self, now: float) -> None:
        self.people: dict[str, str] = {}
        """Uuid and name of those who count."""
        self.quiet_since: float | None = now
        """Since when nobody who counts speaks; None while somebody does."""
        self.started = False
        """Whether the conference has begun."""
        self._bots: set[str] = set()
        self._speaking: set[str] = set()

    def apply(self, event: RoomEvent, now: float) -> None:
        """Take the next event."""
        match event:
            case PersonJoined(person=person, is_bot=True):
                self._bots.add(person)
            case PersonJoined(person=person, name=name):
                self.people[person] = name
            case PersonLeft(person=person):
                self.people.pop(person, None)
                self._bots.discard(person)
                self._hear(person, now, speaking=False)
            case VoiceChanged(person=person, speaking=speaking):
                if person not in self._bots:
                    self._hear(person, now, speaking=speaking)
            case ConferenceStarted():
                self.started = True
            case Transferred():
                self.people.clear()
                self._bots.clear()
                self._speaking.clear()
                self.quiet_since, self.started = now, False
            case ChatSaid() | DigitPressed():
                pass

    def is_bot(self, person: str) -> bool:
        """Whether a participant is a program."""
        return person in self._bots

    def _hear(self, person: str, now: float, *, speaking: bool) -> None:
        if speaking:
            self._speaking.add(person)
            self.quiet_since = None
        else:
            self._speaking.discard(person)
            if not self._speaking and self.quiet_since is None:
                self.quiet_since = now
