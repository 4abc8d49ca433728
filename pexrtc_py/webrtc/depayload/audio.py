"""How long an audio packet lasts, from its payload alone."""

from __future__ import annotations

from ...media.frames import Codec

__all__ = ["packet_duration"]


def _opus_frame_ticks(config: int) -> int:
    """Ticks of 48 kHz one frame lasts (RFC 6716 section 3.1, table 2)."""
    if config < 12:
        return (480, 960, 1920, 2880)[config & 3]
    if config < 16:
        return (480, 960)[config & 1]
    return (120, 240, 480, 960)[config & 3]


# Duration by the first byte for the frame counts 1, 2, 2 (RFC 6716 section 3.1); count code 3 needs the second byte.
_OPUS_TICKS = tuple(_opus_frame_ticks(toc >> 3) * (1, 2, 2, 0)[toc & 3] for toc in range(256))
_OPUS_LONGEST = 5760  # 120 ms, RFC 6716 section 3.2.5 [R5]


def packet_duration(codec: Codec, payload: bytes) -> int:
    """Return the ticks of `codec.clock_rate` that a payload lasts; 0 when it cannot be told.

    G.711 has one byte a tick; so has G.722, whose RTP clock is 8000 by an old error (RFC 3551 section 4.5.2).
    """
    if codec is not Codec.OPUS:
        return len(payload)
    if not payload:
        return 0
    toc = payload[0]
    ticks = _OPUS_TICKS[toc]
    if not ticks and len(payload) > 1:
        ticks = _opus_frame_ticks(toc >> 3) * (payload[1] & 0x3F)
    return ticks if ticks <= _OPUS_LONGEST else 0
