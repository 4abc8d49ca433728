"""VP8 into RTP (RFC 7741)."""

from __future__ import annotations

import random
import struct

from ...media.frames import EncodedFrame

__all__ = ["Vp8Payloader"]

_DESCRIPTOR = struct.Struct("!BBH")


class Vp8Payloader:
    """Writes payload descriptors with a 15-bit picture id, which lets a receiver tell lost frames.

    Args:
        picture_id: of the first frame.
    """

    def __init__(self, picture_id: int | None = None) -> None:
        self.picture_id = random.randrange(0x8000) if picture_id is None else picture_id
        """Of the next frame."""

    def split(self, frame: EncodedFrame, limit: int) -> list[bytes]:
        """See `Payloader.split`. Payloads are of about one size, so that the last is no crumb."""
        data = frame.data
        if not data:
            return []
        picture_id = 0x8000 | self.picture_id
        self.picture_id = (self.picture_id + 1) & 0x7FFF
        room = limit - _DESCRIPTOR.size
        count = -(-len(data) // room)
        size = -(-len(data) // count)
        # X, and in the first also S: start of partition 0 (RFC 7741 section 4.2); I says that a picture id follows.
        first, head = _DESCRIPTOR.pack(0x90, 0x80, picture_id), _DESCRIPTOR.pack(0x80, 0x80, picture_id)
        return [first + data[:size], *[head + data[at : at + size] for at in range(size, len(data), size)]]
