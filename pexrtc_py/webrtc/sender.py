"""One sent media line: a tap that takes encoded frames and sends them at once as RTP, with reports and repairs.

Sans-IO: driven by `push`, the `handle_*` methods and `handle_timer`; the clock of the peer is handed in (`SendClock`),
as `Tap.push` brings no time along. Here is decided what is sent and when; the packets are made by `sender_packets`,
their timestamps by `sender_timeline`, the reports by `sender_reports`, the digits by `dtmf_sending`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from ..errors import LocalProtocolError
from ..media.frames import EncodedFrame, Gap, Kind
from ..media.player_ahead import Ahead
from .clock import SendClock
from .dtmf_sending import EventSchedule
from .feedback import TransportSequence
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
    serialize_compound,
)
from .sender_ahead import Before, Holding, MadeAhead
from .sender_config import SenderConfig
from .sender_loss import ExpectedLoss
from .sender_packets import PacketMaker
from .sender_rate import SendRate
from .sender_reports import SenderReports
from .sender_requests import KeyFrameRequests
from .sender_statistics import SenderCounts, sender_statistics
from .sender_timeline import SendTimeline
from .statistics import RtpStatistics

__all__ = ["Sender"]

logger = logging.getLogger(__name__)

_SAME_CLOCK_S = 5.0  # what a player makes ahead by another clock than ours leaves at no time of ours


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
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._clock = clock
        self._packets = PacketMaker(config, transport_sequence)
        self.counts = self._packets.counts
        """What was sent and heard so far; what is made ahead counts as sent."""
        self._timeline = SendTimeline(config.timestamp_offset)
        self._reports = SenderReports(clock)
        self._holding = holding
        self._made_ahead = MadeAhead()
        self._enabled = True
        self._closed = False
        self._need_key = config.kind is Kind.VIDEO
        self._told_mismatch = False
        self._requests = KeyFrameRequests()
        self._fir_number: int | None = None
        self.rate = SendRate(config)
        """At which rate to send."""
        self.expected_loss = ExpectedLoss()
        """For which loss sound is to be encoded."""
        self._events = EventSchedule()

    @property
    def on_bitrate(self) -> Callable[[int], None] | None:
        """Called with the bits per second to send from now on, when that changes by 5 % or more."""
        return self.rate.on_change

    @on_bitrate.setter
    def on_bitrate(self, tell: Callable[[int], None] | None) -> None:
        self.rate.on_change = tell

    @property
    def last_block(self) -> ReportBlock | None:
        """What the receiver reported last."""
        return self._reports.last_block

    @property
    def round_trip_s(self) -> float | None:
        """By the last report of the receiver, None before."""
        return self._reports.round_trip_s

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
        timestamp = self._timeline.stamp(item, now)
        if self._events.in_event(now):
            return
        if now >= self._reports.due or self._reports.due == inf:
            self._report(now)
        probes = self.rate.probes(now) and not self._packets.is_crowded(now)
        packets = self._packets.frame(item, timestamp, now, self.audio_level, as_burst=probes)
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
            or self._reports.due == inf
            or not self._events.is_over(at)
            or abs(at - self._clock.now()) > _SAME_CLOCK_S
        ):
            return False
        if not self._made_ahead.add(self._before(at), ahead):
            return False
        packets = self._packets.frame(item, self._timeline.stamp(item, at), at, self.audio_level)
        first = holding.hold_rtp(packets) if packets else 0
        if first is None:
            self._undo(packets, held=False)
            return False
        ahead.on_undo(partial(self._undo, packets, held=bool(packets)))
        if packets:
            ahead.add(holding, first, len(packets))
        return True

    def _before(self, at: float) -> Before:
        counts, made, timeline = self.counts, self._packets, self._timeline
        return Before(
            at,
            made.sequence,
            made.payloader.picture_id,
            timeline.offset,
            timeline.last,
            timeline.last_sent,
            made.upcoming_number,
            counts.packets,
            counts.payload_bytes,
            counts.header_bytes,
            counts.frames,
            counts.key_frames,
            (counts.width, counts.height),
        )

    def _undo(self, packets: Sequence[bytes], *, held: bool) -> None:
        """Be as before the last frame that was made ahead."""
        before, timeline = self._made_ahead.pop(), self._timeline
        self._packets.take_back(before, packets)
        timeline.offset, timeline.last, timeline.last_sent = before.offset, before.last, before.last_sent
        if held and self._holding is not None:
            self._holding.drop_held(len(packets))

    def end(self) -> None:
        """Send BYE, and nothing any more. Idempotent."""
        if self._closed:
            return
        self._made_ahead.take_back()
        self._closed = True
        if self.counts.packets:
            report = self._reports.write(self.config, self._timeline, self.counts, self._clock.now())
            self._send_rtcp(serialize_compound([*report, Bye(ssrcs=(self.config.ssrc,))]))

    def _drop_mismatch(self, frame: EncodedFrame) -> None:
        self.counts.mismatched += 1
        if not self._told_mismatch:
            self._told_mismatch = True
            logger.warning("! frames of %s dropped: %s was negotiated", frame.codec, self.config.codec)

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
        if self._packets.reconfigure(config):
            self._need_key = config.kind is Kind.VIDEO
            self._told_mismatch = False
            self._timeline.begin_anew()
        changed = config.max_bitrate_bps != self.config.max_bitrate_bps
        self.config = config
        if changed:
            self.rate.reconfigure(config)

    # Reports

    def _report(self, now: float) -> None:
        report = self._reports.write(self.config, self._timeline, self._counts_sent(), now)
        self._send_rtcp(serialize_compound(report))
        if self.on_timer is not None:
            self.on_timer()

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
        if not self.config.nack:
            return
        now = self._clock.now()
        self.counts.nacks += 1
        crowded = self._packets.is_crowded(now)
        for sequence in sequences:
            if self._made_ahead.has_left(sequence):
                packet = self._packets.again(sequence, now, self.round_trip_s or 0.0, crowded=crowded)
                if packet is not None:
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
        upcoming = self._packets.sequence if first is None else first.sequence
        return block is not None and block.highest_sequence & 0xFFFF == (upcoming - 1) & 0xFFFF

    def handle_report_block(self, block: ReportBlock) -> None:
        """Take what the receiver reports: the round trip (RFC 3550 section 6.4.1) and losses."""
        now = self._clock.now()
        self._reports.handle_block(block, self.counts, now)
        self.rate.handle_loss(block.fraction_lost / 256, now)
        self.expected_loss.handle_loss(block.fraction_lost / 256, now)
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
        heard = (self.last_block, self._reports.last_came) if self.last_block is not None else None
        return sender_statistics(self.config, self._counts_sent(), heard, self.round_trip_s, target, now, active=active)

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
        self._events.add(digits, rate, now, self._timeline.reading(now, rate)[0], digit_s=digit_s, pause_s=pause_s)
        if self.on_timer is not None:
            self.on_timer()

    # Timers

    def next_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called, in the clock's seconds; None for never."""
        due = min(self._reports.due, self._requests.next_timer(), self._events.next_timer())
        return None if due == inf or self._closed else due

    def handle_timer(self, now: float) -> None:
        """Send the digits, reports and requests that are due."""
        if self._closed:
            return
        payload_type = self.config.event_payload_type
        for payload, timestamp, marker in self._events.due(now):
            if payload_type is not None:
                level = self.audio_level
                self._send_rtp(self._packets.packets((payload,), payload_type, timestamp, now, level, marker=marker))
        if now >= self._requests.next_timer():
            self._ask_for_key_frame(now)
        if now >= self._reports.due:
            self._report(now)
