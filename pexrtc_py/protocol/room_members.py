"""What the room's modules speak of: commands, refusals, calls, and what is known of a participant beyond the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import TypeVar

from .models import Body, CallUuid, ParticipantUuid, PersonalMix, Present, TextSetting

__all__ = ["MAIN_MIX", "TEXT_LIMIT", "Attendance", "Command", "KeepAlive", "MediaRights", "Refusal", "RoomCall"]

B = TypeVar("B", bound=Body)

MAIN_MIX = PersonalMix(mix_name="main")
"""The one mix there is here; Pexip's client refuses a participant that does not say which it receives."""

TEXT_LIMIT = 1000
"""Characters of a text over a picture or over all; a limit of our own: everybody is told of it again and again."""


class Refusal(Exception):
    """A command is refused; nothing has changed. Stays inside the room and becomes the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One operation as a participant calls it."""

    operation: str
    """Its name in `operations.OPERATIONS`."""
    actor: ParticipantUuid
    """Who calls."""
    target: ParticipantUuid | None = None
    """The participant in its path."""
    call: CallUuid | None = None
    """The call in its path."""
    body: Body | None = None
    """Its body, as the table's model."""
    query: Body | None = None
    """Its query, likewise."""

    def body_as(self, model: type[B]) -> B:
        """Return the body.

        Raises:
            Refusal: it is not of this model.
        """
        if not isinstance(self.body, model):
            raise Refusal(HTTPStatus.BAD_REQUEST, "Missing body")
        return self.body

    def text(self) -> str:
        """Return the text of a body that sets one.

        Raises:
            Refusal: there is none, or it is too long.
        """
        text = self.body_as(TextSetting).text
        if len(text) > TEXT_LIMIT:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Text too long")
        return text


class KeepAlive(Enum):
    """Whether a participant keeps the conference running (v14 guide, "dial", keep_conference_alive)."""

    ALWAYS = "keep_conference_alive"
    IF_MULTIPLE = "keep_conference_alive_if_multiple"
    NEVER = "keep_conference_alive_never"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCall:
    """One call of a participant."""

    uuid: CallUuid
    """Its name."""
    present: Present | None = None
    """What it presents; None for the main call."""
    has_audio: bool = False
    """Whether main audio was negotiated."""
    has_video: bool = False
    """Whether main video was negotiated."""
    pictures: bool = False
    """Whether it is a presentation sent as JPEG pictures, without media."""
    rtmp: bool = False
    """Whether it is RTMP, which is not encrypted."""
    streaming: bool = False
    """RTMP: whether its participant is one that streams or records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRights:
    """What a participant's media may do."""

    admitted: bool
    """Whether it hears, sees, is heard and seen at all: not in the waiting room."""
    heard: bool
    """Whether its voice is in the mix: neither muted nor on hold."""
    presentation: bool
    """Whether presentations are sent to it."""


@dataclass(slots=True, kw_only=True)
class Attendance:
    """What the room knows of a participant beyond what everybody is told."""

    waiting_since: float | None = None
    """Since when it waits for a Host or to be let in."""
    let_in: bool = False
    """Whether a Host let it in by name."""
    ringing_since: float | None = None
    """Since when it is being called."""
    test_call_since: float | None = None
    """Since when it makes a test call."""
    keep_alive: KeepAlive = KeepAlive.ALWAYS
    """Whether it keeps the conference running."""
    calls: dict[CallUuid, RoomCall] = field(default_factory=dict)
    """Its calls."""
    rights: MediaRights | None = None
    """What its media was last told it may do."""
    announced: bool = False
    """Whether others have been told of it."""
    changed: bool = False
    """Whether others are to be told anew."""
