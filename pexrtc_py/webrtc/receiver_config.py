"""What was negotiated for one received media line: payload types, feedback, header extensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..media.frames import Codec, Kind
from ..protocol.interleaving import Interleaving

__all__ = ["EventFormat", "Feedback", "MediaFormat", "PayloadFormat", "ReceiverConfig", "RtxFormat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFormat:
    """A payload type that carries a codec."""

    codec: Codec
    """The codec."""
    parameter_sets: bytes = b""
    """H.264: SPS and PPS of `sprop-parameter-sets`, Annex B (each behind 00 00 00 01); else empty."""
    interleaving: Interleaving | None = None
    """H.264 in packetization mode 2: what the sender promised; None in the other modes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtxFormat:
    """A payload type that carries retransmissions (RFC 4588)."""

    apt: int
    """Payload type of what is retransmitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFormat:
    """A payload type that carries telephone events (RFC 4733)."""

    clock_rate: int = 8000
    """Ticks per second of event durations."""


PayloadFormat = MediaFormat | RtxFormat | EventFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """RTCP feedback that may be sent (`a=rtcp-fb`)."""

    nack: bool = False
    """Generic NACK."""
    pli: bool = False
    """NACK PLI."""
    fir: bool = False
    """CCM FIR, used when there is no PLI."""
    remb: bool = False
    """goog-remb, used when there is no transport-wide feedback."""
    transport: bool = False
    """transport-cc."""
    reduced_size: bool = False
    """Whether feedback may go without a report before it (`a=rtcp-rsize`, RFC 5506)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """Everything a `Receiver` must know; made anew at each negotiation."""

    kind: Kind
    """Audio or video."""
    formats: Mapping[int, PayloadFormat]
    """Payload types that may come; others are counted and dropped."""
    local_ssrc: int
    """Our SSRC in reports and feedback."""
    cname: str = ""
    """Our canonical name, sent beside reports; none when empty."""
    mid: str = ""
    """`a=mid` of the line, a label for statistics."""
    feedback: Feedback = field(default_factory=Feedback)
    """What the peer accepts."""
    transport_sequence_id: int | None = None
    """Id of the transport-wide sequence number extension."""
    abs_send_time_id: int | None = None
    """Id of the absolute send time extension."""
    audio_level_id: int | None = None
    """Id of the client-to-mixer audio level extension (RFC 6464)."""
    max_bitrate_bps: int | None = None
    """Most that REMB may ask for; None when unlimited."""
    patience_s: float = 0.06
    """How long sound out of order is waited for at least. Three packets of 20 ms: what overtakes does so within that,
    and listeners do not notice."""
