"""VP9 into RTP (RFC 9628), flexible mode: one layer, each picture predicted from the one before."""

from __future__ import annotations

import random
import struct

from ...media.frames import EncodedFrame

__all__ = ["Vp9Payloader"]

_I, _P, _F, _B, _E = 0x80, 0x40, 0x10, 0x08, 0x04


class Vp9Payloader:
    """Writes payload descriptors in the flexible mode, which needs no scalability structure.

    Args:
        picture_id: of the first frame.
    """

    def __init__(self, picture_id: int | None = None) -> None:
        self.picture_id = random.randrange(0x8000) if picture_id is None else picture_id
        """Of the next frame."""

    def split(self, frame: EncodedFrame, limit: int) -> list[bytes]:
        """See `Payloader.split`."""
        data = frame.data
        if not data:
            return []
        flags = _I | _F | (0 if frame.key else _P)
        rest = struct.pack("!H", 0x8000 | self.picture_id) + (b"" if frame.key else b"\x02")  # P_DIFF 1, no more
        self.picture_id = (self.picture_id + 1) & 0x7FFF
        room = limit - 1 - len(rest)
        count = -(-len(data) // room)
        size = -(-len(data) // count)
        starts = range(0, len(data), size)
        return [
            bytes((flags | (_B if at == 0 else 0) | (_E if at == starts[-1] else 0),)) + rest + data[at : at + size]
            for at in starts
        ]
