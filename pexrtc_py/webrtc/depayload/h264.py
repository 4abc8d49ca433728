"""H.264 out of RTP, to Annex B (RFC 6184): packetisation modes 0 and 1.

Of the interleaved mode 2 it takes the NAL units that `interleaved` has put in order, as if each were a packet.
Parameter sets, in band or from the session description, are put before every key frame that comes without them, so
that each key frame can be decoded by itself.
"""

from __future__ import annotations

from ...errors import RemoteProtocolError
from .h264_sps import picture_size

__all__ = ["H264Depayloader"]

_START_CODE = b"\0\0\0\1"
_SLICE_IDR, _SPS, _PPS, _STAP_A, _FU_A = 5, 7, 8, 24, 28


def _aggregated(packet: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Return the bounds of the NAL units in a STAP-A (RFC 6184 section 5.7.1)."""
    bounds = []
    at = start + 1
    while at + 2 < end:
        size = packet[at] << 8 | packet[at + 1]
        at += 2
        if not size or at + size > end:
            raise RemoteProtocolError("H.264 aggregation packet is damaged")
        bounds.append((at, at + size))
        at += size
    return bounds


class H264Depayloader:
    """Builds H.264 access units in Annex B.

    Args:
        parameter_sets: SPS and PPS from the session description (`sprop-parameter-sets`), Annex B, used until the
            stream brings its own.
    """

    def __init__(self, parameter_sets: bytes = b"") -> None:
        self.width = 0
        self.height = 0
        self._parts: list[bytes] = []
        self._types: set[int] = set()
        self._fragmented = False
        self._sps: bytes = b""
        self._pps: dict[bytes, bytes] = {}
        """Picture parameter sets by the bytes that hold their number; a stream may use several."""
        for unit in parameter_sets.split(_START_CODE):
            if unit:
                self._keep_parameters(unit)

    def add(self, packet: bytes, start: int, end: int) -> None:
        """See `Depayloader.add`."""
        head = packet[start]
        kind = head & 0x1F
        if kind == _FU_A:
            if end - start < 3:
                raise RemoteProtocolError("H.264 fragment is cut short")
            flags = packet[start + 1]
            if flags & 0x80:
                if self._fragmented:
                    raise RemoteProtocolError("H.264 fragment starts inside another")
                self._fragmented = True
                self._types.add(flags & 0x1F)
                self._parts.append(_START_CODE + bytes((head & 0xE0 | flags & 0x1F,)))
            elif not self._fragmented:
                raise RemoteProtocolError("H.264 fragment without a start")
            self._parts.append(packet[start + 2 : end])
            if flags & 0x40:
                self._fragmented = False
        elif self._fragmented:
            raise RemoteProtocolError("H.264 fragment without an end")
        elif 1 <= kind <= 23:
            self._add_unit(packet[start:end])
        elif kind == _STAP_A:
            for unit_start, unit_end in _aggregated(packet, start, end):
                self._add_unit(packet[unit_start:unit_end])
        else:
            raise RemoteProtocolError(f"H.264 payload structure {kind} is not of packetisation mode 0 or 1")

    def _add_unit(self, unit: bytes) -> None:
        kind = unit[0] & 0x1F
        self._types.add(kind)
        if kind in {_SPS, _PPS}:
            self._keep_parameters(unit)
        self._parts.append(_START_CODE + unit)

    def _keep_parameters(self, unit: bytes) -> None:
        if unit[0] & 0x1F == _SPS:
            if unit != self._sps:
                self._sps = unit
                size = picture_size(unit)
                if size is not None:
                    self.width, self.height = size
        elif unit[0] & 0x1F == _PPS:
            if len(self._pps) >= 32:  # more are not of one stream; 256 are allowed, one or two are used
                self._pps.clear()
            self._pps[unit[1:2]] = unit

    def finish(self) -> tuple[bytes, bool] | None:
        """See `Depayloader.finish`."""
        parts, types = self._parts, self._types
        if not parts or self._fragmented:
            self.drop()
            return None
        key = _SLICE_IDR in types
        if key and _SPS not in types and self._sps:
            missing = [self._sps] if _PPS in types else [self._sps, *self._pps.values()]
            parts[:0] = [_START_CODE + unit for unit in missing]
        data = b"".join(parts)
        parts.clear()
        types.clear()
        return data, key

    def drop(self) -> None:
        """See `Depayloader.drop`."""
        self._parts.clear()
        self._types.clear()
        self._fragmented = False

    def _first_unit(self, packet: bytes, start: int, end: int) -> tuple[int, int] | None:
        """Return type and first content byte of the NAL unit that a payload begins with; None inside of a fragment."""
        kind = packet[start] & 0x1F
        if kind == _FU_A:
            if end - start < 3 or not packet[start + 1] & 0x80:
                return None
            return packet[start + 1] & 0x1F, packet[start + 2]
        at = start + 3 if kind == _STAP_A else start
        if at >= end:
            return None
        return packet[at] & 0x1F, packet[at + 1] if at + 1 < end else 0

    def is_frame_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_frame_start`: a slice with first_mb_in_slice 0, or something that stands before one."""
        unit = self._first_unit(packet, start, end)
        if unit is None:
            return False
        kind, content = unit
        return kind in {6, _SPS, _PPS, 9} or (kind in {1, _SLICE_IDR} and content & 0x80 != 0)

    def is_key_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_key_start`: an SPS, or the first IDR slice once parameter sets are known."""
        unit = self._first_unit(packet, start, end)
        if unit is None:
            return False
        kind, content = unit
        if kind == 9 and packet[start] & 0x1F == _STAP_A:  # an access unit delimiter aggregated with what follows
            try:
                units = _aggregated(packet, start, end)
            except RemoteProtocolError:
                return False
            return any(packet[at] & 0x1F == _SPS for at, _ in units)
        return kind == _SPS or (kind == _SLICE_IDR and content & 0x80 != 0 and self._sps != b"")
