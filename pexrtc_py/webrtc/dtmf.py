"""DTMF digits as telephone events inside an audio stream (RFC 4733): what they look like, and how they are read."""

from __future__ import annotations

import struct

from .rtp import signed_difference

__all__ = ["DIGITS", "EVENT", "LONGEST_SEGMENT", "EventReader"]

DIGITS = "0123456789*#ABCD"
"""Digits by event code (RFC 4733 section 3.2)."""

EVENT = struct.Struct("!BBH")
"""A payload: event code, end bit with volume, duration in ticks."""
LONGEST_SEGMENT = 0xFFFF
"""Ticks that a payload can tell; longer events come in segments (RFC 4733 section 2.5.1.3)."""
# Ticks by which an event may be late: 11 s at 48 kHz, a minute at 8. What is further back is of another run of
# timestamps: of a sender that began anew, or of another one.
_LATEST = 1 << 19


class EventReader:
    """Finds digits in telephone-event payloads: each event once, whichever of its packets arrive."""

    def __init__(self) -> None:
        self._last: tuple[int, int, int] | None = None

    def read(self, payload: bytes, timestamp: int, *, marker: bool) -> str | None:
        """Return the digit that begins with this packet; None for more of the same, older ones and other events.

        Args:
            payload: of one packet.
            timestamp: RTP timestamp: when the event began.
            marker: whether the marker bit is set: an event begins, not the next segment of a long one.
        """
        if len(payload) < EVENT.size:
            return None
        event, _, duration = EVENT.unpack_from(payload)
        last, self._last = self._last, (event, timestamp, duration)
        if last is not None:
            last_event, last_timestamp, last_duration = last
            newer = signed_difference(timestamp, last_timestamp, 32)
            if -_LATEST < newer <= 0:
                self._last = (last_event, last_timestamp, max(duration, last_duration) if not newer else last_duration)
                return None
            if event == last_event and not marker and LONGEST_SEGMENT // 2 <= newer <= last_duration + 1:
                return None  # the next segment of a long event
        return DIGITS[event] if event < len(DIGITS) else None
