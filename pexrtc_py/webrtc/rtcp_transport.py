"""Transport-wide feedback: when each packet of a transport arrived, or that it did not.

Format of draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1. Times are whole numbers of 250 microseconds,
as on the wire, so that writing and reading give back the same value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import RemoteProtocolError

__all__ = ["TICKS_PER_SECOND", "TransportFeedback"]

TICKS_PER_SECOND = 4000
_MOST = 8192  # packets in one, 500 Mb/s for 200 ms; runs would tell of eight times as many in 36 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportFeedback:
    """Arrival times of consecutive packets."""

    sender_ssrc: int
    """Who reports."""
    media_ssrc: int
    """Any stream of the transport."""
    base_sequence: int
    """Transport-wide sequence number of the first entry, 16 bits."""
    count: int
    """Running number of this feedback, 8 bits."""
    reference: int
    """Start of the time scale, in units of 64 ms, 24 bits signed."""
    arrivals: tuple[int | None, ...]
    """Ticks of 250 microseconds since `reference`, None for a packet that did not arrive."""

    def serialize(self) -> bytes:
        """Write the packet.

        Raises:
            ValueError: two neighbouring arrivals are more than 8 seconds apart.
        """
        symbols: list[int] = []
        deltas = bytearray()
        before = 0
        for arrival in self.arrivals:
            if arrival is None:
                symbols.append(0)
                continue
            delta = arrival - before
            before = arrival
            if 0 <= delta <= 0xFF:
                symbols.append(1)
                deltas.append(delta)
            elif -0x8000 <= delta <= 0x7FFF:
                symbols.append(2)
                deltas += struct.pack("!h", delta)
            else:
                raise ValueError(f"arrivals {delta} ticks apart do not fit one feedback")
        head = struct.pack(
            "!IIHHI",
            self.sender_ssrc,
            self.media_ssrc,
            self.base_sequence,
            len(symbols),
            (self.reference & 0xFFFFFF) << 8 | self.count & 0xFF,
        )
        body = head + _serialize_chunks(symbols) + bytes(deltas)
        padding = -len(body) % 4
        if padding:
            body += bytes(padding - 1) + bytes((padding,))
        return struct.pack("!BBH", 0x80 | (0x20 if padding else 0) | 15, 205, len(body) // 4) + body

    @classmethod
    def parse(cls, sender: int, media: int, body: bytes) -> TransportFeedback:
        """Read the body of a packet, padding taken off.

        Raises:
            RemoteProtocolError: the body is cut short.
            struct.error: likewise (the caller translates).
        """
        base, total, word = struct.unpack_from("!HHI", body, 8)
        if total > _MOST:
            raise RemoteProtocolError(f"transport feedback on {total} packets")
        reference = word >> 8
        at = 16
        symbols: list[int] = []
        while len(symbols) < total:
            (chunk,) = struct.unpack_from("!H", body, at)
            at += 2
            if not chunk & 0x8000:
                symbols.extend([chunk >> 13 & 3] * min(chunk & 0x1FFF, total - len(symbols)))
                if not chunk & 0x1FFF:
                    raise RemoteProtocolError("transport feedback with a run of no packets")
            elif chunk & 0x4000:
                symbols.extend(chunk >> shift & 3 for shift in range(12, -1, -2))
            else:
                symbols.extend(chunk >> shift & 1 for shift in range(13, -1, -1))
        arrivals: list[int | None] = []
        clock = 0
        del symbols[total:]
        if at + symbols.count(1) + 2 * symbols.count(2) > len(body):
            raise RemoteProtocolError("transport feedback with fewer deltas than packets")
        for symbol in symbols:
            if symbol == 1:
                clock += body[at]
                at += 1
                arrivals.append(clock)
            elif symbol == 2:
                clock += int.from_bytes(body[at : at + 2], "big", signed=True)
                at += 2
                arrivals.append(clock)
            else:
                arrivals.append(None)
        return cls(
            sender_ssrc=sender,
            media_ssrc=media,
            base_sequence=base,
            count=word & 0xFF,
            reference=reference - 0x1000000 if reference & 0x800000 else reference,
            arrivals=tuple(arrivals),
        )


def _serialize_chunks(symbols: list[int]) -> bytes:
    """Pack symbols into runs where they are long, into vectors of seven two-bit symbols elsewhere."""
    chunks = bytearray()
    at = 0
    while at < len(symbols):
        run = 1
        while at + run < len(symbols) and symbols[at + run] == symbols[at] and run < 0x1FFF:
            run += 1
        if run >= 7 or at + run == len(symbols):
            chunks += struct.pack("!H", symbols[at] << 13 | run)
            at += run
        else:
            vector = symbols[at : at + 7]
            word = 0xC000
            for index, symbol in enumerate(vector):
                word |= symbol << (12 - 2 * index)
            chunks += struct.pack("!H", word)
            at += len(vector)
    return bytes(chunks)
