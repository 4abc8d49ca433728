"""The authority over one conference: commands, calls, voices and timers in; answers, events and effects out.

Rights are checked here, once, by the table of operations: who is no Host changes nobody but itself. What an operation
does lives by noun in the modules `room_*`; how changes become events, in `room_state`. No clock, no dice, no sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from . import events as ev
from .models import CallUuid, Participant, ParticipantRole, ParticipantUuid, Present, ServiceType, yes_no
from .operations import OPERATIONS, Caller
from .room_admission import Newcomer, participant_role
from .room_control import CONTROL, dial_failed
from .room_effects import Outcome
from .room_floor import FLOOR, check_may_present, give_floor, release_floor
from .room_layout import LAYOUT
from .room_members import MAIN_MIX, Attendance, Command, Refusal, RoomCall
from .room_messages import MESSAGES
from .room_people import PEOPLE, transfer_handler
from .room_settings import RoomSettings, ServiceKind
from .room_state import Handler, RoomState

__all__ = ["NAME_LIMIT", "ROOM_OPERATIONS", "Command", "Room", "RoomCall"]

NAME_LIMIT = 250
"""Characters of a display name or a tag that are kept; Infinity's own limit for names."""

INVALID_ROLE = "Invalid role"
HOSTS_GONE = "All conference hosts departed hosted conference"
WAITED_TOO_LONG = "Timeout waiting for conference host to join or permit access to locked conference"
TEST_CALL_FINISHED = "Test call finished"

_HANDLERS: Mapping[str, Handler] = MappingProxyType({**CONTROL, **FLOOR, **LAYOUT, **MESSAGES, **PEOPLE})

ROOM_OPERATIONS = frozenset({*_HANDLERS, "participant_transfer"})
"""Operations that `Room.handle` carries out; the node does the others with tokens, streams and media."""


def _nowhere(alias: str) -> RoomSettings | None:
    return None


class Room:
    """One conference. Driven by `join`, `leave`, `handle`, `handle_call*`, `handle_voice` and `handle_timer`."""

    def __init__(
        self,
        settings: RoomSettings,
        *,
        draw_uuid: Callable[[], str],
        epoch: float = 0.0,
        find: Callable[[str], RoomSettings | None] = _nowhere,
    ) -> None:
        """Open an empty conference.

        Args:
            settings: who may come in, and for how long.
            draw_uuid: draws names for participants and calls.
            epoch: Unix time at `now` 0; participants carry Unix times.
            find: what an alias leads to, for transfers.
        """
        self.settings = settings
        self._state = RoomState(settings, epoch=epoch, draw_uuid=draw_uuid)
        self._handlers = {**_HANDLERS, "participant_transfer": transfer_handler(find)}

    @property
    def participants(self) -> Mapping[ParticipantUuid, Participant]:
        """Everybody, waiting and ringing ones included, in the order they came."""
        return MappingProxyType(self._state.participants)

    @property
    def presenter(self) -> ParticipantUuid | None:
        """Who holds the presentation floor."""
        return self._state.presenter

    @property
    def is_empty(self) -> bool:
        """Whether nobody is there."""
        return not self._state.participants

    def sync(self, viewer: ParticipantUuid) -> list[ev.Event]:
        """Return what an event stream of this participant begins with."""
        return self._state.sync(viewer)

    def visible_to(self, viewer: ParticipantUuid) -> list[Participant]:
        """Return the participants this one is told of."""
        return self._state.visible_to(viewer)

    def calls(self, participant: ParticipantUuid) -> Mapping[CallUuid, RoomCall]:
        """Return the calls of a participant, none when it is not there."""
        attendance = self._state.attendance.get(participant)
        return MappingProxyType(attendance.calls if attendance else {})

    def join(self, newcomer: Newcomer, now: float) -> Outcome:
        """Let in one who has passed the door; the result is its `Participant`.

        Refused when the conference is full, or the dialled place it comes to take is gone.
        """
        state = self._state
        try:
            participant = self._seat(newcomer, now) if newcomer.dialled else self._welcome(newcomer, now)
        except Refusal as refusal:
            return state.finish(now, result=refusal.reason, status=refusal.status)
        if newcomer.starts_conference and participant.is_host:
            state.started = True
        outcome = state.finish(now)
        return Outcome(
            result=state.participants[participant.uuid], deliveries=outcome.deliveries, effects=outcome.effects
        )

    def leave(self, participant: ParticipantUuid, reason: str, now: float, *, tell: bool = False) -> Outcome:
        """End a participant: it left by itself, or, to be told, its token has expired."""
        self._state.remove(participant, reason, tell=tell)
        return self._state.finish(now, result=True)

    def end(self, reason: str, now: float) -> Outcome:
        """End the conference; everybody is told why."""
        self._state.remove_all(reason)
        return self._state.finish(now, result=True)

    def check(self, command: Command) -> Outcome | None:
        """Check the rights to an operation; None when it is allowed."""
        try:
            self._check(command)
        except Refusal as refusal:
            return Outcome(result=refusal.reason, status=refusal.status)
        return None

    def handle(self, command: Command, now: float) -> Outcome:
        """Carry out one of `ROOM_OPERATIONS`."""
        try:
            self._check(command)
            result = self._handlers[command.operation](self._state, command, now)
        except Refusal as refusal:
            return self._state.finish(now, result=refusal.reason, status=refusal.status)
        return self._state.finish(now, result=result)

    def draw_call(self) -> CallUuid:
        """Draw a name for a call."""
        return CallUuid(self._state.draw_uuid())

    def may_present(self, participant: ParticipantUuid) -> Outcome | None:
        """Check whether a call that presents may be made; None when it may."""
        try:
            check_may_present(self._state, participant)
        except Refusal as refusal:
            return Outcome(result=refusal.reason, status=refusal.status)
        return None

    def handle_call(self, uuid: ParticipantUuid, call: RoomCall, now: float) -> Outcome:
        """Learn that a call was answered, or answered anew by `update`."""
        state = self._state
        if uuid not in state.participants:
            return state.finish(now)
        state.attendance[uuid].calls[call.uuid] = call
        if call.pictures or call.present is Present.SEND:
            give_floor(state, uuid, call.uuid)
        elif call.present is not Present.RECEIVE:
            self._set_media(uuid, call)
            if call.present is Present.MAIN:
                state.update(uuid, needs_presentation_in_mix=True)
            if state.participants[uuid].is_host and state.participants[uuid].in_conference:
                state.started = True
            attendance = state.attendance[uuid]
            if self.settings.service_type is ServiceKind.TEST_CALL and attendance.test_call_since is None:
                attendance.test_call_since = now
        return state.finish(now)

    def handle_call_end(self, uuid: ParticipantUuid, call: CallUuid, now: float, *, reason: str = "") -> Outcome:
        """Learn that a call has ended; with a reason the participant is told of it."""
        state = self._state
        attendance = state.attendance.get(uuid)
        ended = None if attendance is None else attendance.calls.pop(call, None)
        if ended is None:
            return state.finish(now)
        is_main = not ended.pictures and ended.present in (None, Present.MAIN)
        if state.presenter == uuid and (state.floor_call == call or (is_main and state.floor_call is None)):
            release_floor(state, uuid)
        if is_main:
            self._set_media(uuid, None)
        if reason:
            state.send(uuid, ev.CallDisconnected(call_uuid=call, reason=reason))
        return state.finish(now)

    def handle_voice(self, participant: ParticipantUuid, now: float, *, speaking: bool) -> Outcome:
        """Learn that a participant began or ceased to speak."""
        self._state.stage.handle_voice(participant, now, speaking=speaking)
        return self._state.finish(now)

    def handle_presentation_frame(self, now: float) -> Outcome:
        """Learn that there is a new picture of the presentation."""
        state = self._state
        for viewer in state.participants:
            if state.presenter_shown_to(viewer) is not None:
                state.send(viewer, ev.PresentationFrame(event_id=""))
        return state.finish(now)

    def handle_dial_failure(self, participant: ParticipantUuid, now: float) -> Outcome:
        """Learn that a dialled participant will not come."""
        dial_failed(self._state, participant)
        return self._state.finish(now)

    def next_timer(self) -> float | None:
        """When something happens by itself, or None."""
        state = self._state
        settings = self.settings
        times = [state.stage.next_timer()]
        if state.guests_alone_since is not None:
            times.append(state.guests_alone_since + settings.guests_only_timeout_s)
        for attendance in state.attendance.values():
            if attendance.waiting_since is not None:
                times.append(attendance.waiting_since + settings.waiting_timeout_s)
            if attendance.ringing_since is not None:
                times.append(attendance.ringing_since + settings.answer_timeout_s)
            if attendance.test_call_since is not None:
                times.append(attendance.test_call_since + settings.test_call_s)
        return min((t for t in times if t is not None), default=None)

    def handle_timer(self, now: float) -> Outcome:
        """Do what is due: speakers, whoever waited or rang too long, Guests left alone, test calls that are over."""
        state = self._state
        settings = self.settings
        state.stage.handle_timer(now)
        for uuid, attendance in list(state.attendance.items()):
            if attendance.waiting_since is not None and now >= attendance.waiting_since + settings.waiting_timeout_s:
                state.remove(uuid, WAITED_TOO_LONG)
            elif attendance.ringing_since is not None and now >= attendance.ringing_since + settings.answer_timeout_s:
                dial_failed(state, uuid)
            elif attendance.test_call_since is not None and now >= attendance.test_call_since + settings.test_call_s:
                state.remove(uuid, TEST_CALL_FINISHED)
        if state.guests_alone_since is not None and now >= state.guests_alone_since + settings.guests_only_timeout_s:
            state.remove_all(HOSTS_GONE)
        return state.finish(now)

    def _check(self, command: Command) -> None:
        state = self._state
        actor = state.participants.get(command.actor)
        if actor is None:
            raise Refusal(HTTPStatus.FORBIDDEN, "Invalid token")
        is_self = command.target == command.actor
        is_host = actor.is_host and actor.in_conference
        match OPERATIONS[command.operation].caller:
            case Caller.HOST:
                allowed = is_host
            case Caller.SELF_OR_HOST:
                allowed = is_host or is_self
            case Caller.SELF:
                allowed = is_self
            case Caller.TOKEN | Caller.ANYONE:
                allowed = True
        if not allowed:
            raise Refusal(HTTPStatus.FORBIDDEN, INVALID_ROLE)

    def _welcome(self, newcomer: Newcomer, now: float) -> Participant:
        state = self._state
        if len(state.participants) >= self.settings.participant_limit:
            raise Refusal(HTTPStatus.FORBIDDEN, "Participant limit reached")
        uuid = ParticipantUuid(state.draw_uuid())
        role = participant_role(newcomer.role)
        name = newcomer.display_name[:NAME_LIMIT]
        muted = role is ParticipantRole.GUEST and state.guests_muted
        participant = Participant(
            uuid=uuid,
            api_url=f"/participants/{uuid}",
            display_name=name,
            overlay_text=name,
            is_muted=yes_no(flag=muted),
            local_alias=self.settings.alias,
            presentation_supported="YES",
            transfer_supported="YES",
            disconnect_supported="YES",
            mute_supported="YES",
            protocol="api",
            role=role,
            service_type=ServiceType.WAITING_ROOM,
            start_time=state.wall(now),
            uri=newcomer.uri,
            vendor=newcomer.vendor,
            call_tag=newcomer.call_tag[:NAME_LIMIT],
            supports_direct_chat=newcomer.supports_direct_chat,
            can_receive_personal_mix=False,
            receive_from_video_mix=MAIN_MIX,
        )
        state.add(participant, Attendance(waiting_since=now))
        return participant

    def _seat(self, newcomer: Newcomer, now: float) -> Participant:
        """Let a dialled one take the place that was kept for it."""
        state = self._state
        attendance = state.attendance.get(newcomer.dialled) if newcomer.dialled else None
        if newcomer.dialled is None or attendance is None or attendance.ringing_since is None:
            raise Refusal(HTTPStatus.FORBIDDEN, "Invalid token")
        attendance.ringing_since = None
        return state.update(
            newcomer.dialled,
            service_type=ServiceType(self.settings.service_type),
            vendor=newcomer.vendor,
            call_tag=newcomer.call_tag[:NAME_LIMIT],
            presentation_supported="YES",
            transfer_supported="YES",
            mute_supported="YES",
            supports_direct_chat=newcomer.supports_direct_chat,
        )

    def _set_media(self, uuid: ParticipantUuid, call: RoomCall | None) -> None:
        """Show in the roster what main media a participant has."""
        has_media = call is not None and (call.has_audio or call.has_video)
        has_video = call is not None and call.has_video
        if call is not None and call.rtmp:
            streaming = call.streaming or self._state.participants[uuid].is_streaming_conference
            self._state.update(uuid, protocol="rtmp", is_streaming_conference=streaming)
        self._state.update(
            uuid,
            has_media=has_media,
            encryption="On" if has_media and not (call is not None and call.rtmp) else "Off",
            is_video_call=yes_no(flag=has_video),
            is_audio_only_call=yes_no(flag=has_media and not has_video),
        )
