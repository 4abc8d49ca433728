"""Encoded frames and short messages through a pipe between a parent and its child.

Each is four bytes of length, big-endian, and that many bytes of msgpack: a frame as a map, a message as text.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from .frames import EncodedFrame

__all__ = ["FramePipeReader", "pack_item"]

_LENGTH = struct.Struct("!I")
_MOST_BYTES = 16 << 20
_decoder = msgspec.msgpack.Decoder(EncodedFrame | str)


def pack_item(item: EncodedFrame | str) -> bytes:
    """Return what to write for a frame or a message."""
    data = msgspec.msgpack.encode(item)
    return _LENGTH.pack(len(data)) + data


class FramePipeReader:
    """Takes bytes as they come out of a pipe and gives what was packed."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[EncodedFrame | str]:
        """Yield what is complete.

        Raises:
            ValueError: that is nothing `pack_item` wrote.
        """
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > _MOST_BYTES:
                raise ValueError(f"{length} bytes in one item")
            if len(self._buffer) - at < _LENGTH.size + length:
                break
            at += _LENGTH.size
            item = _decoder.decode(memoryview(self._buffer)[at : at + length].tobytes())
            at += length
            yield item
        del self._buffer[:at]
