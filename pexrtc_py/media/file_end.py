"""Whether a file was closed by its writer, from its outermost structure alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

__all__ = ["Ending", "ending_of"]

_WAV_FULL = 0xFFFFFFFF
"""Where lengths in a WAV's header end: a longer one, of more than six hours in stereo, goes on to its end."""


class Ending(StrEnum):
    """How a file ends."""

    CLOSED = "closed"
    NOT_CLOSED = "not closed"
    """Its writer did not get to the end; it plays up to there."""
    TRUNCATED = "truncated"
    """Something was cut off."""
    UNKNOWN = "unknown"
    """No container we look into."""


def ending_of(path: Path) -> Ending:
    """Look at a Matroska, MP4, Ogg or WAV file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska(file, size)
        if start[4:8] == b"ftyp":
            return _mp4(file, size)
        if start[:4] == b"OggS":
            return _ogg(file, size)
        if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
            expected = int.from_bytes(start[4:8], "little") + 8
            if expected >= _WAV_FULL:
                return Ending.CLOSED if size >= expected else Ending.TRUNCATED
            return Ending.TRUNCATED if size < expected else Ending.CLOSED if size == expected else Ending.NOT_CLOSED
    return Ending.UNKNOWN


def _matroska(file: BinaryIO, size: int) -> Ending:
    """The Segment's length is filled in at the end (RFC 9559 section 5.1)."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return Ending.TRUNCATED
    file.seek(header, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return Ending.TRUNCATED
    start = file.tell()
    length = _vint(file)
    if length is None:
        return Ending.NOT_CLOSED if file.tell() > start else Ending.TRUNCATED
    return Ending.TRUNCATED if file.tell() + length > size else Ending.CLOSED


def _vint(file: BinaryIO) -> int | None:
    """Read a length (RFC 8794 section 4); None for an unknown one."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _mp4(file: BinaryIO, size: int) -> Ending:
    """Boxes follow one another; fragments without an index over all are a file not closed (ISO/IEC 14496-12)."""
    at, names = 0, []
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - at
        if length < 8 or at + length > size:
            return Ending.TRUNCATED
        names.append(head[4:8])
        at += length
    if at != size:
        return Ending.TRUNCATED
    fragmented = b"moof" in names
    return Ending.NOT_CLOSED if b"moov" not in names or (fragmented and b"mfra" not in names) else Ending.CLOSED


def _ogg(file: BinaryIO, size: int) -> Ending:
    """The last page says that it is the last (RFC 3533 section 6, header type 4)."""
    file.seek(max(0, size - 65_307))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return Ending.TRUNCATED
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    if at + 27 + tail[at + 26] + sum(segments) != len(tail):
        return Ending.TRUNCATED
    return Ending.CLOSED if tail[at + 5] & 4 else Ending.NOT_CLOSED
