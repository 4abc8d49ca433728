"""Packets sent of late, to be sent again when asked for (RFC 4585 section 6.2.1, RFC 4588)."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence

from .rtp import FIXED_HEADER, payload_bounds

__all__ = ["SentPackets", "rtx_packet"]

_KEPT_S = 1.5  # later repairs come after any receiver's patience
_MOST = 4096  # 25 Mb/s for that time
_COPIES = 10  # of one packet: libwebrtc asks no oftener, and more would let a few bytes ask for a flood


class SentPackets:
    """The packets of the last 1.5 seconds by sequence number."""

    def __init__(self) -> None:
        self._packets: dict[int, bytes] = {}
        self._order: deque[tuple[float, int, int]] = deque()
        self._resent: dict[int, tuple[int, float]] = {}

    def add(self, sequence: int, packets: Sequence[bytes], now: float) -> None:
        """Keep the packets of a frame, numbered from `sequence` on; forget the old ones."""
        kept, order = self._packets, self._order
        number = sequence
        for packet in packets:
            kept[number] = packet
            number = (number + 1) & 0xFFFF
        order.append((now, sequence, len(packets)))
        while order[0][0] < now - _KEPT_S or (len(kept) > _MOST and len(order) > 1):
            _, old, count = order.popleft()
            for number in range(old, old + count):
                kept.pop(number & 0xFFFF, None)  # 4096 and a frame are kept at most, so no number comes twice
                self._resent.pop(number & 0xFFFF, None)

    def again(self, sequence: int, now: float, round_trip_s: float) -> bytes | None:
        """Return a packet to be sent again; None when it is gone, on its way again already, or
        was sent often enough.

        Args:
            sequence: asked for, 16 bits.
            now: the time.
            round_trip_s: requests within this time of the last copy cross it.
        """
        kept = self._packets.get(sequence)
        if kept is None:
            return None
        copies, last = self._resent.get(sequence, (0, float("-inf")))
        if copies >= _COPIES or now - last < 0.8 * round_trip_s:
            return None
        self._resent[sequence] = copies + 1, now
        return kept


def rtx_packet(packet: bytes, extensions: bytes, payload_type: int, sequence: int, ssrc: int) -> bytes:
    """Wrap a packet for retransmission (RFC 4588 section 4).

    Args:
        packet: as it was sent.
        extensions: header extension block of the new packet, may be empty.
        payload_type: of retransmissions.
        sequence: the next of the retransmission stream.
        ssrc: the retransmission stream.
    """
    first, second, original, timestamp, _ = FIXED_HEADER.unpack_from(packet)
    start, end = payload_bounds(packet, first)
    head = FIXED_HEADER.pack(0x90 if extensions else 0x80, second & 0x80 | payload_type, sequence, timestamp, ssrc)
    return b"".join((head, extensions, struct.pack("!H", original), packet[start:end]))
