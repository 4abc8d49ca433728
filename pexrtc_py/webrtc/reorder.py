"""Packets of one SSRC into sequence, with the in-order packet on the shortest way.

An in-order packet passes through `OrderedStream.receive` without being stored and without a timer. A packet ahead of
its turn is held; what is missing before it is asked for again (`nack`) and given up by the rule of the kind of media,
which the two subclasses state: sound in `receiver_audio`, pictures in `receiver_video`.

Counting follows RFC 3550 appendix A; how many packets came is derived from the numbers given up, not counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from ..errors import RemoteProtocolError
from ..media.frames import EncodedFrame, Gap
from .nack import MissingPackets
from .receiver_config import EventFormat, MediaFormat, PayloadFormat, RtxFormat
from .rtcp import ReportBlock
from .rtp import RtpHeader, payload_bounds, signed_difference

__all__ = ["OrderedStream", "StreamOwner"]

_MAX_DROPOUT = 3000  # RFC 3550 appendix A.1
_MAX_MISORDER = 1000  # ten times RFC 3550's: retransmissions of the last seconds are old, and no restart
_MAX_MISSING = 512  # more are not repaired in time, they are an outage
_DEVIATIONS = 128  # of the last seconds: 50 a second of sound, 60 of pictures at most
_MAX_HELD = 4096  # 16 MB/s for a second in packets of 1200 bytes, 3 s of them at 13 Mb/s

Held = tuple[bytes, int, int, int, int, float]
"""Packet, marker and payload type, timestamp, start and end of the payload, arrival."""


class StreamOwner(Protocol):
    """What a stream tells its receiver."""

    def deliver(self, frame: EncodedFrame, began: float, now: float, *, decodable: bool) -> None:
        """Take a frame whose first packet arrived at `began`, given out at `now`."""

    def deliver_gap(self, gap: Gap) -> None:
        """Learn that media is missing."""

    def want_key_frame(self, now: float) -> None:
        """Learn that nothing can be decoded before the next key frame. Called again and again while that is so."""

    def take_event(self, payload: bytes, timestamp: int, clock_rate: int, *, marker: bool) -> None:
        """Take a telephone-event payload."""

    def reschedule(self) -> None:
        """Learn that `next_timer` moved nearer."""


class OrderedStream(ABC):
    """One SSRC: subclasses take its packets in order by `_take`, and state their patience by `_give_up`.

    Driven by `receive`, `repair` (RTX), `handle_timer`, `flush`.
    """

    def __init__(
        self, ssrc: int, owner: StreamOwner, formats: dict[int, PayloadFormat], *, clock_rate: int, nack: bool
    ) -> None:
        self.ssrc = ssrc
        self.formats = formats
        self.missing = MissingPackets(enabled=nack)
        self.clock_rate = clock_rate
        self.last_arrival = 0.0
        self.ended = False
        """Whether the sender said BYE."""
        self.payload_bytes = 0
        self.header_bytes = 0
        self.duplicates = 0
        self.padding = 0
        """RTX that repeats nothing: a probe for bandwidth."""
        self.late = 0
        """Packets that came after they had been given up, or were dropped on the way to a key frame."""
        self.malformed = 0
        self.repaired = 0
        """Missing packets that came by RTX."""
        self.repaired_bytes = 0
        """Payload of those, counted in `payload_bytes` too."""
        self.jitter = 0.0
        """Interarrival jitter in ticks (RFC 3550 section 6.4.1)."""
        self.deviations: deque[float] = deque(maxlen=_DEVIATIONS)
        """The last deviations that jitter is made of, in ticks."""
        self.deviation_count = 0
        """How many there were in all."""
        self.reordered = 0
        """Packets that came after a later one (RFC 4737), not by retransmission."""
        self.last_report: tuple[int, float] | None = None
        """Middle bits of the NTP time of the last sender report, and when it arrived."""
        self.sender_counts: tuple[int, int, int, int, float] | None = None
        """NTP time, packets and bytes of the last sender report, how many there were, and when it arrived."""
        self._owner = owner
        self._nack = nack
        self._next = -1
        self._base = 0
        self._expected_before = 0
        self._given_up = 0
        self._held: dict[int, Held] = {}
        self._highest = 0
        self._suspect: tuple[bytes, RtpHeader, float] | None = None
        self._now = 0.0  # of the last step out of order; in order it is the packet's arrival
        self._transit_timestamp = -1
        self._transit = 0.0
        self._reported = (0, 0)

    def receive(self, packet: bytes, header: RtpHeader, arrival: float) -> None:
        """Take a packet from the network. Never raises: what is damaged is counted and dropped."""
        first, second, sequence, timestamp, _ = header
        expected = self._next
        if sequence != expected & 0xFFFF or self._held or expected < 0:
            self._receive_out_of_order(packet, header, arrival)
            return
        self._next = expected + 1
        end = len(packet)
        if first == 0x90 and end > 16:
            start = 16 + ((packet[14] << 8 | packet[15]) << 2)
        elif first == 0x80:
            start = 12
        else:
            start, end = self._bounds(packet, first)
        self.last_arrival = arrival
        if start >= end:
            self._note_empty(packet, start, end)
            return
        self.header_bytes += start
        self.payload_bytes += end - start
        if timestamp != self._transit_timestamp:
            self._note_transit(timestamp, arrival)
        self._take(packet, second, timestamp, start, end, arrival)

    def repair(self, item: Held, sequence: int) -> None:
        """Take a packet that came by RTX; its payload starts behind the original sequence number.

        Only what is missing is taken, so a copy of any age does no harm (RFC 4588 knows no limit to it).
        """
        highest = self._highest if self._held else self._next - 1
        number = highest + signed_difference(sequence, highest & 0xFFFF, 16)
        if self._next < 0 or number < self._next or number in self._held or number - highest > _MAX_MISSING:
            self.duplicates += not self.missing.answers(number)
            return
        self.repaired += 1
        _, _, _, start, end, _ = item
        self.header_bytes += start
        self.payload_bytes += end - start
        self.repaired_bytes += end - start
        self.missing.lost.lose(number)
        self._hold(number, item, item[5], repaired=True)

    def _bounds(self, packet: bytes, first: int) -> tuple[int, int]:
        try:
            return payload_bounds(packet, first)
        except RemoteProtocolError:
            return len(packet) + 1, len(packet)

    def _note_empty(self, packet: bytes, start: int, end: int) -> None:
        """Count a packet without payload: a probe for bandwidth, or damaged. Its number is filled, nothing else."""
        if start > end:
            self.malformed += 1
        else:
            self.header_bytes += start

    def _note_transit(self, timestamp: int, arrival: float) -> None:
        """Update the jitter, once a timestamp: packets of one picture leave at different times (as libwebrtc does)."""
        if self._transit_timestamp >= 0:
            step = signed_difference(timestamp, self._transit_timestamp, 32)
            deviation = abs((arrival - self._transit) * self.clock_rate - step)
            if deviation < 5 * self.clock_rate:  # a new run of timestamps says nothing about jitter
                self.jitter += (deviation - self.jitter) / 16
                self.deviations.append(deviation)
                self.deviation_count += 1
        self._transit_timestamp = timestamp
        self._transit = arrival

    def _receive_out_of_order(self, packet: bytes, header: RtpHeader, arrival: float) -> None:
        first, second, sequence, timestamp, _ = header
        if self._next < 0:
            self._restart(sequence)
        highest = self._highest if self._held else self._next - 1
        ahead = signed_difference(sequence, highest & 0xFFFF, 16)
        if not -_MAX_MISORDER < ahead < _MAX_DROPOUT:
            # Twice in a row, and the sender has begun anew (RFC 3550 appendix A.1).
            suspect, self._suspect = self._suspect, (packet, header, arrival)
            if suspect is not None and sequence == (suspect[1].sequence + 1) & 0xFFFF:
                self._suspect = None
                self.flush(arrival)
                self._restart(suspect[1].sequence)
                self.receive(*suspect)
                self.receive(packet, header, arrival)
            return
        self._suspect = None
        number = highest + ahead
        if number < self._next or number in self._held:
            # The packet itself, after it was given up or repaired: late and out of order, but not lost.
            if not self._mends_in_place:
                self.reordered += self.missing.lost.find(number)
            if number >= self._next or not self.missing.was_given_up(number):
                self.duplicates += not self.missing.answers(number)
            else:
                self.late += 1
            return
        start, end = self._bounds(packet, first)
        self.last_arrival = arrival
        if start >= end:
            self._note_empty(packet, start, end)
            start = end
        else:
            self.header_bytes += start
            self.payload_bytes += end - start
        repaired = self._mends_in_place
        if ahead < 0:
            if repaired and self.missing.was_asked_for(number):
                self.missing.lost.lose(number)
            else:
                self.reordered += 1
        self._hold(number, (packet, second, timestamp, start, end, arrival), arrival, repaired=repaired)

    @property
    def _mends_in_place(self) -> bool:
        """Whether what was asked for comes again as it was, as without RTX it does (RFC 4585 section 6.2.1)."""
        return self._nack and not any(isinstance(form, RtxFormat) for form in self.formats.values())

    def _restart(self, sequence: int) -> None:
        self._expected_before += self._next - self._base if self._next >= 0 else 0
        self._base = self._next = sequence
        self.missing.lost.restart()

    def _hold(self, number: int, item: Held, now: float, *, repaired: bool) -> None:
        self._now = now
        highest = self._highest if self._held else self._next - 1
        if number > highest:
            self._highest = number
            if number - highest > 1:
                self.missing.add(range(highest + 1, number), now, in_place=self._mends_in_place)
        else:
            self.missing.arrived(number, now, repaired=repaired)
        self._held[number] = item
        self._note_held(number, item)
        if len(self.missing) > _MAX_MISSING or len(self._held) > _MAX_HELD:
            self._skip_to(number, now)
        self._drain()
        if self._held:
            self._give_up(now)
        if number - highest > 1:
            self._owner.reschedule()  # not before the packet is held: nothing is due while none is

    def _drain(self) -> None:
        held = self._held
        while (item := held.pop(self._next, None)) is not None:
            self._next += 1
            packet, second, timestamp, start, end, arrival = item
            if start < end:
                self._take(packet, second, timestamp, start, end, arrival)

    def _skip_to(self, number: int, now: float) -> None:
        """Give up everything before a number, and go on from there."""
        self._now = now
        lost = self.missing.forget_before(number)
        self._given_up += lost
        passed = [self._held.pop(n) for n in sorted(n for n in self._held if n < number)]
        self.late += len(passed)
        self._next = number
        self._skipped(lost, passed, now)
        self._drain()

    def flush(self, now: float) -> None:
        """Give out what is held, however much is missing: the stream has ended or begins anew."""
        while self._held:
            self._skip_to(min(self._held), now)

    def next_timer(self) -> float:
        """Return when `handle_timer` wants to be called; infinity when all is in order."""
        if not self._held:
            return float("inf")
        return min(self.missing.next_timer(), self._patience_ends())

    def next_request(self) -> float:
        """Return when missing packets are to be asked for; infinity when none are."""
        return self.missing.next_timer() if self._held else float("inf")

    def handle_timer(self, now: float) -> list[int]:
        """Give up what is due, and return the 16-bit numbers to be asked for again."""
        if self._held:
            self._give_up(now)
        return [number & 0xFFFF for number in self.missing.due(now)] if self._held else []

    @property
    def received(self) -> int:
        """Different packets that came, by whatever way."""
        return self.expected - self.lost

    @property
    def expected(self) -> int:
        """Packets sent from the first received to the last."""
        if self._next < 0:
            return 0
        last = self._highest + 1 if self._held else self._next
        return self._expected_before + last - self._base

    @property
    def lost(self) -> int:
        """Packets of those that are missing still."""
        return self._given_up + len(self.missing)

    def report(self, now: float) -> ReportBlock:
        """Return a report block, and begin a new interval for its fraction.

        A packet repaired by RTX counts as lost here: the report tells the sender about the network (RFC 4588
        section 8 keeps the retransmission stream's statistics apart).
        """
        expected, lost = self.expected, self.lost + self.repaired
        expected_before, lost_before = self._reported
        self._reported = (expected, lost)
        interval = expected - expected_before
        fraction = max(0, (lost - lost_before) * 256 // interval) if interval > 0 else 0
        last = self._highest if self._held else self._next - 1
        middle, arrived = self.last_report or (0, now)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(255, fraction),
            packets_lost=lost,
            highest_sequence=last & 0xFFFFFFFF,
            jitter=int(self.jitter),
            last_report=middle,
            delay=int((now - arrived) * 65536),
        )

    def _other_payload(self, second: int, payload: bytes, timestamp: int) -> MediaFormat | None:
        """Sort out a payload type that is not the current one; return the codec to change to, None when none."""
        form = self.formats.get(second & 0x7F)
        if isinstance(form, EventFormat):
            self._owner.take_event(payload, timestamp, form.clock_rate, marker=second > 0x7F)
        elif isinstance(form, MediaFormat):
            return form
        else:
            self.malformed += 1
        return None

    @abstractmethod
    def _take(self, packet: bytes, second: int, timestamp: int, start: int, end: int, arrival: float) -> None:
        """Take the next packet in order; its payload is not empty."""

    def _note_held(self, number: int, item: Held) -> None:  # noqa: B027 - a hook that sound does not need
        """Look at a packet that must wait for its turn."""

    @abstractmethod
    def _skipped(self, lost: int, passed: Sequence[Held], now: float) -> None:
        """Learn that packets between the last one taken and the next will not come, nor be taken where they came."""

    @abstractmethod
    def _patience_ends(self) -> float:
        """Return when `_give_up` will do something."""

    @abstractmethod
    def _give_up(self, now: float) -> None:
        """Skip what has been missing for too long, by `_skip_to`."""
