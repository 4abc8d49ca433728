"""The people in a conference that is recorded: who is there and speaks, what they are told and may tell us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from ..endpoint.conference import Conference, is_bot
from ..errors import LocalProtocolError, PexrtcError, SessionClosed
from ..protocol.events import Event, MessageReceived
from ..protocol.models import ParticipantRole
from ..signalling import EventSubscription
from ..tasks import task_owner
from .commands import Command, DigitCommands, chat_command
from .record_job import RecordJob
from .recording import Recording

__all__ = ["Company"]

logger = logging.getLogger(__name__)

_MOST_ANSWERS = 16
"""Answers that wait for a node that takes its time; who asks for more in that time hears nothing of them."""
_LAST_ANSWER_S = 1.0
"""How long the end of a visit waits for answers that have not been given."""


class Company:
    """Stands between a recording and the people in its conference. Driven by events and digits."""

    def __init__(self, job: RecordJob, recording: Recording, note: Callable[[Event], None]) -> None:
        """Tell `recording` of people and their commands, and `note` of every event."""
        self._job = job
        self._recording = recording
        self._note = note
        self._notified: set[str] = set()
        self._digits = DigitCommands()

    async def follow(self, conference: Conference, events: EventSubscription) -> None:
        """Listen to what happens until the session ends. Cancelling is safe."""
        answers: asyncio.Queue[str] = asyncio.Queue(_MOST_ANSWERS)
        async with task_owner() as tasks:
            # Beside it: what happens is told with the time at which it is read, and the next command may be to stop.
            tasks.start(self._answer(conference, answers), name="pexrtc recorder answers")
            try:
                await self._follow(conference, events, answers)
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_ANSWER_S):
                        await answers.join()

    async def _follow(self, conference: Conference, events: EventSubscription, answers: asyncio.Queue[str]) -> None:
        while True:
            try:
                async for event in events:
                    self._note(event)
                    self._tell_recording(conference)
                    if self._job.chat_control and isinstance(event, MessageReceived):
                        self._handle_chat(conference, event, answers)
            except SessionClosed:
                return
            except LocalProtocolError as exc:  # we fell behind: the recording is worth more than its story
                logger.warning("! %s", exc)
                events = conference.events()
            else:
                return

    def _tell_recording(self, conference: Conference) -> None:
        """Say who is there and whether anybody is heard, for the rules that stop it."""
        if not conference.roster.synced:
            return
        me = conference.participant_uuid
        others = sum(1 for uuid, person in conference.participants.items() if uuid != me and not is_bot(person))
        self._recording.watch.note_people(others)
        self._recording.watch.note_speakers(len(conference.roster.speaking))

    async def _answer(self, conference: Conference, answers: asyncio.Queue[str]) -> None:
        while True:
            text = await answers.get()
            try:
                await conference.say(text)
            except PexrtcError as exc:
                logger.info("! %s: not answered: %s", self._job.session.alias, exc)
            finally:
                answers.task_done()

    def _handle_chat(self, conference: Conference, message: MessageReceived, answers: asyncio.Queue[str]) -> None:
        command = chat_command(message.payload)
        author = conference.participants.get(message.uuid)
        if command is None or author is None or author.role is not ParticipantRole.CHAIR:
            return
        self.obey(command)
        with suppress(asyncio.QueueFull):
            answers.put_nowait(f"Recording: {command}")

    def handle_digit(self, digit: str) -> None:
        """Take a digit that was sent to us."""
        if (command := self._digits.push(digit)) is not None:
            self.obey(command)

    def obey(self, command: Command) -> None:
        """Do what somebody in the conference asked for."""
        logger.info("= %s: told to %s", self._job.session.alias, command)
        match command:
            case Command.PAUSE:
                self._recording.pause()
            case Command.RESUME:
                self._recording.resume()
            case Command.STOP:
                self._recording.stop()

    async def give_notice(self, conference: Conference) -> None:
        """Tell everybody that they are recorded, once in each conference, if that was asked for."""
        alias = conference.session.config.alias
        if self._job.notice is None or alias in self._notified:
            return
        self._notified.add(alias)
        try:
            await conference.say(self._job.notice)
        except PexrtcError as exc:
            logger.warning("! %s: the notice could not be given: %s", alias, exc)
