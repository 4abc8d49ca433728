"""One sent media line: a tap that takes encoded frames and sends them at once as RTP, with reports and repairs.

Sans-IO: driven by `push`, the `handle_*` methods and `handle_timer`; the clock of the peer is handed in (`SendClock`),
as `Tap.push` brings no time along. Whatever is pushed leaves as one run of timestamps: where a source's numbers jump
(another source, a loop without rebasing) they are joined by the time that passed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import LocalProtocolError
from ..media.frames import EncodedFrame, Gap, Kind
from ..media.player_ahead import Ahead
from .clock import SendClock
from .dtmf import EventSchedule
from .feedback import TransportSequence
from .payload import payloader
from .rtcp import (
    Bye,
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    ntp_from_unix,
    serialize_compound,
)
from .rtp import FIXED_HEADER
from .sender_ahead import Before, Holding, MadeAhead
from .sender_config import SenderConfig
from .sender_extensions import ExtensionWriter
from .sender_history import SentPackets, rtx_packet
from .sender_rate import SendRate
from .sender_requests import KeyFrameRequests
from .sender_statistics import SenderCounts, sender_statistics
from .statistics import RtpStatistics

__all__ = ["Sender"]

logger = logging.getLogger(__name__)

_REPORT_INTERVAL_S = 1.0  # see receiver
_DISCONTINUITY_S = 0.5  # RTP times and times of frames that part by more are of another run
_SAME_CLOCK_S = 5.0  # what a player makes ahead by another clock than ours leaves at no time of ours
_EXTENSION_ROOM = 44  # of the packet's size: fixed header and extensions with a MID of 16 bytes


class Sender:
    """Sends one media line. It is an `AheadTap`; see the module for what drives it.

    Args:
        config: what was negotiated.
        send_rtp: takes the RTP packets of each frame, at once.
        send_rtcp: takes each RTCP packet, at once.
        clock: of the peer; the same for all its senders.
        transport_sequence: numbers of all the peer's packets; needed when the extension was negotiated.
        holding: where packets wait that are made before their time; without it none are.
    """

    def __init__(
        self,
        config: SenderConfig,
        send_rtp: Callable[[Sequence[bytes]], None],
        send_rtcp: Callable[[bytes], None],
        clock: SendClock,
        *,
        transport_sequence: TransportSequence | None = None,
        holding: Holding | None = None,
    ) -> None:
        self.config = config
        self.on_key_frame_request: Callable[[], None] | None = None
        """Called when the receiver needs a key frame, at most every 0.3 s."""
        self.on_report: Callable[[], None] | None = None
        """Called when the receiver has reported on what was sent."""
        self.on_timer: Callable[[], None] | None = None
        """Called when `next_timer` has moved nearer."""
        self.audio_level: int | None = None
        """Level of the next audio frames in -dBov (0 loudest, 127 silence), None when unknown."""
        self.round_trip_s: float | None = None
        """By the last report of the receiver, None before."""
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._clock = clock
        self._transport_sequence = transport_sequence
        self._payloader = payloader(config.codec, packetization_mode=config.packetization_mode)
        self._extensions = ExtensionWriter(config, transport_sequence)
        self._history = SentPackets()
        self._holding = holding
        self._made_ahead = MadeAhead()
        self._sequence = config.first_sequence
        self._rtx_sequence = config.first_sequence
        self._enabled = True
        self._closed = False
        self._need_key = config.kind is Kind.VIDEO
        self._told_mismatch = False
        # The run of timestamps: what is added to frames' RTP times, and the last frame of it.
        self._offset = config.timestamp_offset
        self._last: tuple[int, float] | None = None
        self._last_sent = 0.0
        self._next_report = float("inf")
        self._reports: deque[tuple[int, float]] = deque(maxlen=8)
        self._requests = KeyFrameRequests()
        self._fir_number: int | None = None
        self.rate = SendRate(config)
        """At which rate to send."""
        self._events = EventSchedule()
        self.counts = SenderCounts()
        self.last_block: ReportBlock | None = None
        """What the receiver reported last."""

    @property
    def on_bitrate(self) -> Callable[[int], None] | None:
        """Called with the bits per second to send from now on, when that changes by 5 % or more."""
        return self.rate.on_change

    @on_bitrate.setter
    def on_bitrate(self, tell: Callable[[int], None] | None) -> None:
        self.rate.on_change = tell

    # Frames (Tap)

    def push(self, item: EncodedFrame | Gap) -> None:
        """Send a frame. Before the first key frame, and after `set_enabled`, others are dropped and one asked for."""
        if isinstance(item, Gap) or not self._enabled or self._closed:
            return
        self._made_ahead.take_back()
        if item.codec is not self.config.codec:
            self._drop_mismatch(item)
            return
        if self._need_key:
            if not item.key:
                self._ask_for_key_frame(self._clock.now())
                return
            self._need_key = False
        now = self._clock.now()
        timestamp = self._timestamp(item, now)
        if self._events.in_event(now):
            return
        if now >= self._next_report or self._next_report == float("inf"):
            self._report(now)
        packets = self._frame_packets(item, timestamp, now)
        if packets:
            self._send_rtp(packets)

    def push_ahead(self, item: EncodedFrame, ahead: Ahead) -> bool:
        """See `AheadTap.push_ahead`. Only plain frames in a running stream are made ahead, so all else has its time."""
        holding, at = self._holding, ahead.at
        if (
            holding is None
            or not self._enabled
            or self._closed
            or self._need_key
            or item.codec is not self.config.codec
            or self._next_report == float("inf")
            or self._events.next_timer() != float("inf")
            or self._events.in_event(at)
            or abs(at - self._clock.now()) > _SAME_CLOCK_S
        ):
            return False
        if not self._made_ahead.add(self._before(at), ahead):
            return False
        packets = self._frame_packets(item, self._timestamp(item, at), at)
        first = holding.hold_rtp(packets) if packets else 0
        if first is None:
            self._undo(packets, held=False)
            return False
        ahead.on_undo(partial(self._undo, packets, held=bool(packets)))
        if packets:
            ahead.add(holding, first, len(packets))
        return True

    def _before(self, at: float) -> Before:
        counts, numbers = self.counts, self._transport_sequence
        return Before(
            at,
            self._sequence,
            self._payloader.picture_id,
            self._offset,
            self._last,
            self._last_sent,
            numbers.upcoming if numbers is not None else 0,
            counts.packets,
            counts.payload_bytes,
            counts.header_bytes,
            counts.frames,
            counts.key_frames,
            (counts.width, counts.height),
        )

    def _undo(self, packets: Sequence[bytes], *, held: bool) -> None:
        """Be as before the last frame that was made ahead. Its numbers are free again: nobody has seen them."""
        before = self._made_ahead.pop()
        self.counts = before.counts(self.counts)
        self._sequence, self._offset = before.sequence, before.offset
        self._last, self._last_sent = before.last, before.last_sent
        self._payloader.picture_id = before.picture_id
        if packets and self.config.nack:
            self._history.take_back()
        if packets and self._transport_sequence is not None:
            self._transport_sequence.take_back(before.number, len(packets))
        if held and self._holding is not None:
            self._holding.drop_held(len(packets))

    def _frame_packets(self, frame: EncodedFrame, timestamp: int, now: float) -> list[bytes]:
        config = self.config
        payloads = self._payloader.split(frame, config.max_packet - _EXTENSION_ROOM)
        if not payloads:
            return []
        self.counts.frames += 1
        if frame.key:
            self.counts.key_frames += 1
            self.counts.width, self.counts.height = frame.width, frame.height
        # Video: the last of a picture. Audio: the first after silence (RFC 3551 section 4.1).
        marker = config.kind is Kind.VIDEO or self.counts.packets == 0
        return self._packets(payloads, config.payload_type, timestamp, now, marker=marker)

    def end(self) -> None:
        """Send BYE, and nothing any more. Idempotent."""
        if self._closed:
            return
        self._made_ahead.take_back()
        self._closed = True
        if self.counts.packets:
            self._send_rtcp(
                serialize_compound([*self._report_packets(self._clock.now()), Bye(ssrcs=(self.config.ssrc,))])
            )

    def _drop_mismatch(self, frame: EncodedFrame) -> None:
        self.counts.mismatched += 1
        if not self._told_mismatch:
            self._told_mismatch = True
            logger.warning("! frames of %s dropped: %s was negotiated", frame.codec, self.config.codec)

    def _timestamp(self, frame: EncodedFrame, now: float) -> int:
        """Return the frame's timestamp on the wire, joining runs that do not follow each other."""
        rate = frame.codec.clock_rate
        if self._last is not None:
            last_rtp, last_time = self._last
            by_rtp = (frame.rtp_time - last_rtp) / rate
            back = by_rtp < (0.0 if frame.key else -_DISCONTINUITY_S)  # others may be shown out of order
            if back or abs(by_rtp - (frame.time - last_time)) > _DISCONTINUITY_S:
                passed = max(1, round((now - self._last_sent) * rate))
                self._offset += last_rtp + passed - frame.rtp_time
        self._last = (frame.rtp_time, frame.time)
        self._last_sent = now
        return (frame.rtp_time + self._offset) & 0xFFFFFFFF

    def _packets(
        self, payloads: Sequence[bytes], payload_type: int, timestamp: int, now: float, *, marker: bool
    ) -> list[bytes]:
        """Make the packets that leave at one moment; `marker` is of the last of them."""
        sequence = first_sequence = self._sequence
        ssrc = self.config.ssrc
        before, after = self._extensions.around(now, self.audio_level)
        numbers = self._extensions.transport_sequence
        first_number = numbers.upcoming if numbers is not None else 0
        first = 0x90 if before or after else 0x80
        last = len(payloads) - 1
        packets: list[bytes] = []
        for index, payload in enumerate(payloads):
            second = payload_type | 0x80 if marker and index == last else payload_type
            head = FIXED_HEADER.pack(first, second, sequence, timestamp, ssrc)
            if numbers is None:
                packets.append(head + after + payload)
            else:
                packets.append(b"".join((head, before, numbers.next().to_bytes(2, "big"), after, payload)))
            sequence = (sequence + 1) & 0xFFFF
        self._sequence = sequence
        counts = self.counts
        size = sum(map(len, payloads))
        counts.packets += len(packets)
        counts.payload_bytes += size
        whole = sum(map(len, packets))
        counts.header_bytes += whole - size
        if self.config.nack:
            self._history.add(first_sequence, packets, whole, now)
        if numbers is not None and numbers.follower is not None:
            numbers.follower.note_sent(first_number, [*map(len, packets)], now)
        return packets

    def set_enabled(self, *, enabled: bool) -> None:
        """Send, or drop what is pushed (mute, hold). Video goes on with a key frame."""
        if enabled is not self._enabled:
            self._made_ahead.take_back()
        if enabled and not self._enabled and self.config.kind is Kind.VIDEO:
            self._need_key = True
            self._ask_for_key_frame(self._clock.now())
        self._enabled = enabled

    def reconfigure(self, config: SenderConfig) -> None:
        """Go on under what was negotiated anew. SSRC, sequence numbers and timestamps go on as they are."""
        self._made_ahead.take_back()
        if config.codec is not self.config.codec or config.packetization_mode != self.config.packetization_mode:
            self._payloader = payloader(config.codec, packetization_mode=config.packetization_mode)
            self._need_key = config.kind is Kind.VIDEO
            self._told_mismatch = False
            self._last = None
        changed = config.max_bitrate_bps != self.config.max_bitrate_bps
        self.config = config
        self._extensions = ExtensionWriter(config, self._transport_sequence)
        if changed:
            self.rate.reconfigure(config)

    # Reports

    def _report(self, now: float) -> None:
        self._next_report = now + _REPORT_INTERVAL_S
        self._send_rtcp(serialize_compound(self._report_packets(now)))
        if self.on_timer is not None:
            self.on_timer()

    def _report_packets(self, now: float) -> list[RtcpPacket]:
        """A report whose NTP and RTP times are those of the last frame, both moved on to now.

        Of frames that are made ahead it may be one to come; what is counted has left.
        """
        counts = self._counts_sent()
        rtp_time, time = self._last or (0, now)
        passed = now - self._last_sent if self._last is not None else 0.0
        ntp = ntp_from_unix(self._clock.unix_time(time + passed))
        self._reports.append((ntp >> 16 & 0xFFFFFFFF, now))
        report = SenderReport(
            ssrc=self.config.ssrc,
            ntp=ntp,
            rtp_time=(rtp_time + round(passed * self.config.codec.clock_rate) + self._offset) & 0xFFFFFFFF,
            packets=counts.packets,
            octets=counts.payload_bytes,
        )
        return [report, SourceDescription(cnames=((self.config.ssrc, self.config.cname),))]

    def _counts_sent(self) -> SenderCounts:
        first = self._made_ahead.first
        return self.counts if first is None else first.counts(self.counts)

    # What the receiver says

    def handle_rtcp(self, packet: RtcpPacket) -> None:
        """Take any RTCP packet of the peer, and act on it when it is about this stream."""
        ssrc = self.config.ssrc
        if isinstance(packet, ReceiverReport | SenderReport):
            for block in packet.reports:
                if block.ssrc == ssrc:
                    self.handle_report_block(block)
        elif isinstance(packet, Nack):
            if packet.media_ssrc == ssrc:
                self.handle_nack(packet.lost)
        elif isinstance(packet, PictureLossIndication):
            if packet.media_ssrc == ssrc:
                self.counts.plis += 1
                self.handle_key_frame_request()
        elif isinstance(packet, FullIntraRequest):
            self._handle_full_intra_request(packet)
        elif isinstance(packet, ReceiverEstimate) and (ssrc in packet.ssrcs or not packet.ssrcs):
            self.handle_remb(packet.bitrate_bps)

    def handle_nack(self, sequences: Sequence[int]) -> None:
        """Send packets again, as far as they are kept, and not more than does good."""
        config = self.config
        if not config.nack:
            return
        now = self._clock.now()
        self.counts.nacks += 1
        numbers = self._extensions.transport_sequence
        follower = numbers.follower if numbers is not None else None
        crowded = follower is not None and follower.is_crowded(now)
        for sequence in sequences:
            if not self._made_ahead.has_left(sequence):
                continue
            packet = self._history.again(sequence, now, self.round_trip_s or 0.0, crowded=crowded)
            if packet is None:
                continue
            if config.rtx_payload_type is not None:
                number = numbers.upcoming if numbers is not None else 0
                extensions = self._extensions.write(now, None)
                packet = rtx_packet(packet, extensions, config.rtx_payload_type, self._rtx_sequence, config.rtx_ssrc)
                self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
                if follower is not None:
                    follower.note_sent(number, (len(packet),), now)
            # Without RTX the packet leaves byte for byte as before: SRTP would lose its secret by anything else.
            self.counts.retransmitted += 1
            self.counts.retransmitted_bytes += len(packet)
            self._send_rtp((packet,))

    def handle_key_frame_request(self) -> None:
        """Pass on a PLI or FIR, unless one was passed on just now; then as soon as that is 0.3 s ago."""
        self._ask_for_key_frame(self._clock.now())

    def _handle_full_intra_request(self, packet: FullIntraRequest) -> None:
        if packet.media_ssrc == self.config.ssrc and not packet.requests:
            self.counts.firs += 1
            self.handle_key_frame_request()
        for ssrc, number in packet.requests:
            if ssrc == self.config.ssrc and number != self._fir_number:
                self._fir_number = number  # a repeated number is the same command, RFC 5104 section 4.3.1.2
                self.counts.firs += 1
                self.handle_key_frame_request()

    def _ask_for_key_frame(self, now: float) -> None:
        if self._requests.ask(now):
            self._made_ahead.take_back()
            if self.on_key_frame_request is not None:
                self.on_key_frame_request()
        elif self.on_timer is not None:
            self.on_timer()

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has reported a sequence number as high as that of the last packet sent."""
        block, first = self.last_block, self._made_ahead.first
        upcoming = self._sequence if first is None else first.sequence
        return block is not None and block.highest_sequence & 0xFFFF == (upcoming - 1) & 0xFFFF

    def handle_report_block(self, block: ReportBlock) -> None:
        """Take what the receiver reports: the round trip (RFC 3550 section 6.4.1) and losses."""
        now = self._clock.now()
        self.last_block = block
        for middle, sent in self._reports:
            if middle == block.last_report:
                self.round_trip_s = max(0.0, now - sent - block.delay / 65536)
                self.counts.round_trips += 1
                self.counts.round_trips_s += self.round_trip_s
        self.rate.handle_loss(block.fraction_lost / 256, now)
        if self.on_report is not None:
            self.on_report()

    def handle_remb(self, bitrate_bps: int) -> None:
        """Take the receiver's estimate of what it can receive."""
        self.rate.handle_estimate(bitrate_bps)

    @property
    def follows(self) -> bool:
        """Whether somebody wants to know at which rate to send."""
        return bool(self.rate.bitrate_bps) and self.on_bitrate is not None and self._enabled

    def statistics(self, now: float) -> list[RtpStatistics]:
        """Return `outbound-rtp` and, after a report of the receiver, `remote-inbound-rtp`."""
        target = self.rate.bitrate_bps
        active = self._enabled and not self._closed
        return sender_statistics(
            self.config, self._counts_sent(), self.last_block, self.round_trip_s, target, now, active=active
        )

    # Digits

    def send_digits(self, digits: str, *, digit_s: float = 0.1, pause_s: float = 0.07) -> None:
        """Send DTMF digits (RFC 4733), after those on their way; they replace audio frames while they last.

        Args:
            digits: 0-9 * # A-D.
            digit_s: how long each lasts, seconds.
            pause_s: silence after each, seconds; 70 ms or more are told apart everywhere (RFC 4733 section 2.5.1.1).

        Raises:
            LocalProtocolError: no telephone events were negotiated, something is no digit, or too many are waiting.
        """
        if self.config.event_payload_type is None:
            raise LocalProtocolError("telephone events were not negotiated")
        self._made_ahead.take_back()
        now = self._clock.now()
        rate = self.config.codec.clock_rate
        rtp_time = self._last[0] + round((now - self._last_sent) * rate) if self._last is not None else 0
        self._events.add(digits, rate, now, rtp_time + self._offset, digit_s=digit_s, pause_s=pause_s)
        if self.on_timer is not None:
            self.on_timer()

    # Timers

    def next_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called, in the clock's seconds; None for never."""
        due = min(self._next_report, self._requests.next_timer(), self._events.next_timer())
        return None if due == float("inf") or self._closed else due

    def handle_timer(self, now: float) -> None:
        """Send the digits, reports and requests that are due."""
        if self._closed:
            return
        payload_type = self.config.event_payload_type
        for payload, timestamp, marker in self._events.due(now):
            if payload_type is not None:
                self._send_rtp(self._packets((payload,), payload_type, timestamp, now, marker=marker))
        if now >= self._requests.next_timer():
            self._ask_for_key_frame(now)
        if now >= self._next_report:
            self._report(now)
