"""What passes from one participant to others and leaves no state: chat, DTMF digits, camera control."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from . import events as ev
from .models import DtmfRequest, FeccRequest, Message, Participant, ParticipantUuid
from .room_effects import PlayDigits, ReceiveDigits
from .room_members import Command, Refusal
from .room_state import Handler, RoomState

__all__ = ["MESSAGES", "MESSAGE_LIMIT"]

MESSAGE_LIMIT = 64 * 1024
"""Characters of one chat message at most; a limit of our own, the size of the pieces PexRTC cuts pictures into."""

_DIGITS = re.compile(r"[0-9*#A-D]{1,256}")


def _message(state: RoomState, command: Command, now: float) -> bool:
    """Send to everybody inside but the sender: clients show their own by themselves."""
    event = _chat(state, command, direct=False)
    for uuid in state.participants:
        if uuid != command.actor and state.sees_others(uuid):
            state.send(uuid, event)
    return True


def _direct_message(state: RoomState, command: Command, now: float) -> bool:
    target = _visible_target(state, command)
    event = _chat(state, command, direct=True)
    if target.uuid != command.actor:
        state.send(target.uuid, event)
    return True


def _chat(state: RoomState, command: Command, *, direct: bool) -> ev.MessageReceived:
    message = command.body_as(Message)
    if not state.settings.chat_enabled or not state.sees_others(command.actor):
        raise Refusal(HTTPStatus.FORBIDDEN, "Chat is not enabled")
    if len(message.payload) > MESSAGE_LIMIT:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Message too long")
    sender = state.get(command.actor)
    return ev.MessageReceived(
        origin=sender.display_name,
        uuid=sender.uuid,
        type=message.type,
        payload=message.payload,
        direct=direct,
    )


def _participant_digits(state: RoomState, command: Command, now: float) -> bool:
    """Play digits to a participant; one's own are meant for the conference."""
    digits = _checked_digits(command)
    target = state.get(command.target)
    if target.uuid == command.actor:
        state.effect(ReceiveDigits(participant=target.uuid, digits=digits))
    else:
        state.effect(PlayDigits(participant=target.uuid, digits=digits))
    return True


def _call_digits(state: RoomState, command: Command, now: float) -> bool:
    digits = _checked_digits(command)
    if command.call not in state.attendance[command.actor].calls:
        raise Refusal(HTTPStatus.NOT_FOUND, "Call not found")
    state.effect(ReceiveDigits(participant=command.actor, digits=digits))
    return True


def _checked_digits(command: Command) -> str:
    digits = command.body_as(DtmfRequest).digits
    if not _DIGITS.fullmatch(digits):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value: digits")
    return digits


def _fecc(state: RoomState, command: Command, now: float) -> bool:
    """Pass camera control on to who is named in the body, or else in the path."""
    request = command.body_as(FeccRequest)
    target = _visible_target(state, command) if request.target is None else state.get(ParticipantUuid(request.target))
    if not state.sees_others(command.actor):
        raise Refusal(HTTPStatus.FORBIDDEN, "Invalid role")
    state.send(target.uuid, ev.Fecc(action=request.action, movement=request.movement, timeout=request.timeout or 0))
    return True


def _visible_target(state: RoomState, command: Command) -> Participant:
    """Return the participant in the path, for one who may know of it."""
    target = state.get(command.target)
    if target.uuid != command.actor and not state.sees_others(command.actor):
        raise Refusal(HTTPStatus.NOT_FOUND, "Participant not found")
    return target


MESSAGES: Mapping[str, Handler] = {
    "conference_message": _message,
    "participant_message": _direct_message,
    "participant_dtmf": _participant_digits,
    "call_dtmf": _call_digits,
    "participant_fecc": _fecc,
    "call_fecc": _fecc,
}
"""Handlers by name of operation."""
