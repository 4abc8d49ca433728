"""Server-sent events, read and written by one table; the structs are in `events_models`.

The rule kept here: an event we do not know is `UnknownEvent`, never an error; an event we know and cannot read is a
`RemoteProtocolError`, which the session logs and passes over. Events "without data" carry `null` or `{}`, because
clients drop an event without a data line. Sources: guide v14, Server-sent events; observed: what real clients listen
to.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import RemoteProtocolError
from .events_models import (
    BreakoutBegin,
    BreakoutEnd,
    BreakoutEvent,
    BreakoutRefer,
    Bye,
    CallDisconnected,
    CancelRefer,
    ConferenceUpdate,
    Disconnect,
    Event,
    Fecc,
    Layout,
    LiveCaptions,
    MessageReceived,
    NewCandidate,
    NewOffer,
    OnHold,
    ParticipantCreate,
    ParticipantDelete,
    ParticipantSyncBegin,
    ParticipantSyncEnd,
    ParticipantUpdate,
    PeerDisconnect,
    PresentationFrame,
    PresentationStart,
    PresentationStop,
    Refer,
    RefreshToken,
    RequestedLayout,
    ScreenLayouts,
    SplashScreen,
    Stage,
    StageEntry,
    UnknownEvent,
    UpdateSdp,
)
from .models_base import decode_model, encode_model
from .models_conference import ConferenceStatus
from .models_participant import Participant

__all__ = [
    "EVENT_TYPES",
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
    "parse_event",
    "serialize_event",
]

EVENT_TYPES: dict[str, type[Event]] = {
    "presentation_start": PresentationStart,
    "presentation_stop": PresentationStop,
    "presentation_ended": PresentationStop,
    "presentation_frame": PresentationFrame,
    "participant_create": ParticipantCreate,
    "participant_update": ParticipantUpdate,
    "participant_delete": ParticipantDelete,
    "participant_sync_begin": ParticipantSyncBegin,
    "participant_sync_end": ParticipantSyncEnd,
    "conference_update": ConferenceUpdate,
    "layout": Layout,
    "stage": Stage,
    "message": MessageReceived,
    "message_received": MessageReceived,
    "call_disconnected": CallDisconnected,
    "disconnect": Disconnect,
    "refer": Refer,
    "cancel_refer": CancelRefer,
    "on_hold": OnHold,
    "refresh_token": RefreshToken,
    "live_captions": LiveCaptions,
    "splash_screen": SplashScreen,
    "fecc": Fecc,
    "new_offer": NewOffer,
    "update_sdp": UpdateSdp,
    "new_candidate": NewCandidate,
    "peer_disconnect": PeerDisconnect,
    "breakout_begin": BreakoutBegin,
    "breakout_end": BreakoutEnd,
    "breakout_event": BreakoutEvent,
    "breakout_refer": BreakoutRefer,
    "bye": Bye,
}
"""Names on the wire; where two lead to one type, the one written is in `_NAMES`."""

_NAMES: dict[type[Event], str] = {kind: name for name, kind in EVENT_TYPES.items()} | {
    PresentationStop: "presentation_stop",
    MessageReceived: "message_received",
}

# Events whose data is not the struct itself: how to make the struct of the data, and where the data is in the struct.
_WRAPPED: dict[type[Event], tuple[Callable[[bytes], Event], str]] = {
    ParticipantCreate: (lambda data: ParticipantCreate(participant=decode_model(data, Participant)), "participant"),
    ParticipantUpdate: (lambda data: ParticipantUpdate(participant=decode_model(data, Participant)), "participant"),
    ConferenceUpdate: (lambda data: ConferenceUpdate(status=decode_model(data, ConferenceStatus)), "status"),
    Stage: (lambda data: Stage(entries=decode_model(data, list[StageEntry])), "entries"),
}

_WITH_NULL = (ParticipantSyncBegin, ParticipantSyncEnd, PeerDisconnect, Bye)


def parse_event(name: str, data: str, event_id: str = "") -> Event:
    """Read an event.

    Args:
        name: what follows `event:`; "" counts as "message".
        data: what follows `data:`, JSON or nothing.
        event_id: what follows `id:`.

    Raises:
        RemoteProtocolError: an event we know has data that is no JSON or lacks what is required.
    """
    kind = EVENT_TYPES.get(name or "message")
    if kind is None:
        return UnknownEvent(name=name, data=data, event_id=event_id)
    if kind is PresentationFrame:
        return PresentationFrame(event_id=event_id)
    raw = data.encode("utf-8", "surrogatepass")
    try:
        if kind in _WRAPPED:
            return _WRAPPED[kind][0](raw)
        if not raw.strip() or raw.strip() == b"null" or not kind.__struct_fields__:
            return msgspec.convert({}, kind)
        return decode_model(raw, kind)
    except (RemoteProtocolError, msgspec.ValidationError) as exc:
        raise RemoteProtocolError(f"event {name[:40]!r}: {exc}") from exc


def serialize_event(event: Event) -> tuple[str, str]:
    """Write an event: its name and its data, JSON on one line.

    The id that goes with it is the stream's own, for `PresentationFrame` its `event_id`.
    """
    if isinstance(event, UnknownEvent):
        return event.name, event.data
    kind = type(event)
    if kind in _WRAPPED:
        return _NAMES[kind], encode_model(getattr(event, _WRAPPED[kind][1])).decode()
    if kind in _WITH_NULL:
        return _NAMES[kind], "null"
    if kind is PresentationFrame:
        return _NAMES[kind], "{}"
    return _NAMES[kind], encode_model(event).decode()
