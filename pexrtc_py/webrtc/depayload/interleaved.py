"""H.264 in packetisation mode 2 (RFC 6184 section 6.4): NAL units back into decoding order.

A sender numbers its NAL units in decoding order (DON, 16 bits) and sends them in another. What arrives waits here
until as many VCL NAL units are there as can have gone ahead, or a number lies so far back that nothing before it can
come (section 7.2.2). The sender's promises are those of `protocol.interleaving`; nothing here needs a clock.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from ...errors import RemoteProtocolError
from ...protocol.interleaving import BUFFER_BYTES, Interleaving
from ..rtp import unwrap

__all__ = ["Deinterleaver", "Unit", "unit_heads"]

_STAP_B, _MTAP16, _MTAP24, _FU_A, _FU_B = 25, 26, 27, 28, 29
# Bytes between size and NAL unit: DOND and timestamp offset (RFC 6184 section 5.7.2).
_BETWEEN = {_STAP_B: 0, _MTAP16: 3, _MTAP24: 4}
_LAST_VCL = 5  # types 1 to 5 are parts of coded slices (ITU-T H.264 table 7-1)
_MOST_UNITS = 8192  # with what is no slice between them: eight times the deepest interleaving that is agreed on


class Unit(NamedTuple):
    """A NAL unit in its place."""

    timestamp: int
    """Of its picture, RTP ticks, 32 bits."""
    data: bytes
    """The unit, header and all, without start code."""
    follows: bool
    """Whether its number is the next, so that nothing can be missing before it. A sender may leave numbers out."""


class Deinterleaver:
    """Gives NAL units in decoding order.

    It is given the payloads in the order of their sequence numbers; where one is missing for good, call `reset`.

    Args:
        form: what the sender promised.
    """

    def __init__(self, form: Interleaving) -> None:
        self.form = form
        """What the sender promised."""
        self._waiting: list[tuple[int, int, int, bytes]] = []
        """A heap: unwrapped DON, order of arrival, timestamp, unit."""
        self._slices = 0
        self._bytes = 0
        self._arrived = 0
        self._latest: int | None = None
        """Unwrapped DON of the last unit that arrived."""
        self._greatest = 0
        self._given: int | None = None
        """Unwrapped DON of the last unit given out."""
        self._fragment: list[bytes] = []
        self._fragment_bytes = 0
        self._fragment_number = 0
        self._fragment_timestamp = 0
        self._fresh = True
        """Whether a fragment may be the rest of one whose start was never seen."""
        self.last_timestamp = -1
        """Timestamp of the last unit that arrived, whole or not: what the marker of its packet is about."""

    def add(self, packet: bytes, start: int, end: int, timestamp: int) -> list[Unit]:
        """Take the next payload, `packet[start:end]`, and return the units whose turn has come.

        Args:
            packet: holds the payload, which is not empty.
            start: where it begins.
            end: where it ends.
            timestamp: of the RTP packet, 32 bits.

        Raises:
            RemoteProtocolError: it cannot be a payload of this mode, or breaks the sender's promises; call `reset`.
        """
        kind = packet[start] & 0x1F
        if kind == _FU_A:
            self._continue(packet, start, end, timestamp)
        elif self._fragment:
            raise RemoteProtocolError("H.264 fragment without an end")
        elif kind == _FU_B:
            self._begin(packet, start, end, timestamp)
        elif kind in _BETWEEN:
            for number, time, first, last in _aggregated(packet, start, end, timestamp):
                self._store(number, time, packet[first:last])
        else:
            raise RemoteProtocolError(f"H.264 payload structure {kind} is not of packetisation mode 2")
        units = self._due()
        if self._bytes > BUFFER_BYTES or len(self._waiting) > _MOST_UNITS:
            raise RemoteProtocolError(f"{len(self._waiting)} H.264 NAL units wait for their turn")
        return units

    def flush(self) -> list[Unit]:
        """Return what waits, in order, and begin anew: the stream has ended."""
        units = [self._next() for _ in range(len(self._waiting))]
        self.reset()
        return units

    def reset(self) -> None:
        """Forget what waits and every number: what comes next begins anew."""
        self._waiting.clear()
        self._fragment.clear()
        self._slices = self._bytes = self._fragment_bytes = 0
        self._latest = self._given = None
        self._fresh = True
        self.last_timestamp = -1

    def _begin(self, packet: bytes, start: int, end: int, timestamp: int) -> None:
        number, head = _fragment_start(packet, start, end)
        self._fresh = False
        self._fragment += (head, packet[start + 4 : end])
        self._fragment_bytes = end - start
        self._fragment_number = number
        self._fragment_timestamp = self.last_timestamp = timestamp

    def _continue(self, packet: bytes, start: int, end: int, timestamp: int) -> None:
        if end - start < 3:
            raise RemoteProtocolError("H.264 fragment is cut short")
        flags = packet[start + 1]
        if flags & 0x80:
            raise RemoteProtocolError("H.264 fragment starts without its decoding order number")
        if not self._fragment:
            if self._fresh:
                return
            raise RemoteProtocolError("H.264 fragment without a start")
        if timestamp != self._fragment_timestamp or flags & 0x1F != self._fragment[0][0] & 0x1F:
            raise RemoteProtocolError("H.264 fragment belongs to another NAL unit")
        self._fragment.append(packet[start + 2 : end])
        self._fragment_bytes += end - start
        if self._fragment_bytes > BUFFER_BYTES:
            raise RemoteProtocolError("H.264 NAL unit without an end")
        if flags & 0x40:
            unit = b"".join(self._fragment)
            self._fragment.clear()
            self._store(self._fragment_number, timestamp, unit)

    def _store(self, number: int, timestamp: int, unit: bytes) -> None:
        self._fresh = False
        if self._latest is None:
            self._greatest = number
        else:
            number = unwrap(number, self._latest, 16)
        if self._given is not None and number < self._given:
            raise RemoteProtocolError("H.264 NAL unit comes later than its sender promised")
        self._latest = number
        self._greatest = max(self._greatest, number)
        self.last_timestamp = timestamp
        heappush(self._waiting, (number, self._arrived, timestamp, unit))
        self._arrived += 1
        self._bytes += len(unit)
        self._slices += unit[0] & 0x1F <= _LAST_VCL

    def _due(self) -> list[Unit]:
        waiting, depth, difference = self._waiting, self.form.depth, self.form.max_don_diff
        units: list[Unit] = []
        while self._slices > depth or (
            difference is not None and waiting and self._greatest - waiting[0][0] > difference
        ):
            units.append(self._next())
        return units

    def _next(self) -> Unit:
        number, _, timestamp, unit = heappop(self._waiting)
        self._bytes -= len(unit)
        self._slices -= unit[0] & 0x1F <= _LAST_VCL
        follows = self._given is None or number - self._given <= 1
        self._given = number
        return Unit(timestamp, unit, follows)


def unit_heads(packet: bytes, start: int, end: int) -> list[bytes]:
    """Return the first bytes of each NAL unit that begins in a payload: header and what follows; none if damaged."""
    kind = packet[start] & 0x1F
    try:
        if kind == _FU_B:
            _, head = _fragment_start(packet, start, end)
            return [head + packet[start + 4 : start + 5]]
        if kind in _BETWEEN:
            return [packet[first : min(first + 2, last)] for _, _, first, last in _aggregated(packet, start, end, 0)]
    except RemoteProtocolError:
        return []
    return []


def _fragment_start(packet: bytes, start: int, end: int) -> tuple[int, bytes]:
    """Return DON and NAL unit header of an FU-B (RFC 6184 section 5.8)."""
    if end - start < 5:
        raise RemoteProtocolError("H.264 fragment is cut short")
    flags = packet[start + 1]
    if flags & 0xC0 != 0x80 or not 1 <= flags & 0x1F <= 23:
        raise RemoteProtocolError("H.264 fragment with a decoding order number is no start of a NAL unit")
    return packet[start + 2] << 8 | packet[start + 3], bytes((packet[start] & 0xE0 | flags & 0x1F,))


def _aggregated(packet: bytes, start: int, end: int, timestamp: int) -> list[tuple[int, int, int, int]]:
    """Return DON, timestamp and bounds of each NAL unit of a STAP-B or MTAP (RFC 6184 section 5.7)."""
    between = _BETWEEN[packet[start] & 0x1F]
    if end - start < 3:
        raise RemoteProtocolError("H.264 aggregation packet is damaged")
    base = packet[start + 1] << 8 | packet[start + 2]
    units: list[tuple[int, int, int, int]] = []
    at = start + 3
    while at < end:
        first = at + 2 + between
        last = first + (packet[at] << 8 | packet[at + 1]) if first < end else end + 1
        if not first < last <= end or not 1 <= packet[first] & 0x1F <= 23:
            raise RemoteProtocolError("H.264 aggregation packet is damaged")
        if between:
            number = base + packet[at + 2]
            time = timestamp + int.from_bytes(packet[at + 3 : first])
        else:
            number = base + len(units)
            time = timestamp
        units.append((number & 0xFFFF, time & 0xFFFFFFFF, first, last))
        at = last
    return units
