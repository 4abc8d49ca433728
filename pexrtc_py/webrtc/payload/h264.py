"""H.264 into RTP, from Annex B (RFC 6184): packetisation modes 0 and 1."""

from __future__ import annotations

import struct

from ...media.frames import EncodedFrame

__all__ = ["H264Payloader", "nal_units"]

_STAP_A, _FU_A = 24, 28
_DELIMITER, _FILLER = 9, 12


def nal_units(data: bytes) -> list[bytes]:
    """Return the NAL units of an Annex B stream (ITU-T H.264 annex B), start codes and trailing zeros taken off."""
    units = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        start = at + 3
        at = data.find(b"\0\0\1", start)
        unit = (data[start:at] if at >= 0 else data[start:]).rstrip(b"\0")
        if unit:
            units.append(unit)
    return units


class H264Payloader:
    """Aggregates small NAL units (parameter sets, SEI) in STAP-A, fragments large ones in FU-A.

    Args:
        mode: packetisation mode. In mode 0 every NAL unit is a packet (RFC 6184 section 6.2); an encoder must keep its
            slices below the limit, as one that is not is sent whole and left to IP fragmentation.
    """

    def __init__(self, mode: int = 1) -> None:
        self._mode = mode
        self.picture_id = 0

    def split(self, frame: EncodedFrame, limit: int) -> list[bytes]:
        """See `Payloader.split`. Access unit delimiters and filler carry nothing and are left out."""
        units = [unit for unit in nal_units(frame.data) if unit[0] & 0x1F not in {_DELIMITER, _FILLER}]
        if self._mode == 0:
            return units
        payloads: list[bytes] = []
        group: list[bytes] = []
        size = 1
        for unit in units:
            if size + 2 + len(unit) > limit:
                payloads += _aggregate(group)
                group, size = [], 1
            if len(unit) > limit:
                payloads += _fragment(unit, limit)
            else:
                group.append(unit)
                size += 2 + len(unit)
        return payloads + _aggregate(group)


def _aggregate(units: list[bytes]) -> list[bytes]:
    """Return a STAP-A (RFC 6184 section 5.7.1) of several units, a single one as it is."""
    if len(units) < 2:
        return units
    importance = max(unit[0] & 0x60 for unit in units)
    forbidden = 0x80 if any(unit[0] & 0x80 for unit in units) else 0
    parts = [bytes((forbidden | importance | _STAP_A,))]
    for unit in units:
        parts += (struct.pack("!H", len(unit)), unit)
    return [b"".join(parts)]


def _fragment(unit: bytes, limit: int) -> list[bytes]:
    """Return the FU-A fragments (RFC 6184 section 5.8) of a unit longer than the limit."""
    indicator = bytes((unit[0] & 0xE0 | _FU_A,))
    kind = unit[0] & 0x1F
    content = len(unit) - 1
    count = -(-content // (limit - 2))
    size = -(-content // count)
    starts = range(1, len(unit), size)
    return [
        indicator + bytes(((0x80 if at == 1 else 0) | (0x40 if at == starts[-1] else 0) | kind,)) + unit[at : at + size]
        for at in starts
    ]
