"""DTMF digits on their way into an audio stream (RFC 4733): which packet of which event leaves when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import LocalProtocolError
from .dtmf import DIGITS, EVENT, LONGEST_SEGMENT

__all__ = ["EventPacket", "EventSchedule", "event_packets"]

_PACKET_S = 0.020  # as often as audio packets, which events replace
_VOLUME = 10  # -10 dBm0, what libwebrtc sends
_END_PACKETS = 3  # RFC 4733 section 2.5.1.4
_MOST_WAITING = 8192  # packets: three minutes of digits, which nobody waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPacket:
    """One packet of a telephone event, to be sent at its time."""

    after_s: float
    """Seconds since the first digit began."""
    payload: bytes
    """The payload."""
    marker: bool
    """Whether the event begins with it."""
    began_s: float
    """Seconds since the first digit at which this event, or this segment of it, began: its timestamp."""
    ends_s: float
    """Seconds since the first digit at which its part of the event ends."""
    last: bool
    """Whether it is the last packet of its event."""

    def later(self, seconds: float) -> EventPacket:
        """Return the same packet, some seconds later."""
        return replace(
            self, after_s=self.after_s + seconds, began_s=self.began_s + seconds, ends_s=self.ends_s + seconds
        )


def event_packets(digits: str, clock_rate: int, *, digit_s: float, pause_s: float) -> Iterator[EventPacket]:
    """Return the packets of some digits, in order of time.

    Args:
        digits: of `DIGITS`, without case.
        clock_rate: of the telephone-event format.
        digit_s: how long each lasts.
        pause_s: how long it is silent after each.

    Raises:
        LocalProtocolError: something is no digit.
    """
    codes = [DIGITS.find(digit) for digit in digits.upper()]
    if -1 in codes or not digits:
        raise LocalProtocolError(f"{digits!r} are not DTMF digits")
    return _event_packets(codes, clock_rate, digit_s, pause_s)


def _event_packets(codes: list[int], clock_rate: int, digit_s: float, pause_s: float) -> Iterator[EventPacket]:
    began = 0.0
    for code in codes:
        segment = began
        updates = max(1, round(digit_s / _PACKET_S))
        for update in range(1, updates + 1):
            now = began + update * _PACKET_S
            ticks = round((now - segment) * clock_rate)
            if ticks > LONGEST_SEGMENT:
                segment = now - _PACKET_S
                ticks = round(_PACKET_S * clock_rate)
            last = update == updates
            for copy in range(_END_PACKETS if last else 1):
                yield EventPacket(
                    after_s=began + (update - 1) * _PACKET_S + copy * (_PACKET_S / 4),
                    payload=EVENT.pack(code, (0x80 if last else 0) | _VOLUME, ticks),
                    marker=update == 1 and copy == 0,
                    began_s=segment,
                    ends_s=now,
                    last=last and copy == _END_PACKETS - 1,
                )
        began += updates * _PACKET_S + pause_s


class EventSchedule:
    """Digits on their way: which packet of which event is to be sent when. Driven by `add` and `due`."""

    def __init__(self) -> None:
        self._packets: deque[EventPacket] = deque()
        self._clock_rate = 0
        self._began = 0.0
        self._timestamp = 0
        self._ends = float("-inf")

    def add(self, digits: str, clock_rate: int, now: float, timestamp: int, *, digit_s: float, pause_s: float) -> None:
        """Put digits behind those on their way.

        Args:
            digits: of `DIGITS`, without case.
            clock_rate: of the stream.
            now: the time.
            timestamp: RTP timestamp of now.
            digit_s: how long each lasts, seconds.
            pause_s: how long it is silent after each, seconds.

        Raises:
            LocalProtocolError: something is no digit, or minutes of digits are waiting already.
        """
        if len(self._packets) > _MOST_WAITING:
            raise LocalProtocolError("too many digits are waiting to be sent")
        packets = event_packets(digits, clock_rate, digit_s=digit_s, pause_s=pause_s)
        start = self._packets[-1].ends_s + pause_s if self._packets else 0.0
        if not self._packets:
            self._began, self._timestamp, self._clock_rate = now, timestamp, clock_rate
        self._packets.extend(packet.later(start) for packet in packets)

    def in_event(self, now: float) -> bool:
        """Whether an event has begun and not ended: no audio frame is sent meanwhile."""
        return now < self._ends

    def is_over(self, at: float) -> bool:
        """Whether no event is on its way, and none lasts till then."""
        return not self._packets and at >= self._ends

    def next_timer(self) -> float:
        """Return when the next packet is due; infinity when none is."""
        return self._began + self._packets[0].after_s if self._packets else float("inf")

    def due(self, now: float) -> list[tuple[bytes, int, bool]]:
        """Return payload, RTP timestamp and marker of the packets to be sent by now."""
        packets = []
        while self._packets and self._began + self._packets[0].after_s <= now:
            event = self._packets.popleft()
            self._ends = self._began + event.ends_s if event.last else float("inf")
            timestamp = (self._timestamp + round(event.began_s * self._clock_rate)) & 0xFFFFFFFF
            packets.append((event.payload, timestamp, event.marker))
        return packets
