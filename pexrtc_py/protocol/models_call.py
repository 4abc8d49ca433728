"""Bodies and results of `calls` and of the call functions.

Sources: guide v14, calls and Call functions; observed: real clients and captures of nodes up to v36, for what newer
nodes and clients add.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from .models_base import UNSET, Body, CallType, CallUuid, Result, UnsetType
from .models_token import TurnServer

__all__ = [
    "AckRequest",
    "CallKind",
    "CallRequest",
    "CallResult",
    "CandidateRequest",
    "Present",
    "StatisticsRequest",
    "StreamStatistics",
    "UpdateRequest",
]


class CallKind(StrEnum):
    """What `call_type` of a call asks for."""

    WEBRTC = "WEBRTC"
    RTMP = "RTMP"
    PRESENTATION = "presentation"
    """A presentation sent as JPEG pictures (web clients of 2016 to 2020)."""
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> CallKind:
        return cls.UNKNOWN


class Present(StrEnum):
    """What `present` of a call asks for."""

    SEND = "send"
    """The call carries our presentation."""
    RECEIVE = "receive"
    """The call carries the conference's presentation."""
    MAIN = "main"
    """The presentation is mixed into the main picture; not in the guide."""
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Present:
        return cls.UNKNOWN


# A description has the ICE password in it.
_SDP = frozenset({"sdp"})


class CallRequest(Body, frozen=True, kw_only=True):
    """The body of calls."""

    secret: ClassVar[frozenset[str]] = _SDP

    call_type: CallKind
    sdp: str | None = None
    """The offer, for WEBRTC."""
    present: Present | None = None
    """What the call presents, if it is none of main audio and video."""
    media_type: CallType | None = None
    """What media the call carries."""
    fecc_supported: bool | None = None
    """Whether our camera can be moved from afar."""
    streaming: bool | str | None = None
    """RTMP: whether this is a streaming participant; old clients send "true"."""
    bandwidth: int | None = None
    """RTMP: most in and out, in kbit/s."""
    audioonly: bool | str | None = None
    """RTMP: no picture; old clients send "true"."""


class CallResult(Result, frozen=True, kw_only=True):
    """The result of calls, and of update on newer nodes."""

    secret: ClassVar[frozenset[str]] = _SDP | {"url", "secure_url"}  # with the key of the stream

    call_uuid: CallUuid
    """Names the call in the call functions."""
    sdp: str | UnsetType = UNSET
    """WEBRTC: the answer, or "" when `offer_ignored`."""
    offer_ignored: bool | UnsetType = UNSET
    """Direct media: the other side will offer."""
    turn: list[TurnServer] | UnsetType = UNSET
    """TURN servers to fall back to by an ICE restart."""
    url: str | UnsetType = UNSET
    """RTMP: where to connect."""
    secure_url: str | UnsetType | None = UNSET
    """RTMP: the same over TLS, when the node has a name for it."""
    call_type: CallKind | UnsetType = UNSET


class AckRequest(Body, frozen=True, kw_only=True):
    """The body of ack; the guide has none."""

    secret: ClassVar[frozenset[str]] = _SDP

    sdp: str | None = None
    """Direct media: the answer to new_offer or update_sdp."""
    offer_ignored: bool | None = None


class UpdateRequest(Body, frozen=True, kw_only=True):
    """The body of update: a new offer for the call."""

    secret: ClassVar[frozenset[str]] = _SDP

    sdp: str | None = None
    fecc_supported: bool | None = None


class CandidateRequest(Body, frozen=True, kw_only=True, omit_defaults=False):
    """The body of new_candidate; an empty candidate ends them."""

    secret: ClassVar[frozenset[str]] = frozenset({"pwd"})

    candidate: str
    """`candidate:…` as in SDP, or ""."""
    mid: str = "0"
    """The media line it belongs to."""
    ufrag: str | UnsetType = UNSET
    """ICE user fragment of the offer it belongs to."""
    pwd: str | UnsetType = UNSET
    """ICE password of the offer it belongs to."""


class StreamStatistics(Body, frozen=True, kw_only=True):
    """One medium's figures: rates in kbit/s, losses in percent, jitter in milliseconds."""

    rx_bitrate: float | None = None
    rx_codec: str | None = None
    rx_fps: float | None = None
    rx_historic_packet_loss: float | None = None
    rx_jitter: float | None = None
    rx_packets_lost: int | None = None
    rx_packets_received: int | None = None
    rx_resolution: str | None = None
    rx_windowed_packet_loss: float | None = None
    tx_bitrate: float | None = None
    tx_codec: str | None = None
    tx_fps: float | None = None
    tx_historic_packet_loss: float | None = None
    tx_packets_sent: int | None = None
    tx_rb_jitter: float | None = None
    tx_rb_packetslost: int | None = None
    tx_resolution: str | None = None
    tx_windowed_packet_loss: float | None = None


class StatisticsRequest(Body, frozen=True, kw_only=True):
    """The body of statistics; asked for by `client_stats_update_interval`."""

    audio: StreamStatistics | None = None
    video: StreamStatistics | None = None
    presentation: StreamStatistics | None = None
