"""Frames whose packets a sender has made before their time: what it was before each, as long as it has not left.

While a player's frames are made ahead, the sender's own state is that after the last of them. Whoever asks what has
been sent until now (reports, statistics, repairs) is answered by what stood before the first that has not left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from msgspec import Struct

from ..media.player_ahead import Ahead, Storage
from .rtp import signed_difference
from .sender_statistics import SenderCounts

__all__ = ["Before", "Holding", "MadeAhead"]


class Holding(Storage, Protocol):
    """Where packets wait, encrypted."""

    def hold_rtp(self, packets: Sequence[bytes]) -> int | None:
        """Encrypt and keep packets; return the place of the first, None when that cannot be."""

    def drop_held(self, count: int) -> None:
        """Forget the packets that were kept last: they will not be sent."""


class Before(Struct, gc=False):
    """What a sender was before it made a frame."""

    at: float
    """When the frame leaves."""
    sequence: int
    picture_id: int
    offset: int
    last: tuple[int, float] | None
    last_sent: float
    number: int
    """Transport-wide, of its first packet."""
    packets: int
    payload_bytes: int
    header_bytes: int
    frames: int
    key_frames: int
    size: tuple[int, int]
    """Width and height in pixels."""

    def counts(self, after: SenderCounts) -> SenderCounts:
        """Return the counts with what had been sent before the frame."""
        return replace(
            after,
            packets=self.packets,
            payload_bytes=self.payload_bytes,
            header_bytes=self.header_bytes,
            frames=self.frames,
            key_frames=self.key_frames,
            width=self.size[0],
            height=self.size[1],
        )

    def restore(self, counts: SenderCounts) -> None:
        """Set counts back to what had been sent before the frame."""
        counts.packets, counts.payload_bytes, counts.header_bytes = self.packets, self.payload_bytes, self.header_bytes
        counts.frames, counts.key_frames = self.frames, self.key_frames
        counts.width, counts.height = self.size


class MadeAhead:
    """What one sender has made ahead and has not sent yet."""

    def __init__(self) -> None:
        self._befores: deque[Before] = deque()
        self._ahead: Ahead | None = None

    @property
    def first(self) -> Before | None:
        """What the sender was before the first frame that has not left; None when all have."""
        befores, ahead = self._befores, self._ahead
        while befores and ahead is not None and befores[0].at <= ahead.departed:
            befores.popleft()
        return befores[0] if befores else None

    def add(self, before: Before, ahead: Ahead) -> bool:
        """Note a frame; False when another player's frames are waiting."""
        if self._ahead is not ahead:
            if self.first is not None:
                return False
            self._ahead = ahead
        self._befores.append(before)
        return True

    def pop(self) -> Before:
        """Forget the last frame, which is taken back."""
        return self._befores.pop()

    def take_back(self) -> None:
        """Have all taken back that has not left."""
        if self._befores and self.first is not None and self._ahead is not None:
            self._ahead.take_back()

    def has_left(self, sequence: int) -> bool:
        """Whether a packet of this number can have been sent, 16 bits."""
        first = self.first
        return first is None or signed_difference(sequence, first.sequence, 16) < 0
