"""Packets sent of late, to be sent again when asked for (RFC 4585 section 6.2.1, RFC 4588), and how much of that.

Whoever sends more than the way carries is asked for all that is lost of it, and would send that on top. So the bytes
sent again are at most as many as those sent for the first time, over the time that these are kept: enough where half of
everything is lost by chance. libwebrtc's limit is its target rate (retransmission_rate_limiter of
call/rtp_transport_controller_send.cc), which says nothing of senders that cannot follow one. While a queue stands on
the way, it is a tenth: what is lost then is lost to the queue, and repeats only make it longer.

Whoever asks again before an answer can have come has lost nothing yet: the two cross. But where the round trip is long,
a repeat that is lost as well costs another one. So there a second copy goes out, 40 ms after the first, when it is
asked for and little is repeated: a quarter of the above.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence

from .rtp import FIXED_HEADER, payload_bounds

__all__ = ["SentPackets", "rtx_packet"]

_KEPT_S = 1.5  # later repairs come after any receiver's patience
_MOST = 4096  # 25 Mb/s for that time
_LEAST_BYTES = 12_000  # that may be repeated however little was sent: 64 kb/s
_CROWDED = 0.1
_APART_S = 0.04  # copies within a round trip: longer than most bursts of losses
_SPARE = 0.25
_COPIES = 10  # of one packet: libwebrtc asks no oftener, and more would let a few bytes ask for a flood


class SentPackets:
    """The packets of the last 1.5 seconds by sequence number, and what was sent again meanwhile."""

    def __init__(self) -> None:
        self._packets: dict[int, bytes] = {}
        self._order: deque[tuple[float, int, int, int]] = deque()
        self._bytes = 0
        self._resent: dict[int, tuple[int, float]] = {}
        self._repeats: deque[tuple[float, int]] = deque()
        self._repeated_bytes = 0

    def add(self, sequence: int, packets: Sequence[bytes], size: int, now: float) -> None:
        """Keep the packets of a frame, numbered from `sequence` on, of `size` bytes; forget the old ones."""
        kept, order = self._packets, self._order
        number = sequence
        for packet in packets:
            kept[number] = packet
            number = (number + 1) & 0xFFFF
        order.append((now, sequence, len(packets), size))
        self._bytes += size
        while order[0][0] < now - _KEPT_S or (len(kept) > _MOST and len(order) > 1):
            _, old, count, size = order.popleft()
            self._bytes -= size
            for number in range(old, old + count):
                kept.pop(number & 0xFFFF, None)  # 4096 and a frame are kept at most, so no number comes twice
                if self._resent:
                    self._resent.pop(number & 0xFFFF, None)

    def take_back(self) -> None:
        """Forget the frame that was added last: it was not sent."""
        _, first, count, size = self._order.pop()
        self._bytes -= size
        for number in range(first, first + count):
            self._packets.pop(number & 0xFFFF, None)

    def again(self, sequence: int, now: float, round_trip_s: float, *, crowded: bool) -> bytes | None:
        """Return a packet to be sent again; None when it is gone, on its way again already, was sent often enough,
        or enough of others were.

        Args:
            sequence: asked for, 16 bits.
            now: the time.
            round_trip_s: requests within this time of the last copy cross it; they are answered only where it is long,
                and little is repeated.
            crowded: whether a queue stands on the way, or did till just now.
        """
        kept = self._packets.get(sequence)
        if kept is None:
            return None
        copies, last = self._resent.get(sequence, (0, float("-inf")))
        crosses = now - last < 0.8 * round_trip_s
        if copies >= _COPIES or (crosses and (crowded or now - last < _APART_S)):
            return None
        repeats = self._repeats
        while repeats and repeats[0][0] < now - _KEPT_S:
            self._repeated_bytes -= repeats.popleft()[1]
        allowed = max(self._bytes, _LEAST_BYTES) * (_CROWDED if crowded else _SPARE if crosses else 1.0)
        if self._repeated_bytes + len(kept) > allowed:
            return None
        repeats.append((now, len(kept)))
        self._repeated_bytes += len(kept)
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
