"""A living conference of the node: its room, its media, and where the events of its participants go.

The room decides. This carries out: every outcome's events go to mailboxes, every effect to media, tokens and dialling,
and the room's next timer is set. All of it happens in the event loop without waiting, so outcomes never interleave;
what must wait (ending a call, dialling) is a job of the node.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, assert_never

from ..errors import PexrtcError
from ..protocol import events as ev
from ..protocol.models import CallType, CallUuid, Participant, ParticipantUuid, Role, Token
from ..protocol.room import Command, Room, RoomCall
from ..protocol.room_admission import Newcomer
from ..protocol.room_effects import (
    DialOut,
    Effect,
    EndCall,
    EndParticipant,
    Outcome,
    PlayDigits,
    ReceiveDigits,
    ReferTo,
    SetFloor,
    SetRights,
    SetStage,
    SetView,
)
from ..protocol.room_settings import RoomSettings
from .alarm import Alarm
from .dialling import DialJob, Dialler
from .media_port import MediaFactory, MediaPort, StreamOffer
from .streams import Mailbox

__all__ = ["Conference", "ConferenceHost", "Invitation", "Session"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What a one-time token stands for."""

    alias: str
    """The conference it opens."""
    role: Role
    """As what."""
    dialled: ParticipantUuid | None = None
    """The participant whose place its bearer takes."""


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """One participant as the node serves it: what a token stands for."""

    conference: Conference
    """Where it is."""
    participant: ParticipantUuid
    """Who it is."""
    alias: str
    """The alias it came by: of its conference, or of a Virtual Reception."""
    mailbox: Mailbox
    """Where its events go."""
    ended: bool = False
    """Whether it is over, token and all."""
    calling: int = 0
    """Calls that are being answered."""


class ConferenceHost(Protocol):
    """What a conference needs of its node."""

    url: str

    def find(self, alias: str) -> RoomSettings | None:
        """Return what an alias leads to."""

    def invite(self, invitation: Invitation) -> Token:
        """Make a one-time token."""

    def spawn(self, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a job that may wait; what it raises is logged and goes no further."""

    def end_session(self, session: Session) -> None:
        """End a session's tokens."""

    def end_conference(self, conference: Conference) -> None:
        """Forget a conference that nobody is in."""

    def on_digits(self, alias: str, participant: ParticipantUuid, digits: str) -> None:
        """Learn that a participant sent DTMF digits."""


class Conference:
    """One conference. Driven by the requests of its participants, by its media, and by one timer."""

    def __init__(
        self,
        settings: RoomSettings,
        host: ConferenceHost,
        *,
        media: MediaFactory,
        epoch: float,
        draw_uuid: Callable[[], str],
        dial: Dialler | None,
    ) -> None:
        self.settings = settings
        self.room = Room(settings, draw_uuid=draw_uuid, epoch=epoch, find=host.find)
        self.media: MediaPort = media(settings, self)
        self.sessions: dict[ParticipantUuid, Session] = {}
        self.latest_frame = b""
        self._host = host
        self._dial = dial
        self._legs: dict[ParticipantUuid, asyncio.Task[None]] = {}
        self._alarm = Alarm(self._on_alarm)
        self._loop = asyncio.get_running_loop()
        self._joined = 0
        self.media.set_layout(settings.layout)

    @property
    def now(self) -> float:
        """The moment, on the loop's clock."""
        return self._loop.time()

    def join(self, newcomer: Newcomer, alias: str) -> Session | Outcome:
        """Let one in who came by this alias; the outcome when it is refused."""
        outcome = self.room.join(newcomer, self.now)
        if outcome.status != HTTPStatus.OK:
            self.apply(outcome)
            return outcome
        if not isinstance(outcome.result, Participant):
            raise AssertionError("a join that is not refused results in a participant")
        self._joined += 1
        session = Session(
            conference=self,
            participant=outcome.result.uuid,
            alias=alias,
            mailbox=Mailbox(str(self._joined)),
        )
        self.sessions[session.participant] = session
        self.apply(outcome)
        return session

    def handle(self, command: Command) -> Outcome:
        """Carry out an operation of the room."""
        outcome = self.room.handle(command, self.now)
        self.apply(outcome)
        if command.operation == "participant_overlaytext" and command.target is not None:
            self._write_name(command.target)
        return outcome

    def leave(self, participant: ParticipantUuid, reason: str, *, tell: bool = False) -> None:
        """End a participant."""
        self.apply(self.room.leave(participant, reason, self.now, tell=tell))

    def apply(self, outcome: Outcome) -> None:
        """Send the events of an outcome, carry out its effects, and set the next timer."""
        written: dict[int, tuple[str, str]] = {}
        for delivery in outcome.deliveries:
            session = self.sessions.get(delivery.recipient)
            if session is None:
                continue
            event = delivery.event
            text = written.get(id(event))
            if text is None:  # one event goes to many: it is written once
                text = written[id(event)] = ev.serialize_event(event)
            frame = self.latest_frame if isinstance(event, ev.PresentationFrame) else None
            session.mailbox.push(*text, frame=frame)
        for effect in outcome.effects:
            self._carry_out(effect)
        self._alarm.set(self.room.next_timer())
        if self.room.is_empty:
            self._host.end_conference(self)

    async def aclose(self) -> None:
        """End the media and all timers. Idempotent; everybody has left before."""
        self._alarm.set(None)
        for leg in self._legs.values():
            leg.cancel()
        await self.media.aclose()

    # What the media reports (MediaListener)

    def on_voice(self, participant: ParticipantUuid, *, speaking: bool) -> None:
        """Let the stage know who speaks."""
        self.apply(self.room.handle_voice(participant, self.now, speaking=speaking))

    def on_digits(self, participant: ParticipantUuid, digits: str) -> None:
        """Pass digits from within the media on."""
        self._host.on_digits(self.settings.alias, participant, digits)

    def on_call_lost(self, call: CallUuid, reason: str) -> None:
        """End a call whose transport is gone, and tell its participant."""
        for uuid, participant in self.room.participants.items():
            if call in self.room.calls(uuid):
                if participant.protocol == "rtmp" and participant.call_direction == "out":
                    self.leave(uuid, reason)  # a stream is its call and nothing else
                else:
                    self.end_call(uuid, call, reason=reason)
                return

    def on_presentation_frame(self, jpeg: bytes) -> None:
        """Announce a new picture of the presentation."""
        self.latest_frame = jpeg
        self.apply(self.room.handle_presentation_frame(self.now))

    def end_call(self, participant: ParticipantUuid, call: CallUuid, *, reason: str = "") -> None:
        """End a call: by its participant, or for a reason it is told."""
        self.apply(self.room.handle_call_end(participant, call, self.now, reason=reason))
        self._host.spawn(self.media.remove_call(call))

    def _write_name(self, uuid: ParticipantUuid) -> None:
        """Tell the media what stands under a participant's picture."""
        if participant := self.room.participants.get(uuid):
            self.media.set_name(uuid, participant.overlay_text or participant.display_name)

    def _on_alarm(self) -> None:
        self.apply(self.room.handle_timer(self.now))

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SetRights(participant=participant, rights=rights):
                self._write_name(participant)
                self.media.set_admitted(participant, admitted=rights.admitted)
                self.media.set_muted(participant, muted=not rights.heard)
                self.media.set_receives_presentation(participant, allowed=rights.presentation)
            case SetStage(order=order):
                self.media.set_stage(order)
            case SetView(view=view):
                self.media.set_layout(view)
            case SetFloor(presenter=presenter):
                self.media.set_floor(presenter)
            case EndCall(call=call):
                self._host.spawn(self.media.remove_call(call))
            case PlayDigits(participant=participant, digits=digits):
                self.media.send_digits(participant, digits)
            case ReceiveDigits(participant=participant, digits=digits):
                self._host.on_digits(self.settings.alias, participant, digits)
            case EndParticipant(participant=participant, reason=reason):
                self._end_participant(participant, reason)
            case ReferTo(participant=participant, alias=alias, role=role):
                token = self._host.invite(Invitation(alias=alias, role=role))
                if session := self.sessions.get(participant):
                    session.mailbox.push(*ev.serialize_event(ev.Refer(alias=alias, token=token)))
            case DialOut(participant=participant):
                leg = self._run_stream(effect) if effect.request.protocol == "rtmp" else self._run_leg(effect)
                self._legs[participant] = self._host.spawn(leg)
            case _:
                assert_never(effect)

    def _end_participant(self, participant: ParticipantUuid, reason: str) -> None:
        if leg := self._legs.pop(participant, None):
            leg.cancel()
        self.media.remove_participant(participant)
        session = self.sessions.pop(participant, None)
        if session is not None:
            logger.info("left %s: %s (%s)", self.settings.alias, participant, reason)
            session.ended = True
            session.mailbox.end()
            self._host.end_session(session)

    async def _run_leg(self, effect: DialOut) -> None:
        """Call somebody; when the call fails or ends unanswered, the participant that was to come is gone."""
        request = effect.request
        invitation = Invitation(alias=self.settings.alias, role=request.role, dialled=effect.participant)
        try:
            if self._dial is None:
                logger.warning("! dial %s: this node was given nobody to dial with", self.settings.alias)
                return
            await self._dial(
                DialJob(
                    node_url=self._host.url,
                    alias=self.settings.alias,
                    participant=effect.participant,
                    token=self._host.invite(invitation),
                    request=request,
                    is_own=self._host.find(request.destination) is not None,
                )
            )
        except PexrtcError as exc:
            logger.info("! dial %s: %s", self.settings.alias, exc)
        finally:
            self._legs.pop(effect.participant, None)
            self.apply(self.room.handle_dial_failure(effect.participant, self.now))

    async def _run_stream(self, effect: DialOut) -> None:
        """Send the conference to an RTMP server; the participant is there as long as that takes it."""
        request, uuid = effect.request, effect.participant
        offer = StreamOffer(
            participant=uuid,
            call=self.room.draw_call(),
            url=request.destination,
            slides_url=request.presentation_url or request.presentation_uri or "",
            has_video=request.call_type is not CallType.AUDIO,
        )
        try:
            await self.media.push_stream(offer)
        except PexrtcError as exc:
            logger.info("! dial %s: %s", self.settings.alias, exc)
            self.apply(self.room.handle_dial_failure(uuid, self.now))
            return
        finally:
            self._legs.pop(uuid, None)
        seated = self.room.join(Newcomer(display_name="", role=request.role, dialled=uuid), self.now)
        self.apply(seated)
        if seated.status != HTTPStatus.OK:
            await self.media.remove_call(offer.call)
            return
        call = RoomCall(uuid=offer.call, has_audio=True, has_video=offer.has_video, rtmp=True)
        self.apply(self.room.handle_call(uuid, call, self.now))
