"""What a room asks of the world besides events: media, tokens and dialling are not its own.

A closed union; the node's conference carries each out (`match`, exhaustive). Whoever adds one here adds its arm there.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from .events import Event
from .models import CallUuid, DialRequest, ParticipantUuid, Role
from .room_members import MediaRights

__all__ = [
    "Delivery",
    "DialOut",
    "Effect",
    "EndCall",
    "EndParticipant",
    "Outcome",
    "PlayDigits",
    "ReceiveDigits",
    "ReferTo",
    "SetFloor",
    "SetRights",
    "SetStage",
    "SetView",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRights:
    """Let a participant's media do this, and no more."""

    participant: ParticipantUuid
    rights: MediaRights


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStage:
    """Show participants in this order, main speaker first."""

    order: tuple[ParticipantUuid, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetView:
    """Show this layout."""

    view: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFloor:
    """Forward this participant's presentation, or none."""

    presenter: ParticipantUuid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall:
    """End a call's media."""

    call: CallUuid


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayDigits:
    """Play DTMF digits to a participant."""

    participant: ParticipantUuid
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveDigits:
    """Tell whoever listens that a participant sent DTMF digits."""

    participant: ParticipantUuid
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndParticipant:
    """End a participant's token and, once its last event is out, its event stream."""

    participant: ParticipantUuid
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferTo:
    """Send a participant to another conference with a one-time token."""

    participant: ParticipantUuid
    alias: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOut:
    """Call somebody who is to become this participant."""

    participant: ParticipantUuid
    request: DialRequest


Effect = (
    SetRights
    | SetStage
    | SetView
    | SetFloor
    | EndCall
    | PlayDigits
    | ReceiveDigits
    | EndParticipant
    | ReferTo
    | DialOut
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one participant."""

    recipient: ParticipantUuid
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that follows from one command, voice or timer."""

    result: object = None
    """What to answer: a model, a bool, None; the reason when refused."""
    status: int = HTTPStatus.OK
    """HTTP status of the answer."""
    deliveries: tuple[Delivery, ...] = ()
    """Events in order; to be sent before the answer."""
    effects: tuple[Effect, ...] = ()
    """What the world is to do, in order."""
