"""RTP headers: read by one struct, header extensions only for the ids asked for (RFC 3550 section 5.1, RFC 8285).

The header of every received packet is read once, by whoever routes it, and handed on; so `RtpHeader` is a plain tuple.
What the peer sends wrong raises `RemoteProtocolError`, apart from header extensions: a damaged block gives what could
be read before the damage, because media does not depend on it.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Mapping
from typing import NamedTuple

from ..errors import RemoteProtocolError

__all__ = [
    "RtpHeader",
    "parse_header",
    "payload_bounds",
    "read_extensions",
    "serialize_extensions",
    "signed_difference",
    "unwrap",
]

FIXED_HEADER = struct.Struct("!BBHII")
_unpack_fixed = FIXED_HEADER.unpack_from
_new_header = tuple.__new__  # what RtpHeader._make does, without a call in between
_ONE_BYTE_PROFILE = 0xBEDE  # RFC 8285 section 4.2
_TWO_BYTE_PROFILE = 0x1000  # RFC 8285 section 4.3: the low four bits are application bits


class RtpHeader(NamedTuple):
    """The twelve fixed bytes, as they stand: flags are not taken apart before someone asks."""

    first: int
    """Version, padding bit, extension bit and number of contributing sources."""
    second: int
    """Marker bit and payload type."""
    sequence: int
    """Sequence number, 16 bits."""
    timestamp: int
    """RTP timestamp, 32 bits."""
    ssrc: int
    """Synchronisation source."""

    @property
    def marker(self) -> bool:
        """Whether the marker bit is set."""
        return self[1] > 0x7F

    @property
    def payload_type(self) -> int:
        """Payload type, 0 to 127."""
        return self[1] & 0x7F


def parse_header(packet: bytes) -> RtpHeader:
    """Read the fixed header.

    Raises:
        RemoteProtocolError: too short, or not version 2.
    """
    try:
        header = _new_header(RtpHeader, _unpack_fixed(packet))
    except struct.error as exc:
        raise RemoteProtocolError(f"RTP packet of {len(packet)} bytes") from exc
    if header[0] & 0xC0 != 0x80:
        raise RemoteProtocolError(f"RTP version {header[0] >> 6}")
    return header


def payload_bounds(packet: bytes, first: int) -> tuple[int, int]:
    """Return where the payload starts and ends; equal when there is none.

    Args:
        packet: the whole packet.
        first: its first byte.

    Raises:
        RemoteProtocolError: lengths inside the packet go beyond it.
    """
    start = 12 + ((first & 0x0F) << 2)
    end = len(packet)
    if first & 0x10:
        if start + 4 > end:
            raise RemoteProtocolError("RTP header extension is cut short")
        start += 4 + ((packet[start + 2] << 8 | packet[start + 3]) << 2)
    if first & 0x20:
        padding = packet[-1]
        if not padding:
            raise RemoteProtocolError("RTP padding of 0 bytes")
        end -= padding
    if start > end:
        raise RemoteProtocolError("RTP header is longer than the packet")
    return start, end


def read_extensions(packet: bytes, first: int, wanted: Container[int]) -> dict[int, bytes]:
    """Read the header extensions with a wanted id, of the one-byte or the two-byte form."""
    found: dict[int, bytes] = {}
    at = 12 + ((first & 0x0F) << 2)
    if not first & 0x10 or at + 4 > len(packet):
        return found
    profile = packet[at] << 8 | packet[at + 1]
    end = min(len(packet), at + 4 + ((packet[at + 2] << 8 | packet[at + 3]) << 2))
    at += 4
    if profile == _ONE_BYTE_PROFILE:
        while at < end:
            head = packet[at]
            at += 1
            if not head:  # padding
                continue
            number = head >> 4
            if number == 15:  # RFC 8285 section 4.2: stop here
                break
            length = (head & 0x0F) + 1
            if number in wanted and at + length <= end:
                found[number] = packet[at : at + length]
            at += length
    elif profile & 0xFFF0 == _TWO_BYTE_PROFILE:
        while at + 1 < end:
            number = packet[at]
            if not number:
                at += 1
                continue
            length = packet[at + 1]
            at += 2
            if number in wanted and at + length <= end:
                found[number] = packet[at : at + length]
            at += length
    return found


def serialize_extensions(extensions: Mapping[int, bytes]) -> bytes:
    """Write a header extension block, padded to 32 bits; empty when there is nothing to write.

    The one-byte form is used whenever it can hold them (ids 1 to 14, 1 to 16 bytes each).
    """
    if not extensions:
        return b""
    if all(1 <= number <= 14 and 1 <= len(value) <= 16 for number, value in extensions.items()):
        profile = _ONE_BYTE_PROFILE
        body = b"".join(bytes((number << 4 | len(value) - 1,)) + value for number, value in extensions.items())
    else:
        profile = _TWO_BYTE_PROFILE
        body = b"".join(bytes((number, len(value))) + value for number, value in extensions.items())
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4) + body


def signed_difference(a: int, b: int, bits: int) -> int:
    """Return `a - b` for counters that wrap at `bits` bits, between minus half and half of the range."""
    half = 1 << (bits - 1)
    return ((a - b + half) & ((1 << bits) - 1)) - half


def unwrap(value: int, reference: int, bits: int) -> int:
    """Return the unwrapped number nearest to `reference` whose low `bits` bits are `value`."""
    return reference + signed_difference(value, reference, bits)
