"""What is done to one participant: muting, roles, spotlights, hands, the waiting room, transfer (v14 guide,
"Participant functions", and what real clients call)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from . import events as ev
from .models import Participant, ParticipantRole, RoleRequest, StateSetting, TransferRequest, yes_no
from .room_admission import INVALID_PIN, role_for_transfer
from .room_effects import ReferTo
from .room_members import Command, Refusal
from .room_settings import RoomSettings, ServiceKind
from .room_state import Handler, RoomState

__all__ = ["PEOPLE", "transfer_handler"]

DISCONNECTED = "API initiated participant disconnect"


def _disconnect(state: RoomState, command: Command, now: float) -> bool:
    state.remove(state.get(command.target).uuid, DISCONNECTED)
    return True


def _mute(state: RoomState, command: Command, now: float) -> bool:
    return _set_muted(state, state.get(command.target), muted=True)


def _unmute(state: RoomState, command: Command, now: float) -> bool:
    target = state.get(command.target)
    if not state.get(command.actor).is_host and not state.guests_can_unmute:
        raise Refusal(HTTPStatus.FORBIDDEN, "Guests cannot unmute themselves")
    return _set_muted(state, target, muted=False)


def _set_muted(state: RoomState, target: Participant, *, muted: bool) -> bool:
    state.update(target.uuid, is_muted=yes_no(flag=muted))
    return True


def _set(**changes: object) -> Handler:
    """Make a handler that sets fields of the participant in the path."""

    def handler(state: RoomState, command: Command, now: float) -> bool:
        state.update(state.get(command.target).uuid, **changes)
        return True

    return handler


def _set_time(field: str) -> Handler:
    """Make a handler that notes in a field since when something holds; what holds already keeps its time."""

    def handler(state: RoomState, command: Command, now: float) -> bool:
        target = state.get(command.target)
        if not getattr(target, field):
            state.update(target.uuid, **{field: state.wall(now)})
        return True

    return handler


def _accept(state: RoomState, command: Command, now: float) -> bool:
    """Take note of what changes nothing here: this node shows the same picture to all, and nobody is away."""
    state.get(command.target)
    return True


def _unlock(state: RoomState, command: Command, now: float) -> bool:
    state.attendance[state.get(command.target).uuid].let_in = True
    return True


def _role(state: RoomState, command: Command, now: float) -> bool:
    target = state.get(command.target)
    role = command.body_as(RoleRequest).role
    if role is ParticipantRole.UNKNOWN:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: role")
    state.update(target.uuid, role=role)
    return True


def _overlay_text(state: RoomState, command: Command, now: float) -> bool:
    state.update(state.get(command.target).uuid, overlay_text=command.text())
    return True


def _presentation_in_mix(state: RoomState, command: Command, now: float) -> bool:
    state.update(state.get(command.target).uuid, needs_presentation_in_mix=command.body_as(StateSetting).state)
    return True


def _set_hold(*, held: bool) -> Handler:
    """Make a handler that holds or resumes: one on hold is not heard, and is told."""

    def handler(state: RoomState, command: Command, now: float) -> bool:
        target = state.get(command.target)
        state.update(target.uuid, is_on_hold=held)
        state.send(target.uuid, ev.OnHold(setting=held))
        return True

    return handler


def transfer_handler(find: Callable[[str], RoomSettings | None]) -> Handler:
    """Make the handler of `transfer`; it asks the node what an alias leads to."""

    def handler(state: RoomState, command: Command, now: float) -> bool:
        target = state.get(command.target)
        request = command.body_as(TransferRequest)
        settings = find(request.conference_alias)
        if settings is None or settings.service_type is ServiceKind.VIRTUAL_RECEPTION:
            raise Refusal(HTTPStatus.NOT_FOUND, "Neither conference nor gateway found")
        role = role_for_transfer(settings, request.role, request.pin)
        if role is None:
            raise Refusal(HTTPStatus.FORBIDDEN, INVALID_PIN)
        state.effect(ReferTo(participant=target.uuid, alias=settings.alias, role=role))
        return True

    return handler


PEOPLE: Mapping[str, Handler] = {
    "participant_disconnect": _disconnect,
    "participant_mute": _mute,
    "participant_unmute": _unmute,
    "participant_client_mute": _set(is_client_muted=True),
    "participant_client_unmute": _set(is_client_muted=False),
    "participant_video_muted": _set(is_video_muted=True),
    "participant_video_unmuted": _set(is_video_muted=False),
    "participant_spotlighton": _set_time("spotlight"),
    "participant_spotlightoff": _set(spotlight=0.0),
    "participant_buzz": _set_time("buzz_time"),
    "participant_clearbuzz": _set(buzz_time=0.0),
    "participant_unlock": _unlock,
    "participant_role": _role,
    "participant_overlaytext": _overlay_text,
    "participant_pres_in_mix": _presentation_in_mix,
    "participant_hold": _set_hold(held=True),
    "participant_resume": _set_hold(held=False),
    "participant_preferred_aspect_ratio": _accept,
    "participant_notify_not_afk": _accept,
}
"""Handlers by name of operation; `participant_transfer` is made by `transfer_handler`."""
