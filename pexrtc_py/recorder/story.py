"""What happened in a conference, on the recording's clock: who was there, who spoke, who presented, what was written.

Pure: events with their second go in, values come out. The files made of them are in `sidecars`. What is kept is
bounded: who chats without end must not fill the memory of a process that records others, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.events import Event, MessageReceived, Stage
from ..protocol.models_base import ParticipantUuid
from ..protocol.roster import Roster

__all__ = ["Attendance", "ChatMessage", "Story", "Stretch"]

_JOIN_S = 1.0
"""Pauses between words that do not end a speech."""
_CHAPTER_S = 10.0
"""A speaker begins a chapter only this long after the one before: a list of chapters is to be read."""
_MOST_BYTES = 64 << 20
"""Of all that is kept, far above what people say in months; events are on the disk, all of them."""
_ENTRY_BYTES = 200
_LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Somebody speaks, or presents."""

    participant_uuid: str
    """Who; empty when the node did not say."""
    name: str
    """Display name at that time."""
    start_s: float
    """Seconds of the recording."""
    end_s: float
    """Likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """Somebody was there."""

    participant_uuid: str
    """Who."""
    name: str
    """Display name, the last one."""
    role: str
    """`chair` or `guest`."""
    protocol: str
    """How the participant was connected."""
    joined_s: float
    """Seconds of the recording; 0 for who was there before."""
    left_s: float | None
    """Likewise; None for who was there to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """Something was written."""

    at_s: float
    """Seconds of the recording."""
    participant_uuid: str
    """By whom."""
    name: str
    """Under which name."""
    text: str
    """What."""


class Story:
    """Folds events; `apply` drives it, everything else reads.

    Attributes:
        messages: what was written, in order.
        left_out: messages, speeches, chapters and people there was no room for.
    """

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        """Keep about so much at most."""
        self.messages: list[ChatMessage] = []
        self.left_out = 0
        self._room = most_bytes
        self._roster = Roster()
        self._attended: list[Attendance] = []
        self._present: dict[ParticipantUuid, float] = {}
        self._speeches: list[Stretch] = []
        self._speaking: dict[ParticipantUuid, tuple[str, float]] = {}
        self._presentations: list[Stretch] = []
        self._presenting: tuple[str, str, float] | None = None
        self._chapter_at: float | None = None
        self._chapter = ""

    def apply(self, event: Event, at_s: float) -> str | None:
        """Fold in an event of second `at_s`. Return the title of the chapter that begins with it, if one does."""
        change = self._roster.apply(event)
        for person in change.joined:
            self._present[person.uuid] = at_s
        for person in change.left:
            joined = self._present.pop(person.uuid, 0.0)
            if not self._has_room(person.display_name):
                continue
            self._attended.append(
                Attendance(
                    participant_uuid=person.uuid,
                    name=person.display_name,
                    role=person.role,
                    protocol=person.protocol,
                    joined_s=joined,
                    left_s=at_s,
                )
            )
        if isinstance(event, MessageReceived) and self._has_room(event.origin, event.payload):
            self.messages.append(
                ChatMessage(at_s=at_s, participant_uuid=event.uuid, name=event.origin, text=event.payload)
            )
        if change or isinstance(event, Stage):
            self._follow_speakers(at_s)
        return self._follow_presentation(at_s) or self._speaker_chapter(at_s)

    def speeches(self, end_s: float) -> list[Stretch]:
        """Return who spoke when, those who still speak until `end_s`."""
        running = [
            Stretch(participant_uuid=uuid, name=name, start_s=start, end_s=end_s)
            for uuid, (name, start) in self._speaking.items()
        ]
        return sorted([*self._speeches, *running], key=lambda speech: speech.start_s)

    def presentations(self, end_s: float) -> list[Stretch]:
        """Return who presented when."""
        if self._presenting is None:
            return list(self._presentations)
        uuid, name, start = self._presenting
        return [*self._presentations, Stretch(participant_uuid=uuid, name=name, start_s=start, end_s=end_s)]

    def attendance(self) -> list[Attendance]:
        """Return who was there when."""
        here = [
            Attendance(
                participant_uuid=uuid,
                name=person.display_name,
                role=person.role,
                protocol=person.protocol,
                joined_s=self._present.get(uuid, 0.0),
                left_s=None,
            )
            for uuid, person in self._roster.participants.items()
        ]
        return sorted([*self._attended, *here], key=lambda one: one.joined_s)

    def _follow_speakers(self, at_s: float) -> None:
        speaking = {person.uuid: person.display_name for person in self._roster.speaking}
        for uuid in [uuid for uuid in self._speaking if uuid not in speaking]:
            name, start = self._speaking.pop(uuid)
            if self._has_room(name):
                self._speeches.append(Stretch(participant_uuid=uuid, name=name, start_s=start, end_s=at_s))
        for uuid, name in speaking.items():
            if uuid in self._speaking:
                continue
            start = at_s
            for index in reversed(range(len(self._speeches))):
                before = self._speeches[index]
                if at_s - before.end_s >= _JOIN_S:
                    break  # so have all before it: they stand in the order of their ends
                if before.participant_uuid == uuid:
                    del self._speeches[index]
                    start = before.start_s
                    break
            self._speaking[uuid] = (name, start)

    def _follow_presentation(self, at_s: float) -> str | None:
        now = self._roster.presentation
        before = self._presenting
        uuid = now.presenter_uuid if now is not None else ""
        if (now is None) == (before is None) and (before is None or before[0] == uuid):
            return None
        if before is not None and self._has_room(before[1]):
            self._presentations.append(
                Stretch(participant_uuid=before[0], name=before[1], start_s=before[2], end_s=at_s)
            )
        if now is None:
            self._presenting = None
            return self._begin_chapter("Presentation ended", at_s)
        person = self._roster.participants.get(now.presenter_uuid)
        name = now.presenter_name or (person.display_name if person is not None else now.presenter_uri)
        self._presenting = (uuid, name, at_s)
        return self._begin_chapter(f"Presentation: {name}" if name else "Presentation", at_s)

    def _speaker_chapter(self, at_s: float) -> str | None:
        speaking = self._roster.speaking
        if self._presenting is not None or not speaking or speaking[0].display_name == self._chapter:
            return None
        if self._chapter_at is not None and at_s - self._chapter_at < _CHAPTER_S:
            return None
        return self._begin_chapter(speaking[0].display_name, at_s)

    def _begin_chapter(self, title: str, at_s: float) -> str | None:
        self._chapter, self._chapter_at = title, at_s
        short = title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"
        return short if self._has_room(short) else None

    def _has_room(self, *texts: str) -> bool:
        size = _ENTRY_BYTES + sum(len(text) for text in texts)
        if size > self._room:
            self.left_out += 1
            return False
        self._room -= size
        return True
