"""From access units to RTP payloads: one module a video codec; an audio frame is its payload."""

from __future__ import annotations

from typing import Protocol

from ...media.frames import Codec, EncodedFrame
from .h264 import H264Payloader
from .vp8 import Vp8Payloader
from .vp9 import Vp9Payloader

__all__ = ["AudioPayloader", "Payloader", "payloader"]


class Payloader(Protocol):
    """Cuts frames of one stream into payloads."""

    picture_id: int
    """Number of the next picture; 0 where pictures have none. Who takes a picture back, sets it back too."""

    def split(self, frame: EncodedFrame, limit: int) -> list[bytes]:
        """Return the payloads of a frame, each of `limit` bytes at most; empty when it holds nothing to send."""


class AudioPayloader:
    """One packet a frame, whatever its size (RFC 7587 section 4.2, RFC 3551 section 4.5)."""

    picture_id = 0

    def split(self, frame: EncodedFrame, limit: int) -> list[bytes]:
        """See `Payloader.split`; audio is never cut, and an empty frame is not sent."""
        return [frame.data] if frame.data else []


def payloader(codec: Codec, *, packetization_mode: int = 1) -> Payloader:
    """Return a payloader.

    Args:
        codec: of the frames.
        packetization_mode: H.264 only: 0 or 1 as negotiated (RFC 6184 section 6).
    """
    if codec is Codec.VP8:
        return Vp8Payloader()
    if codec is Codec.VP9:
        return Vp9Payloader()
    if codec is Codec.H264:
        return H264Payloader(packetization_mode)
    return AudioPayloader()
