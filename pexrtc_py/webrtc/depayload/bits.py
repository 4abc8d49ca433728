"""Bits out of codec headers, most significant first."""

from __future__ import annotations

__all__ = ["BitReader"]


class BitReader:
    """Reads bits and Exp-Golomb codes.

    Args:
        data: the header; what is read beyond it raises EOFError.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        """Return the next `count` bits."""
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        """Return the next ue(v) (ITU-T H.264 section 9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 31:
                raise EOFError
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """Return the next se(v) (ITU-T H.264 section 9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)
