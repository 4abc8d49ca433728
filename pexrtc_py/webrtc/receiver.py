"""One received media line: packets in, encoded frames and gaps out to any number of taps.

Sans-IO: it is driven by `handle_rtp`, `handle_sender_report`, `handle_bye` and `handle_timer`, always with the time
handed in, and speaks by the callables it was given. Nothing the peer sends makes it raise.

It follows the sender through a new SSRC or payload type in mid-stream, asks for key frames as long as nothing can be
decoded, and reports (RFC 3550 section 6.4) once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from ..errors import LocalProtocolError, RemoteProtocolError
from ..media.frames import EncodedFrame, Gap, Kind, Tap
from .clock import CallClock
from .dtmf import EventReader
from .feedback import EstimateReporter, TransportFeedbackRecorder
from .key_frame_requests import KeyFrameRequests
from .receiver_audio import AudioStream
from .receiver_config import EventFormat, MediaFormat, PayloadFormat, ReceiverConfig, RtxFormat
from .receiver_interleaved import InterleavedVideoStream, interleaved_formats
from .receiver_reports import ReceiverReports
from .receiver_statistics import FeedbackCounts, receiver_statistics, stream_totals
from .receiver_timeline import Timeline
from .receiver_video import VideoStream
from .rtp import RtpHeader, payload_bounds, read_extensions
from .statistics import FrameMeter, PacketTotals, RtpStatistics

__all__ = ["Receiver"]

_OLD_STREAM_SILENT_S = 0.5  # a stream left behind is taken up again when the current one is silent for so long
_REMEMBERED_STREAMS = 16


class Receiver:
    """Receives one media line. See the module for what drives it.

    Args:
        config: what was negotiated.
        send_rtcp: takes each RTCP packet we send, at once.
        clock: the call's timeline, shared by all its receivers.
        transport_feedback: the recorder of transport-wide feedback, shared by all receivers of a transport; None when
            it was not negotiated.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        send_rtcp: Callable[[bytes], None],
        clock: CallClock,
        *,
        transport_feedback: TransportFeedbackRecorder | None = None,
    ) -> None:
        self.config = config
        self.on_digit: Callable[[str], None] | None = None
        """Called with each DTMF digit (0-9 * # A-D) when its first packet arrives."""
        self.on_timer: Callable[[], None] | None = None
        """Called when `next_timer` has moved nearer: with the first packet, and when packets are missing."""
        self.audio_level: tuple[int, bool] | None = None
        """Level of the last audio packet in -dBov (127 is silence) and whether it is voice, where the sender says."""
        self._level_id = config.audio_level_id
        self._is_video = config.kind is Kind.VIDEO
        self._send_rtcp = send_rtcp
        self._transport: TransportFeedbackRecorder | EstimateReporter | None = transport_feedback
        if transport_feedback is None:
            self._transport = self._new_estimate(config)
        self._timeline = Timeline(clock, config.kind)
        self._stream: AudioStream | VideoStream | None = None
        self._known: dict[int, None] = {}
        self._sender_reports: dict[int, tuple[int, int, float]] = {}
        self._formats: dict[int, PayloadFormat] = dict(config.formats)
        # Tuples, so that a tap may come or go while frames are pushed.
        self._taps: tuple[Tap, ...] = ()
        self._waiting: tuple[Tap, ...] = ()
        self._raw: tuple[Tap, ...] = ()
        self._closed = False
        self._reports = ReceiverReports(config, send_rtcp)
        self._events = EventReader()
        self._meter = FrameMeter()
        self._counts = FeedbackCounts()
        self._key_frames = KeyFrameRequests(self._counts)
        self._totals_before = PacketTotals()

    def _new_estimate(self, config: ReceiverConfig) -> EstimateReporter | None:
        if not config.feedback.remb or config.feedback.transport or config.abs_send_time_id is None:
            return None
        return EstimateReporter(config.abs_send_time_id, config.local_ssrc, config.max_bitrate_bps, self._send_rtcp)

    # Taps

    def add_tap(self, tap: Tap, *, decodable: bool = True) -> None:
        """Push frames to a tap from now on.

        Args:
            tap: begins with the next key frame of video, which is asked for; after a gap likewise.
            decodable: false gives it every whole picture at once, whether it can be decoded or not.
        """
        if self._closed:
            raise LocalProtocolError("a tap was added to a closed receiver")
        if not decodable:
            self._raw += (tap,)
        elif self.config.kind is Kind.AUDIO:
            self._taps += (tap,)
        else:
            self._waiting += (tap,)
            self.request_key_frame()

    def remove_tap(self, tap: Tap) -> None:
        """Stop pushing to a tap; it is not ended. Unknown taps are ignored."""
        self._taps = tuple(other for other in self._taps if other is not tap)
        self._waiting = tuple(other for other in self._waiting if other is not tap)
        self._raw = tuple(other for other in self._raw if other is not tap)

    # What comes from the network

    def handle_rtp(self, packet: bytes, header: RtpHeader, arrival: float) -> None:
        """Take an RTP packet that belongs to this line.

        Args:
            packet: the whole packet, decrypted.
            header: its fixed header.
            arrival: `time.monotonic` when it arrived.
        """
        stream = self._stream
        if stream is not None and header[4] == stream.ssrc:
            stream.receive(packet, header, arrival)
        else:
            self._handle_other(packet, header, arrival)
        if self._transport is not None:
            self._transport.handle_packet(packet, header[0], header[4], arrival)
        if self._level_id is not None:
            self._note_level(packet, header[0], self._level_id)

    def _note_level(self, packet: bytes, first: int, number: int) -> None:
        """Read the audio level (RFC 6464 section 3)."""
        value = read_extensions(packet, first, (number,)).get(number)
        if value:
            self.audio_level = (value[0] & 0x7F, value[0] > 0x7F)

    def _handle_other(self, packet: bytes, header: RtpHeader, arrival: float) -> None:
        """Take a packet of another SSRC: a retransmission, or a stream that takes over."""
        form = self._formats.get(header[1] & 0x7F)
        if isinstance(form, RtxFormat):
            self._handle_rtx(packet, header, form, arrival)
            return
        if isinstance(form, EventFormat) and self._stream is None:
            # Digits of one who has sent no sound yet: there is no stream they could be put in order with.
            self._handle_early_event(packet, header, form)
            return
        if not isinstance(form, MediaFormat) or self._closed:
            return
        ssrc = header[4]
        current = self._stream
        if current is not None:
            silent = current.ended or arrival - current.last_arrival >= _OLD_STREAM_SILENT_S
            if ssrc in self._known and not silent:
                return
            current.flush(arrival)
            self._totals_before += stream_totals(current)
        self._known[ssrc] = None
        if len(self._known) > _REMEMBERED_STREAMS:
            del self._known[next(iter(self._known))]
        self._timeline.begin(form.codec.clock_rate, self._sender_reports.get(ssrc))
        stream = self._new_stream(ssrc, header[1] & 0x7F, form)
        if current is not None:
            stream.missing.round_trip_s = current.missing.round_trip_s
        self._stream = stream
        if self._reports.begin(arrival):
            self.reschedule()
        stream.receive(packet, header, arrival)

    def _handle_early_event(self, packet: bytes, header: RtpHeader, form: EventFormat) -> None:
        try:
            start, end = payload_bounds(packet, header[0])
        except RemoteProtocolError:
            return
        self.take_event(packet[start:end], header[3], form.clock_rate, marker=header[1] > 0x7F)

    def _new_stream(self, ssrc: int, payload_type: int, form: MediaFormat) -> AudioStream | VideoStream:
        formats, timeline, nack = self._formats, self._timeline, self.config.feedback.nack
        if self.config.kind is Kind.VIDEO:
            kind = InterleavedVideoStream if interleaved_formats(formats) else VideoStream
            return kind(ssrc, payload_type, self, formats, timeline, form=form, nack=nack)
        return AudioStream(
            ssrc, payload_type, self, formats, timeline, codec=form.codec, nack=nack, patience_s=self.config.patience_s
        )

    def _handle_rtx(self, packet: bytes, header: RtpHeader, form: RtxFormat, arrival: float) -> None:
        """Undo RFC 4588 section 4: the payload begins with the original sequence number."""
        stream = self._stream
        if stream is None:
            return
        try:
            start, end = payload_bounds(packet, header[0])
        except RemoteProtocolError:
            stream.malformed += 1
            return
        if end - start <= 2:
            stream.padding += 1
            return
        sequence = packet[start] << 8 | packet[start + 1]
        second = header[1] & 0x80 | form.apt
        stream.repair((packet, second, header[3], start + 2, end, arrival), sequence)

    def handle_sender_report(
        self, ssrc: int, ntp: int, rtp: int, arrival: float, *, packets: int = 0, octets: int = 0
    ) -> None:
        """Take what a sender report says.

        Args:
            ssrc: the stream it is about.
            ntp: its 64-bit NTP timestamp.
            rtp: its RTP timestamp, 32 bits.
            arrival: when it arrived.
            packets: how many the sender has sent, for statistics.
            octets: payload bytes likewise.
        """
        self._sender_reports[ssrc] = (ntp, rtp, arrival)
        if len(self._sender_reports) > _REMEMBERED_STREAMS:
            del self._sender_reports[next(iter(self._sender_reports))]
        stream = self._stream
        if stream is not None and ssrc == stream.ssrc:
            stream.last_report = (ntp >> 16 & 0xFFFFFFFF, arrival)
            reports = stream.sender_counts[3] + 1 if stream.sender_counts is not None else 1
            stream.sender_counts = (ntp, packets, octets, reports, arrival)
            self._timeline.sender_report(ntp, rtp, arrival)

    def handle_bye(self, ssrc: int, arrival: float) -> None:
        """Learn that a stream has ended; what is held of it goes out. Another one may follow, so taps do not end."""
        if self._stream is not None and ssrc == self._stream.ssrc:
            self._stream.flush(arrival)
            self._stream.ended = True  # whatever comes next takes over at once

    # Timers

    def next_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called, in `time.monotonic` seconds; None before the first packet."""
        if self._stream is None or self._closed:
            return None
        return min(self._reports.due, self._key_frames.due, self._stream.next_timer())

    def next_request(self) -> float | None:
        """Return when `handle_timer` would ask for missing packets; None when none are missing."""
        due = self._stream.next_request() if self._stream is not None and not self._closed else float("inf")
        return None if due == float("inf") else due

    def handle_timer(self, now: float) -> None:
        """Do what is due: ask for packets and key frames, give up what is late, report."""
        stream = self._stream
        if stream is None or self._closed:
            return
        lost = stream.handle_timer(now)
        if lost:
            self._counts.nacks += 1
            self._reports.ask_for_packets(stream.ssrc, lost)
        if now >= self._key_frames.due:
            self._ask_for_key_frame(now)
        if now >= self._reports.due:
            self._reports.report(stream, now)

    # Key frames

    def request_key_frame(self) -> None:
        """Ask the sender for a key frame, as soon as requests are not too frequent. Audio ignores it."""
        if self._stream is not None and self.config.kind is Kind.VIDEO:
            self._key_frames.want()
            self.reschedule()

    def want_key_frame(self, now: float) -> None:
        """See `StreamOwner.want_key_frame`."""
        if self._stream is not None and self._key_frames.is_welcome(now, self._stream.missing.round_trip_s):
            self._ask_for_key_frame(now)

    def _ask_for_key_frame(self, now: float) -> None:
        stream, config = self._stream, self.config
        if stream is None:
            return
        request = self._key_frames.ask(
            config.local_ssrc,
            stream.ssrc,
            config.feedback,
            now,
            last_arrival=stream.last_arrival,
            round_trip_s=stream.missing.round_trip_s,
        )
        self.reschedule()
        if request is not None:
            self._reports.ask(request)

    def limit_bitrate(self, bitrate_bps: int) -> None:
        """Ask the sender for at most this much on all its streams (REMB, where negotiated); may be lost: repeat it."""
        if self._stream is not None and self.config.feedback.remb:
            self._reports.ask_for_rate(self._stream.ssrc, bitrate_bps)

    # What streams tell (StreamOwner)

    def deliver(self, frame: EncodedFrame, began: float, now: float, *, decodable: bool) -> None:
        """See `StreamOwner.deliver`."""
        if decodable:
            if self._is_video:
                held = now - began
                self._meter.picture(now, held, key=frame.key, width=frame.width, height=frame.height)
            else:
                self._meter.sound(frame.duration, now - began)
            if frame.key:
                if self._waiting:
                    self._taps += self._waiting
                    self._waiting = ()
                self._key_frames.note_key_frame()
            for tap in self._taps:
                tap.push(frame)
        if self._raw:
            for tap in self._raw:
                tap.push(frame)

    def deliver_gap(self, gap: Gap) -> None:
        """See `StreamOwner.deliver_gap`."""
        self._meter.gap(gap.duration)
        for tap in (*self._taps, *self._raw):
            tap.push(gap)

    def take_event(self, payload: bytes, timestamp: int, clock_rate: int, *, marker: bool) -> None:
        """See `StreamOwner.take_event`."""
        digit = self._events.read(payload, timestamp, marker=marker)
        if digit is not None and self.on_digit is not None:
            self.on_digit(digit)

    def reschedule(self) -> None:
        """See `StreamOwner.reschedule`."""
        if self.on_timer is not None:
            self.on_timer()

    # Statistics

    def statistics(self, now: float) -> list[RtpStatistics]:
        """Return `inbound-rtp`, and `remote-outbound-rtp` after a report; nothing before the first packet."""
        stream = self._stream
        if stream is None:
            return []
        totals = self._totals_before + stream_totals(stream)
        config = self.config
        return receiver_statistics(
            stream, stream.codec, config.mid, totals, self._meter, self._counts, self.audio_level, now
        )

    # Life

    def reconfigure(self, config: ReceiverConfig) -> None:
        """Go on under what was negotiated anew; the kind of media must be the same."""
        if config.kind is not self.config.kind:
            raise LocalProtocolError(f"a receiver of {self.config.kind} cannot become one of {config.kind}")
        self.config = self._reports.config = config
        self._level_id = config.audio_level_id
        if self._transport is None or isinstance(self._transport, EstimateReporter):
            self._transport = self._new_estimate(config)
        if self._stream is not None and interleaved_formats(self._formats) != interleaved_formats(config.formats):
            # Another way of reading: the stream goes on as one that takes over would.
            self._stream.flush(self._stream.last_arrival)
            self._totals_before += stream_totals(self._stream)
            self._stream = None
        self._formats.clear()
        self._formats.update(config.formats)

    def close(self, now: float | None = None) -> None:
        """Give out what is held and end the taps. Idempotent."""
        if self._closed:
            return
        try:
            if self._stream is not None:
                self._stream.flush(now if now is not None else self._stream.last_arrival)
        finally:
            self._closed = True
            taps = (*self._taps, *self._waiting, *self._raw)
            self._taps = self._waiting = self._raw = ()
            with ExitStack() as ends:  # each tap is ended, whatever another raises
                for tap in reversed(taps):
                    ends.callback(tap.end)
