"""A joined conference as an announcer sees it: people, voices, chat, digits, the beginning, one after another.

People are those who are in the conference and no program: not the announcer itself, no bot of ours, no participant that
only streams or records, nobody in a waiting room. Digits come in the sound (RFC 4733) to whoever listens to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

from ..endpoint.conference import Conference, is_bot
from ..errors import SessionClosed
from ..protocol.events import MessageReceived, Stage
from ..protocol.models import Participant
from ..tasks import task_owner
from ..webrtc.receiver import Receiver
from .room_state import (
    ChatSaid,
    ConferenceStarted,
    DigitPressed,
    PersonJoined,
    PersonLeft,
    RoomEvent,
    VoiceChanged,
)

__all__ = ["ConferenceEvents"]

_BOUND = 1000
"""Events that wait to be looked at; beyond it the oldest are dropped, which only a stuck reader comes to."""


class ConferenceEvents:
    """The events of a conference; a `RoomEvents`.

    Args:
        conference: joined.
        receiver: of its sound, for digits; None: none are heard.
    """

    def __init__(self, conference: Conference, receiver: Receiver | None = None) -> None:
        self._conference = conference
        self._queue: asyncio.Queue[RoomEvent | None] = asyncio.Queue(_BOUND)
        self._there: dict[str, bool] = {}  # UUID and whether it is a program
        self._speaking: set[str] = set()
        self._started = False
        self._synced = False
        self._receiver = receiver

    async def events(self) -> AsyncGenerator[RoomEvent, None]:
        """Yield them as they happen, those of the people already there first; ends with the session. Once only."""
        if self._receiver is not None:
            self._receiver.on_digit = self._hear_digit
        try:
            async with task_owner() as tasks:
                tasks.start(self._follow(), name="pexrtc conference events")
                while (event := await self._queue.get()) is not None:
                    yield event
        finally:
            if self._receiver is not None:
                self._receiver.on_digit = None

    async def _follow(self) -> None:
        session = self._conference.session
        events = session.events()  # before the wait, so that none is missed
        with suppress(SessionClosed):
            await session.wait_for(lambda s: s.roster.synced)
            self._look(was_there=True)
            self._synced = True
            async for event in events:
                if isinstance(event, MessageReceived):
                    self._put(ChatSaid(person=event.uuid, text=event.payload))
                elif isinstance(event, Stage):
                    self._listen({entry.participant_uuid for entry in event.entries if entry.speaking})
                self._look(was_there=False)
        self._put(None)

    def _look(self, *, was_there: bool) -> None:
        """Compare the roster with what was told of it."""
        roster = self._conference.roster
        if not roster.synced:
            return
        present = {uuid: person for uuid, person in roster.participants.items() if person.in_conference}
        for uuid in [uuid for uuid in self._there if uuid not in present]:
            del self._there[uuid]
            self._speaking.discard(uuid)
            self._put(PersonLeft(person=uuid))
        for uuid, person in present.items():
            if uuid not in self._there:
                self._there[uuid] = self._is_program(person)
                self._put(
                    PersonJoined(person=uuid, name=person.display_name, is_bot=self._there[uuid], was_there=was_there)
                )
        if not self._started and roster.conference.started is True:
            self._started = True
            self._put(ConferenceStarted())

    def _listen(self, speaking: set[str]) -> None:
        for person, speaks in self._changes(speaking):
            self._put(VoiceChanged(person=person, speaking=speaks))
        self._speaking = speaking

    def _changes(self, speaking: set[str]) -> Iterator[tuple[str, bool]]:
        yield from ((person, False) for person in self._speaking - speaking)
        yield from ((person, True) for person in speaking - self._speaking)

    def _is_program(self, person: Participant) -> bool:
        return (
            is_bot(person)
            or person.uuid == self._conference.participant_uuid
            or person.is_streaming_conference
            or person.is_recording is True
        )

    def _hear_digit(self, digit: str) -> None:
        self._put(DigitPressed(digit=digit))

    def _put(self, event: RoomEvent | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)
