"""VP8 out of RTP (RFC 7741)."""

from __future__ import annotations

from ...errors import RemoteProtocolError

__all__ = ["Vp8Depayloader"]


def _descriptor_end(packet: bytes, start: int) -> int:
    """Return where the VP8 data begins behind the payload descriptor (RFC 7741 section 4.2)."""
    at = start + 1
    if packet[start] & 0x80:
        flags = packet[at]
        at += 1
        if flags & 0x80:
            at += 2 if packet[at] & 0x80 else 1
        if flags & 0x40:
            at += 1
        if flags & 0x30:
            at += 1
    return at


class Vp8Depayloader:
    """Builds VP8 frames; key frame and size are read from the frame's own header (RFC 6386 section 9.1)."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._parts: list[bytes] = []

    def add(self, packet: bytes, start: int, end: int) -> None:
        """See `Depayloader.add`. A descriptor with nothing behind it is an empty payload and adds nothing."""
        # The same steps as in _descriptor_end, in place: this runs for every packet.
        at = start + 1
        try:
            if packet[start] & 0x80:
                flags = packet[at]
                at += 1
                if flags & 0x80:
                    at += 2 if packet[at] & 0x80 else 1
                if flags & 0x40:
                    at += 1
                if flags & 0x30:
                    at += 1
        except IndexError as exc:
            raise RemoteProtocolError("VP8 payload descriptor is cut short") from exc
        if at < end:
            self._parts.append(packet[at:end])
        elif at > end:
            raise RemoteProtocolError("VP8 payload descriptor is cut short")

    def finish(self) -> tuple[bytes, bool] | None:
        """See `Depayloader.finish`."""
        parts = self._parts
        if not parts:
            return None
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        key = not data[0] & 1 and data[3:6] == b"\x9d\x01\x2a" and len(data) >= 10
        if key:
            self.width = (data[7] << 8 | data[6]) & 0x3FFF
            self.height = (data[9] << 8 | data[8]) & 0x3FFF
        return data, key

    def drop(self) -> None:
        """See `Depayloader.drop`."""
        self._parts.clear()

    def is_frame_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_frame_start`: start of partition 0."""
        return packet[start] & 0x17 == 0x10

    def is_key_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_key_start`."""
        if packet[start] & 0x17 != 0x10:
            return False
        try:
            at = _descriptor_end(packet, start)
        except IndexError:
            return False
        return at < end and not packet[at] & 1
