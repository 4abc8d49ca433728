"""The presentation floor: one presenter at a time, the last who asks has it.

All three generations of clients end here: a `present: send` call takes the floor by being made,
`take_floor` takes it for the third line of the main call, `presentation` calls for pictures. Who loses the floor is
told by the presentation of the next one, by `call_disconnected` when a call of its own carried it, and by a
`presentation_start` of empty fields when it may not receive what comes instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from . import events as ev
from .models import CallUuid, ParticipantUuid
from .room_effects import EndCall
from .room_members import Command, Refusal
from .room_state import Handler, RoomState

__all__ = ["FLOOR", "check_may_present", "give_floor", "release_floor"]

STOLEN = "Call disconnected"


def check_may_present(state: RoomState, uuid: ParticipantUuid) -> None:
    """Check that a participant may take the floor.

    Raises:
        Refusal: it is not inside, or Guests may not present.
    """
    participant = state.get(uuid)
    if not state.sees_others(uuid) or not (participant.is_host or state.settings.guests_can_present):
        raise Refusal(HTTPStatus.FORBIDDEN, "Presentation not allowed")


def give_floor(state: RoomState, uuid: ParticipantUuid, call: CallUuid | None = None) -> None:
    """Make a participant the presenter, by a call of its own or its main call; who had the floor loses it."""
    if state.presenter is not None and state.presenter != uuid:
        _take_floor_from(state, state.presenter)
    state.presenter = uuid
    state.floor_call = call
    state.update(uuid, is_presenting="YES")


def release_floor(state: RoomState, uuid: ParticipantUuid) -> None:
    """End a participant's presentation; one who does not hold the floor changes nothing."""
    if state.presenter == uuid:
        state.presenter = state.floor_call = None
        state.update(uuid, is_presenting="NO")


def _take_floor_from(state: RoomState, loser: ParticipantUuid) -> None:
    call = state.floor_call
    release_floor(state, loser)
    if call is not None:
        state.attendance[loser].calls.pop(call, None)
        state.send(loser, ev.CallDisconnected(call_uuid=call, reason=STOLEN))
        state.effect(EndCall(call=call))
    elif not state.participants[loser].may_receive_presentation:
        state.send(loser, ev.PresentationStart())


def _take(state: RoomState, command: Command, now: float) -> None:
    check_may_present(state, command.actor)
    if state.presenter != command.actor:
        give_floor(state, command.actor)


def _release(state: RoomState, command: Command, now: float) -> None:
    release_floor(state, command.actor)


def _allow(state: RoomState, command: Command, now: float) -> bool:
    return _set_policy(state, command, allowed=True)


def _deny(state: RoomState, command: Command, now: float) -> bool:
    return _set_policy(state, command, allowed=False)


def _set_policy(state: RoomState, command: Command, *, allowed: bool) -> bool:
    state.update(state.get(command.target).uuid, rx_presentation_policy="ALLOW" if allowed else "DENY")
    return True


FLOOR: Mapping[str, Handler] = {
    "participant_take_floor": _take,
    "participant_release_floor": _release,
    "participant_allowrxpresentation": _allow,
    "participant_denyrxpresentation": _deny,
}
"""Handlers by name of operation."""
