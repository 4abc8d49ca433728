"""One struct for each server-sent event, and the union of them all; `events` reads and writes them.

Sources: guide v14, Server-sent events; observed: what real clients listen to.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from .models_base import UNSET, CallUuid, ParticipantUuid, Result, Token, UnsetType
from .models_conference import ConferenceStatus
from .models_participant import FeccMovement, Participant

__all__ = [
    "BreakoutBegin",
    "BreakoutEnd",
    "BreakoutEvent",
    "BreakoutRefer",
    "Bye",
    "CallDisconnected",
    "CancelRefer",
    "ConferenceUpdate",
    "Disconnect",
    "Event",
    "Fecc",
    "Layout",
    "LiveCaptions",
    "MessageReceived",
    "NewCandidate",
    "NewOffer",
    "OnHold",
    "ParticipantCreate",
    "ParticipantDelete",
    "ParticipantSyncBegin",
    "ParticipantSyncEnd",
    "ParticipantUpdate",
    "PeerDisconnect",
    "PresentationFrame",
    "PresentationStart",
    "PresentationStop",
    "Refer",
    "RefreshToken",
    "RequestedLayout",
    "ScreenLayouts",
    "SplashScreen",
    "Stage",
    "StageEntry",
    "UnknownEvent",
    "UpdateSdp",
]


class PresentationStart(Result, frozen=True, kw_only=True):
    """A presentation has started; not sent to the presenter itself. All fields empty: the floor was revoked."""

    presenter_name: str = ""
    presenter_uri: str = ""
    presenter_uuid: ParticipantUuid = ParticipantUuid("")
    """Who presents; not in the guide, and demanded by clients."""
    source: str | UnsetType = UNSET
    """"video" or "static" (39 and later)."""


class PresentationStop(Result, frozen=True, kw_only=True):
    """The presentation has finished."""


class PresentationFrame(Result, frozen=True, kw_only=True):
    """A new picture of the presentation can be fetched by presentation.jpeg."""

    event_id: str
    """Id of this event: what presentation.jpeg asks for. Travels beside the data."""


class ParticipantCreate(Result, frozen=True, kw_only=True):
    """A participant has come, or is told anew between sync begin and end."""

    participant: Participant


class ParticipantUpdate(Result, frozen=True, kw_only=True):
    """A participant has changed; the whole object comes."""

    participant: Participant


class ParticipantDelete(Result, frozen=True, kw_only=True):
    """A participant has left."""

    uuid: ParticipantUuid


class ParticipantSyncBegin(Result, frozen=True, kw_only=True):
    """The complete participant list follows."""


class ParticipantSyncEnd(Result, frozen=True, kw_only=True):
    """The participant list was complete: who was not in it is gone."""


class ConferenceUpdate(Result, frozen=True, kw_only=True):
    """The conference has changed."""

    status: ConferenceStatus


class ScreenLayouts(Result, frozen=True, kw_only=True):
    """Layouts asked for by role."""

    chair_layout: str = ""
    guest_layout: str = ""


class RequestedLayout(Result, frozen=True, kw_only=True):
    """The layout asked for, which the number of participants may not fill."""

    primary_screen: ScreenLayouts = ScreenLayouts()


class Layout(Result, frozen=True, kw_only=True):
    """The stage layout has changed."""

    view: str = ""
    """What we see: "1:0", "1:7", "1:21", "2:21" and others."""
    participants: list[ParticipantUuid] = []  # noqa: RUF012 - msgspec copies an empty default
    """Who is seen, from the main position on."""
    requested_layout: RequestedLayout | UnsetType | None = UNSET
    overlay_text_enabled: bool | UnsetType = UNSET
    """Whether names are drawn."""
    pres_slot_coords: object = UNSET
    """Where the presentation is in the main picture, if it is mixed in."""


class StageEntry(Result, frozen=True, kw_only=True):
    """One place on the stage."""

    participant_uuid: ParticipantUuid
    stage_index: int = 0
    """0 is the latest speaker."""
    vad: int = 0
    """100 speaking, 0 not."""

    @property
    def speaking(self) -> bool:
        """Whether the participant speaks now."""
        return self.vad > 0


class Stage(Result, frozen=True, kw_only=True):
    """The order of speakers and who speaks now."""

    entries: list[StageEntry]


class MessageReceived(Result, frozen=True, kw_only=True):
    """A chat message. The guide calls the event `message`; no node and no client does."""

    origin: str = ""
    """Name of the sender."""
    uuid: ParticipantUuid = ParticipantUuid("")
    """The sender."""
    type: str = "text/plain"
    """MIME type; what follows a semicolon are its parameters."""
    payload: str = ""
    """The contents."""
    direct: bool = False
    """For us alone."""


class CallDisconnected(Result, frozen=True, kw_only=True):
    """A call of ours has ended, a presentation stolen by somebody else for example."""

    call_uuid: CallUuid = CallUuid("")
    reason: str = ""


class Disconnect(Result, frozen=True, kw_only=True):
    """We are being disconnected from the node's side."""

    reason: str = ""


class Refer(Result, frozen=True, kw_only=True):
    """We are transferred: join `alias` with the one-time `token`."""

    secret: ClassVar[frozenset[str]] = frozenset({"token"})

    alias: str
    token: Token = Token("")
    breakout_name: str | UnsetType = UNSET
    target: str | UnsetType = UNSET


class CancelRefer(Result, frozen=True, kw_only=True):
    """The transfer is off."""


class OnHold(Result, frozen=True, kw_only=True):
    """We are held, or resumed."""

    setting: bool = False


class RefreshToken(Result, frozen=True, kw_only=True):
    """Refresh the token now."""


class LiveCaptions(Result, frozen=True, kw_only=True):
    """What is being said, in writing."""

    data: str = ""
    is_final: bool = False
    src_lang: str | UnsetType | None = UNSET
    tgt_lang: str | UnsetType | None = UNSET
    sources: object = UNSET
    sent_time: float | UnsetType | None = UNSET


class SplashScreen(Result, frozen=True, kw_only=True):
    """A screen of the theme is to be shown; an empty key takes it away."""

    screen_key: str = ""
    display_duration: float | UnsetType = UNSET


class Fecc(Result, frozen=True, kw_only=True):
    """Somebody moves our camera."""

    action: str = ""
    """"start", "continue" or "stop"."""
    movement: list[FeccMovement] = []  # noqa: RUF012 - msgspec copies an empty default
    timeout: float = 0
    """Milliseconds."""


class NewOffer(Result, frozen=True, kw_only=True):
    """Direct media: the other side offers."""

    secret: ClassVar[frozenset[str]] = frozenset({"sdp"})

    sdp: str


class UpdateSdp(Result, frozen=True, kw_only=True):
    """Direct media: the other side offers anew."""

    secret: ClassVar[frozenset[str]] = frozenset({"sdp"})

    sdp: str


class NewCandidate(Result, frozen=True, kw_only=True):
    """Direct media: a candidate of the other side."""

    secret: ClassVar[frozenset[str]] = frozenset({"pwd"})

    candidate: str = ""
    mid: str | None = None
    ufrag: str | UnsetType | None = UNSET
    pwd: str | UnsetType | None = UNSET


class PeerDisconnect(Result, frozen=True, kw_only=True):
    """Direct media: the other side is gone."""


class BreakoutBegin(Result, frozen=True, kw_only=True):
    """A breakout has begun."""

    breakout_uuid: str = ""
    participant_uuid: ParticipantUuid = ParticipantUuid("")


class BreakoutEnd(Result, frozen=True, kw_only=True):
    """A breakout has ended."""

    breakout_uuid: str = ""
    participant_uuid: ParticipantUuid = ParticipantUuid("")


class BreakoutEvent(Result, frozen=True, kw_only=True):
    """An event inside a breakout."""

    breakout_uuid: str = ""
    event: str = ""
    id: str | None = None
    data: object = None


class BreakoutRefer(Result, frozen=True, kw_only=True):
    """Go to a breakout."""

    breakout_uuid: str = ""
    breakout_name: str = ""
    requester_uuid: ParticipantUuid = ParticipantUuid("")


class Bye(Result, frozen=True, kw_only=True):
    """The event stream ends."""


class UnknownEvent(Result, frozen=True, kw_only=True):
    """An event we have no model of; nothing is lost."""

    name: str
    data: str = ""
    """As it came."""
    event_id: str = ""


Event: TypeAlias = (
    PresentationStart
    | PresentationStop
    | PresentationFrame
    | ParticipantCreate
    | ParticipantUpdate
    | ParticipantDelete
    | ParticipantSyncBegin
    | ParticipantSyncEnd
    | ConferenceUpdate
    | Layout
    | Stage
    | MessageReceived
    | CallDisconnected
    | Disconnect
    | Refer
    | CancelRefer
    | OnHold
    | RefreshToken
    | LiveCaptions
    | SplashScreen
    | Fecc
    | NewOffer
    | UpdateSdp
    | NewCandidate
    | PeerDisconnect
    | BreakoutBegin
    | BreakoutEnd
    | BreakoutEvent
    | BreakoutRefer
    | Bye
    | UnknownEvent
)
"""Everything that an event stream yields."""
