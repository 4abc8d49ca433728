"""What was negotiated for one media line that we send."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ..media.frames import Codec, Kind

__all__ = ["SenderConfig"]


def _random_ssrc() -> int:
    return random.randrange(1, 1 << 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """Everything a `Sender` must know; made anew at each negotiation. Random numbers have defaults (RFC 3550 5.1)."""

    codec: Codec
    """What frames are encoded with."""
    payload_type: int
    """Its payload type."""
    cname: str
    """Our canonical name: the same for all senders of a peer (RFC 8834 section 4.9)."""
    ssrc: int = field(default_factory=_random_ssrc)
    """The stream."""
    packetization_mode: int = 1
    """H.264 only: 0 or 1."""
    nack: bool = False
    """Whether packets may be asked for again."""
    rtx_payload_type: int | None = None
    """Payload type of retransmissions; None sends the same packet once more."""
    rtx_ssrc: int = field(default_factory=_random_ssrc)
    """Stream of retransmissions."""
    event_payload_type: int | None = None
    """Payload type of telephone events; None when not negotiated."""
    mid: str = ""
    """`a=mid` of the line."""
    mid_id: int | None = None
    """Id of the MID extension."""
    abs_send_time_id: int | None = None
    """Id of the absolute send time extension."""
    transport_sequence_id: int | None = None
    """Id of the transport-wide sequence number extension."""
    audio_level_id: int | None = None
    """Id of the client-to-mixer audio level extension."""
    max_packet: int = 1200
    """Most bytes of a packet, as libwebrtc has it: fits every path with SRTP, TURN and IPv6 added."""
    max_bitrate_bps: int | None = None
    """What the call allows (`b=TIAS`); None leaves the rate alone."""
    first_sequence: int = field(default_factory=lambda: random.randrange(0x8000))
    """First sequence number; below half the range, as libsrtp advises (RFC 3711 section 3.3.1)."""
    timestamp_offset: int = field(default_factory=lambda: random.randrange(1 << 32))
    """Added to the RTP time of frames."""

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self.codec.kind
