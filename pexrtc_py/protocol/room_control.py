"""Conference control: switches, dialling out, and the end of it all (v14 guide, "Conference control functions")."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from .models import (
    ConferenceStatus,
    DialRequest,
    Participant,
    ParticipantRole,
    ParticipantUuid,
    Role,
    ServiceType,
    Setting,
    TextSetting,
    yes_no,
)
from .room_admission import participant_role
from .room_effects import DialOut
from .room_members import MAIN_MIX, TEXT_LIMIT, Attendance, Command, KeepAlive, Refusal
from .room_state import Handler, RoomState

__all__ = ["CONTROL", "dial_failed"]

# What may be asked for, and what participants then carry: `auto` is no protocol, and stands for none until answered.
_PROTOCOLS = {"sip": "sip", "h323": "h323", "rtmp": "rtmp", "mssip": "mssip", "auto": ""}
TERMINATED = "API initiated conference termination"
DIAL_FAILED = "Gateway dial out failed"


def _status(state: RoomState, command: Command, now: float) -> ConferenceStatus:
    return state.status


def _participants(state: RoomState, command: Command, now: float) -> list[Participant]:
    return state.visible_to(command.actor)


def _lock(state: RoomState, command: Command, now: float) -> bool:
    state.locked = True
    return True


def _unlock(state: RoomState, command: Command, now: float) -> bool:
    state.locked = False
    return True


def _start(state: RoomState, command: Command, now: float) -> bool:
    state.started = True
    return True


def _mute_guests(state: RoomState, command: Command, now: float) -> bool:
    return _set_guests_muted(state, muted=True)


def _unmute_guests(state: RoomState, command: Command, now: float) -> bool:
    return _set_guests_muted(state, muted=False)


def _set_guests_muted(state: RoomState, *, muted: bool) -> bool:
    state.guests_muted = muted
    for participant in list(state.participants.values()):
        if participant.role is ParticipantRole.GUEST:
            state.update(participant.uuid, is_muted=yes_no(flag=muted))
    return True


def _disconnect(state: RoomState, command: Command, now: float) -> bool:
    state.remove_all(TERMINATED)
    return True


def _clear_all_buzz(state: RoomState, command: Command, now: float) -> bool:
    for uuid in state.participants:
        state.update(uuid, buzz_time=0.0)
    return True


def _clear_spotlights(state: RoomState, command: Command, now: float) -> bool:
    for uuid in state.participants:
        state.update(uuid, spotlight=0.0)
    return True


def _set_guests_can_unmute(state: RoomState, command: Command, now: float) -> bool:
    state.guests_can_unmute = command.body_as(Setting).setting
    return True


def _set_message_text(state: RoomState, command: Command, now: float) -> bool:
    state.message_text = command.text()
    return True


def _get_message_text(state: RoomState, command: Command, now: float) -> TextSetting:
    return TextSetting(text=state.message_text)


def _dial(state: RoomState, command: Command, now: float) -> list[ParticipantUuid]:
    """Let a participant appear as `connecting`; it is answered by joining in its place, or fails."""
    request = command.body_as(DialRequest)
    if request.role is Role.UNKNOWN:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: role")
    if request.protocol not in _PROTOCOLS:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: protocol")
    if not request.destination:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: destination")
    streaming = request.streaming == "yes"
    try:
        keep_alive = KeepAlive(request.keep_conference_alive or (KeepAlive.NEVER if streaming else KeepAlive.ALWAYS))
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: keep_conference_alive") from None
    if len(state.participants) >= state.settings.participant_limit:
        raise Refusal(HTTPStatus.FORBIDDEN, "Participant limit reached")
    said = (request.destination, request.remote_display_name, request.text, request.source)
    if any(len(text or "") > TEXT_LIMIT for text in said):
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Text too long")
    uuid = ParticipantUuid(state.draw_uuid())
    name = request.remote_display_name or request.destination
    state.add(
        Participant(
            uuid=uuid,
            api_url=f"/participants/{uuid}",
            call_direction="out",
            display_name=name,
            overlay_text=request.text or name,
            is_streaming_conference=streaming,
            local_alias=request.source or state.settings.alias,
            protocol=_PROTOCOLS[request.protocol],
            role=participant_role(request.role),
            service_type=ServiceType.CONNECTING,
            start_time=state.wall(now),
            uri=request.destination,
            disconnect_supported="YES",
            supports_direct_chat=False,
            can_receive_personal_mix=False,
            receive_from_video_mix=MAIN_MIX,
        ),
        Attendance(ringing_since=now, keep_alive=keep_alive),
    )
    state.effect(DialOut(participant=uuid, request=request))
    return [uuid]


def dial_failed(state: RoomState, uuid: ParticipantUuid) -> None:
    """Remove a dialled participant that did not answer; one who did stays."""
    attendance = state.attendance.get(uuid)
    if attendance is not None and attendance.ringing_since is not None:
        state.remove(uuid, DIAL_FAILED)


CONTROL: Mapping[str, Handler] = {
    "dial": _dial,
    "conference_status": _status,
    "conference_lock": _lock,
    "conference_unlock": _unlock,
    "start_conference": _start,
    "muteguests": _mute_guests,
    "unmuteguests": _unmute_guests,
    "conference_disconnect": _disconnect,
    "participants": _participants,
    "clearallbuzz": _clear_all_buzz,
    "clearspotlights": _clear_spotlights,
    "set_guests_can_unmute": _set_guests_can_unmute,
    "set_message_text": _set_message_text,
    "get_message_text": _get_message_text,
}
"""Handlers by name of operation."""
