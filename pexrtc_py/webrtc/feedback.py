"""Feedback about the whole transport: arrival times of packets, the estimate of a receiver, and our senders' rates.

Transport-wide sequence numbers count all packets of a peer whatever their stream; so one `TransportFeedbackRecorder`
serves all receivers of a peer and one `TransportSequence` all its senders.
"""

from __future__ import annotations

from collections.abc import Callable

from aiortc.rate import RemoteBitrateEstimator

from .feedback_follower import FeedbackFollower
from .rtcp import ReceiverEstimate, TransportFeedback
from .rtcp_transport import TICKS_PER_SECOND
from .rtp import read_extensions, unwrap

__all__ = ["EstimateReporter", "LossRate", "TransportFeedbackRecorder", "TransportSequence"]

_INTERVAL_S = 0.1  # libwebrtc sends every 50 to 250 ms
_REFERENCE_TICKS = 256  # 64 ms
_MAX_PACKETS = 2000  # in one feedback; libwebrtc's history holds 500 ms
_MAX_SOURCES = 16  # of one line before they are forgotten; a sender has two, media and retransmissions
_MAX_SPAN_TICKS = 0x7FFF  # one delta, about 8 s


_LOSSY = 0.1
_AFTER_QUEUE = 0.85  # draft-ietf-rmcat-gcc-02 section 5.5
_AFTER_FULL = 0.7  # a full queue is to run empty within a second or so: till then key frames find no room in it
_MOST_AT_ONCE = 0.5
_NEAR_KNEE = 0.85
_GROWTH, _GROWTH_NEAR = 1.08, 0.01
_KNEE_FORGOTTEN = 1.15
_ROOM_AT_ONCE = 2.0  # as libwebrtc probes (ProbeController)
_ROOM_WORTH, _ROOM_USED = 1.5, 0.7  # of what bursts find: others may send there too
_ROOM_PAUSE_S = 1.0  # till the bursts that are looked at were sent at the new rate
_ROOM_WRONG_S, _ROOM_WRONG_MOST_S = 10.0, 120.0  # how long bursts are not believed that misled; twice as long each time
_ROOM_RIGHT_S = 10.0  # a queue so long after a step is no fault of it
_ROOM_FRESH_S = 1.0
_LAST_STEP = 1.5
_ROOM_FALSE = 2.5  # times what got through: more than a way makes of it that was wider just now


class TransportSequence:
    """Gives out the transport-wide sequence numbers of one peer's packets."""

    def __init__(self) -> None:
        self._next = 0
        self.follower: FeedbackFollower | None = None
        """Whoever wants to know what left under which numbers."""

    @property
    def upcoming(self) -> int:
        """What `next` will return."""
        return self._next

    def next(self) -> int:
        """Return the next number, 16 bits."""
        return self.take(1)

    def take(self, count: int) -> int:
        """Return the first of so many numbers that follow each other."""
        number = self._next
        self._next = (number + count) & 0xFFFF
        return number

    def take_back(self, first: int, count: int) -> None:
        """Give the last numbers out again: what had them was not sent. Not if others were given out since."""
        if (first + count) & 0xFFFF == self._next:
            self._next = first


class TransportFeedbackRecorder:
    """Notes when each packet arrived, and reports it ten times a second while packets come.

    Args:
        extension_id: id of the transport-wide sequence number extension.
        sender_ssrc: any SSRC of ours.
        send_rtcp: takes each feedback packet.
    """

    def __init__(self, extension_id: int, sender_ssrc: int, send_rtcp: Callable[[bytes], None]) -> None:
        self._id = extension_id
        self._ids = frozenset((extension_id,))
        self._head = extension_id << 4 | 1
        self._sender_ssrc = sender_ssrc
        self._send_rtcp = send_rtcp
        self._arrivals: dict[int, float] = {}
        self._media_ssrc = 0
        self._newest = -1
        self._reported = -1
        self._count = 0
        self._due: float | None = None

    def handle_packet(self, packet: bytes, first: int, ssrc: int, arrival: float) -> None:
        """Note a packet's arrival, when it carries a number.

        Args:
            packet: the whole packet.
            first: its first byte.
            ssrc: its SSRC.
            arrival: when it arrived.
        """
        if first == 0x90 and len(packet) > 19 and packet[16] == self._head and packet[12] == 0xBE:
            sequence = packet[17] << 8 | packet[18]  # the first and often only extension
        else:
            value = read_extensions(packet, first, self._ids).get(self._id)
            if value is None or len(value) < 2:
                return
            sequence = value[0] << 8 | value[1]
        newest = self._newest
        if newest < 0:
            self._newest = number = sequence + 0x10000
            self._reported = number - 1
        else:
            number = unwrap(sequence, newest, 16)
            if number > newest:
                self._newest = number
        if number > self._reported:
            self._arrivals.setdefault(number, arrival)
            self._media_ssrc = ssrc
            if self._due is None:
                self._due = arrival + _INTERVAL_S

    def next_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called; None while there is nothing to report."""
        return self._due

    def handle_timer(self, now: float) -> None:
        """Report what arrived since the last time; packets that come later than their report are not reported."""
        if self._due is None or now < self._due:
            return
        self._due = None
        numbers = sorted(self._arrivals)
        at = 0
        while at < len(numbers):
            base = self._reported + 1 if numbers[at] - self._reported <= _MAX_PACKETS else numbers[at]
            reference = int(self._arrivals[numbers[at]] * TICKS_PER_SECOND) // _REFERENCE_TICKS
            arrivals: list[int | None] = []
            before = 0
            while at < len(numbers) and numbers[at] - base < _MAX_PACKETS:
                tick = int(self._arrivals[numbers[at]] * TICKS_PER_SECOND) - reference * _REFERENCE_TICKS
                if abs(tick - before) > _MAX_SPAN_TICKS:
                    break
                arrivals += [None] * (numbers[at] - base - len(arrivals))
                arrivals.append(tick)
                before = tick
                at += 1
            self._reported = base + len(arrivals) - 1
            self._send(base, reference, arrivals)
        self._arrivals.clear()

    def _send(self, base: int, reference: int, arrivals: list[int | None]) -> None:
        reference &= 0xFFFFFF
        feedback = TransportFeedback(
            sender_ssrc=self._sender_ssrc,
            media_ssrc=self._media_ssrc,
            base_sequence=base & 0xFFFF,
            count=self._count,
            reference=reference - 0x1000000 if reference & 0x800000 else reference,
            arrivals=tuple(arrivals),
        )
        self._count = (self._count + 1) & 0xFF
        self._send_rtcp(feedback.serialize())


class EstimateReporter:
    """Tells the sender what we can receive (REMB), by aiortc's estimator of queueing delay.

    Args:
        extension_id: id of the absolute send time extension.
        sender_ssrc: any SSRC of ours.
        most_bps: most to ask for; None for any rate.
        send_rtcp: takes each report; the estimator says when, about once a second or at once when a queue grows.
    """

    def __init__(
        self, extension_id: int, sender_ssrc: int, most_bps: int | None, send_rtcp: Callable[[bytes], None]
    ) -> None:
        self._id = extension_id
        self._sender_ssrc = sender_ssrc
        self._most = most_bps
        self._send_rtcp = send_rtcp
        self._estimator = RemoteBitrateEstimator()

    def handle_packet(self, packet: bytes, first: int, ssrc: int, arrival: float) -> None:
        """Note a packet's arrival, when it carries the time it was sent. Arguments as in the recorder above."""
        value = read_extensions(packet, first, (self._id,)).get(self._id)
        if value is None or len(value) != 3:
            return
        sent = int.from_bytes(value, "big")
        estimate = self._estimator.add(int(arrival * 1000), sent, len(packet), ssrc)
        if len(self._estimator.ssrcs) > _MAX_SOURCES:
            self._estimator.ssrcs.clear()
        if estimate is not None:
            bitrate, ssrcs = estimate
            if self._most is not None:
                bitrate = min(bitrate, self._most)
            report = ReceiverEstimate(sender_ssrc=self._sender_ssrc, bitrate_bps=bitrate, ssrcs=tuple(ssrcs)[:255])
            self._send_rtcp(report.serialize())


class LossRate:
    """A sender's bitrate by the losses reported (draft-ietf-rmcat-gcc-02 section 6).

    More than 10 % lost lowers the rate, less than 2 % lets it grow by 8 % a second; REMB is a ceiling. A queue on the
    way lowers it to below what got through. Near that it grows by 1 % of it a second from then on (section 5.5), unless
    bursts find that the way carries more: then it grows in steps.

    Args:
        start_bps: rate to begin with.
        least_bps: never go below.
        most_bps: never go above: what the call allows.
    """

    def __init__(self, start_bps: int, *, least_bps: int, most_bps: int) -> None:
        self._least = least_bps
        self._most = most_bps
        self._ceiling = most_bps
        self._rate = float(min(start_bps, most_bps))
        self._reported: float | None = None
        self._lowered: float | None = None
        self._knee: float | None = None
        self._fraction = 0.0
        self._room: tuple[int, float] | None = None
        self._before_step = self._rate
        self._stepped = float("-inf")
        self._steps_from = float("-inf")
        self._doubted_until = float("-inf")
        self._wrong_s = _ROOM_WRONG_S

    @property
    def bitrate_bps(self) -> int:
        """What to send now, bits per second."""
        return int(max(self._least, min(self._rate, self._ceiling)))

    @property
    def is_held(self) -> bool:
        """Whether losses or a queue have lowered it."""
        return self._rate < self._most

    def handle_loss(self, fraction: float, now: float) -> None:
        """Take the fraction of packets lost (0 to 1) out of a report block."""
        before, self._reported, self._fraction = self._reported, now, fraction
        if self._lowered is not None and (before is None or before < self._lowered):
            return  # it tells of packets sent at the rate of before, too
        if fraction > _LOSSY:
            self._rate = max(self._least, self.bitrate_bps * (1 - 0.5 * fraction))
            if now - self._stepped < _ROOM_RIGHT_S:
                self._rate = min(self._rate, self._before_step)
                self._doubt(now)
        elif fraction < 0.02 and before is not None:
            self._grow(min(2.0, now - before))

    def _grow(self, seconds: float) -> None:
        rate, knee = max(self._rate, self._least), self._knee
        if knee is not None and rate > _KNEE_FORGOTTEN * knee:
            knee = self._knee = None
        if knee is not None and rate > _NEAR_KNEE * knee:
            rate += _GROWTH_NEAR * knee * seconds
        else:
            rate *= _GROWTH**seconds
            if knee is not None:
                rate = min(rate, (_NEAR_KNEE + _GROWTH_NEAR) * knee)
        self._rate = min(self._most, rate)

    def handle_queue(self, through_bps: int, now: float, *, is_full: bool = False) -> None:
        """Take what gets through while a queue grows. It halves the rate at most, since who sent little got little
        through; unless the queue `is_full`: then more was sent than gets through.
        """
        now_bps = float(self.bitrate_bps)
        wanted = (_AFTER_FULL if is_full else _AFTER_QUEUE) * through_bps
        is_known = is_full or wanted >= _MOST_AT_ONCE * now_bps
        self._rate = max(self._least, min(now_bps, wanted if is_known else _MOST_AT_ONCE * now_bps))
        self._knee = float(through_bps) if is_known else None
        self._lowered = now
        room = self._room
        if room is None or not is_known or now - room[1] > _ROOM_FRESH_S:
            misled = False
        else:
            misled = room[0] > _ROOM_FALSE * through_bps  # others send there, or bursts pass by what holds the rest
        if misled or now - self._stepped < _ROOM_RIGHT_S:
            self._doubt(now)
        else:
            self._steps_from = max(self._steps_from, now + _ROOM_PAUSE_S)

    def _doubt(self, now: float) -> None:
        """Take no further step for a while, and for a longer one the next time."""
        self._stepped = float("-inf")
        if now < self._doubted_until:
            return
        if now - self._doubted_until > _ROOM_WRONG_MOST_S:
            self._wrong_s = _ROOM_WRONG_S
        self._steps_from = self._doubted_until = now + self._wrong_s
        self._wrong_s = min(_ROOM_WRONG_MOST_S, 2 * self._wrong_s)

    def handle_room(self, room_bps: int, now: float, *, is_crowded: bool = False) -> None:
        """Take what bursts of packets find that the way carries, and whether a queue stands there: an upper bound."""
        self._room = room_bps, now
        now_bps = float(self.bitrate_bps)
        if (
            is_crowded
            or not self.is_held
            or now < self._steps_from
            or self._fraction > _LOSSY
            or room_bps < _ROOM_WORTH * now_bps
        ):
            return
        self._before_step = now_bps
        usable = _ROOM_USED * room_bps
        wanted = max(now_bps, min(_ROOM_AT_ONCE * now_bps, usable))
        # An encoder may take no notice of a last step that is small (VP8, of less than a half): so there is none.
        self._rate = self._most if wanted * _LAST_STEP > self._most <= usable else min(self._most, wanted)
        self._knee = None
        self._stepped, self._steps_from = now, now + _ROOM_PAUSE_S

    def handle_estimate(self, bitrate_bps: int) -> None:
        """Take the receiver's own estimate (REMB)."""
        self._ceiling = max(self._least, min(bitrate_bps, self._most))
