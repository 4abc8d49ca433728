"""What a receiver makes of streams that change, break, or were never good."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.feedback import TransportFeedbackRecorder
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import EventFormat, Feedback, MediaFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.rtcp import (
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimate,
    ReceiverReport,
    RtcpPacket,
    SourceDescription,
    TransportFeedback,
    ntp_from_unix,
    parse_compound,
)
from pexrtc_py.webrtc.rtp import RtpHeader, parse_header, serialize_extensions
from pexrtc_py.webrtc.statistics import InboundRtp, RemoteOutboundRtp

from .link import Recorder, vp8_frame

VP8, RTX, H264, OPUS, PCMA, EVENT = 96, 97, 98, 111, 8, 101
FORMATS = {
    Kind.VIDEO: {
        VP8: MediaFormat(codec=Codec.VP8),
        RTX: RtxFormat(apt=VP8),
        H264: MediaFormat(codec=Codec.H264),
    },
    Kind.AUDIO: {
        OPUS: MediaFormat(codec=Codec.OPUS),
        PCMA: MediaFormat(codec=Codec.PCMA),
        EVENT: EventFormat(clock_rate=48000),
    },
}


class Bench:
    """A receiver fed by hand."""

    def __init__(self, kind: Kind, feedback: Feedback | None = None, **config: int | None) -> None:
        self.rtcp: list[RtcpPacket] = []
        self.now = 100.0
        if feedback is None:
            feedback = Feedback(nack=kind is Kind.VIDEO, pli=True, reduced_size=True)
        self.receiver = Receiver(
            ReceiverConfig(kind=kind, formats=FORMATS[kind], local_ssrc=1, cname="us", feedback=feedback, **config),  # type: ignore[arg-type]  # ids only
            lambda data: self.rtcp.extend(parse_compound(data)),
            CallClock(),
        )
        self.tap = Recorder(lambda: self.now)
        self.receiver.add_tap(self.tap)

    def rtp(
        self,
        payload: bytes,
        sequence: int,
        timestamp: int,
        *,
        kind: int,
        ssrc: int = 5,
        marker: bool = False,
        extensions: bytes = b"",
    ) -> None:
        first = 0x90 if extensions else 0x80
        second = kind | (0x80 if marker else 0)
        header = RtpHeader(first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        packet = struct.pack("!BBHII", *header) + extensions + payload
        self.receiver.handle_rtp(packet, header, self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (timer := self.receiver.next_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.receiver.handle_timer(self.now)
        self.now = end

    def sound(self, sequence: int, timestamp: int | None = None, *, ssrc: int = 5, payload: bytes = b"\xf8x") -> None:
        self.rtp(payload, sequence, sequence * 960 if timestamp is None else timestamp, kind=OPUS, ssrc=ssrc)
        self.wait(0.02)

    def picture(self, number: int, sequence: int, *, key: bool, ssrc: int = 5, size: int = 3000) -> int:
        """Send a VP8 frame; return the next sequence number."""
        frame = vp8_frame(number, key=key, size=size, time=self.now)
        payloads = payloader(Codec.VP8).split(frame, 1000)
        for at, payload in enumerate(payloads):
            last = at == len(payloads) - 1
            self.rtp(payload, sequence + at, number * 3000, kind=VP8, ssrc=ssrc, marker=last)
        self.wait(1 / 30)
        return sequence + len(payloads)

    def of(self, kind: type) -> list[RtcpPacket]:
        return [packet for packet in self.rtcp if isinstance(packet, kind)]


def test_a_frame_goes_out_with_its_marker_and_not_with_the_next_frame() -> None:
    bench = Bench(Kind.VIDEO)
    bench.picture(0, 10, key=True)
    (frame,) = bench.tap.frames
    assert (frame.key, frame.width, frame.height, frame.arrival, frame.codec) == (True, 640, 360, 100.0, Codec.VP8)
    assert frame.time == 100.0
    assert frame.ntp_time is None


def test_without_a_marker_the_next_timestamp_ends_a_frame() -> None:
    bench = Bench(Kind.VIDEO)
    for number in range(3):
        (payload,) = payloader(Codec.VP8).split(vp8_frame(number, key=number == 0, size=500, time=0), 1000)
        bench.rtp(payload, number, number * 3000, kind=VP8)
    assert [frame.rtp_time for frame in bench.tap.frames] == [0, 3000]


def test_a_picture_without_an_end_is_dropped() -> None:
    """Packets of one timestamp without a marker were kept for ever, and filled the memory as fast as they came."""
    bench = Bench(Kind.VIDEO)
    start = b"\x10" + bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 16, 0, 16, 0])
    bench.rtp(start, 0, 3000, kind=VP8)
    for number in range(1, 9000):
        bench.rtp(b"\x00rest", number, 3000, kind=VP8)
    bench.rtp(b"\x00rest", 9000, 3000, kind=VP8, marker=True)
    assert not bench.tap.frames
    assert bench.receiver.statistics(bench.now)[0].frames_dropped == 1  # type: ignore[union-attr]  # inbound-rtp
    assert PictureLossIndication(sender_ssrc=1, media_ssrc=5) in bench.rtcp


def test_a_key_frame_is_asked_for_at_once_and_again_until_it_comes() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = 0
    for number in range(60):
        sequence = bench.picture(number, sequence, key=False)
    asked = len(bench.of(PictureLossIndication))
    assert 5 <= asked <= 8  # every 0.3 s of two seconds
    assert not bench.tap.items
    for number in range(60, 90):
        sequence = bench.picture(number, sequence, key=number == 60)
    assert len(bench.of(PictureLossIndication)) == asked
    assert len(bench.tap.frames) == 30


def test_every_picture_is_given_out_or_counted_as_dropped() -> None:
    """One that lost a packet, those held behind it, those before the key frame that were whole; none of them twice."""
    bench = Bench(Kind.VIDEO)
    sequence = 0
    for number in range(60):
        if number == 10:
            payloads = payloader(Codec.VP8).split(vp8_frame(number, key=False, size=3000, time=bench.now), 1000)
            for at, payload in enumerate(payloads[1:], 1):  # its first packet is lost, and is not repeated either
                bench.rtp(payload, sequence + at, number * 3000, kind=VP8, marker=at == len(payloads) - 1)
            bench.wait(1 / 30)
            sequence += len(payloads)
        else:
            sequence = bench.picture(number, sequence, key=number in {0, 30})
    (inbound,) = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.frames_received, inbound.frames_dropped) == (40, 20)
    assert len(bench.tap.frames) == 40
    assert inbound.packets_lost == 1


def test_probes_for_bandwidth_are_counted_apart() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = bench.picture(0, 0, key=True)
    bench.rtp(b"", 700, 0, kind=RTX, ssrc=6)
    bench.rtp(b"\x00\x01", 701, 0, kind=RTX, ssrc=6)
    (inbound,) = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.packets_padding, inbound.packets_received, inbound.packets_duplicated) == (2, sequence, 0)


def test_fir_where_pli_was_not_negotiated() -> None:
    bench = Bench(Kind.VIDEO, Feedback(fir=True))
    sequence = bench.picture(0, 0, key=False)
    bench.wait(0.4)
    bench.picture(1, sequence, key=False)
    requests = [packet for packet in bench.of(FullIntraRequest) if isinstance(packet, FullIntraRequest)]
    assert [packet.requests for packet in requests][:2] == [((5, 1),), ((5, 2),)]
    # Not reduced-size: each goes behind a report and our name (RFC 4585 section 3.1).
    assert isinstance(bench.rtcp[0], ReceiverReport)
    assert isinstance(bench.rtcp[1], SourceDescription)


def test_a_tap_added_later_begins_with_a_key_frame_which_is_asked_for() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = bench.picture(0, 0, key=True)
    late, raw = Recorder(), Recorder()
    bench.receiver.add_tap(late)
    bench.receiver.add_tap(raw, decodable=False)
    bench.wait(0.01)
    assert len(bench.of(PictureLossIndication)) == 1
    for number in range(1, 5):
        sequence = bench.picture(number, sequence, key=number == 3)
    assert [frame.key for frame in late.frames] == [True, False]
    assert len(raw.frames) == len(bench.tap.frames) - 1 == 4
    bench.receiver.remove_tap(late)
    bench.picture(5, sequence, key=False)
    assert len(late.frames) == 2


def test_old_copies_by_rtx_do_nothing() -> None:
    """aiortc's buffer is reset by a copy 150 packets old: 2.5 s of freeze, and 13 hours added to the time."""
    bench = Bench(Kind.VIDEO)
    sequence = 65000
    for number in range(300):
        sequence = bench.picture(number, sequence, key=number == 0)
        if number % 10 == 9:
            for age in (3, 150, 600, 20000):
                old = struct.pack("!H", (sequence - age) & 0xFFFF) + b"\x10\x11old"
                bench.rtp(old, number, (number - 20) * 3000, kind=RTX, ssrc=6)
    assert len(bench.tap.frames) == 300
    assert bench.tap.frames[-1].rtp_time == 299 * 3000
    assert not bench.of(Nack)


def test_empty_payloads_fill_their_number_and_nothing_else() -> None:
    """One of them makes aiortc's decoder fail for ever."""
    bench = Bench(Kind.AUDIO)
    for sequence in range(10):
        bench.sound(sequence, payload=b"" if sequence in {4, 5} else b"\xf8x")
    assert len(bench.tap.frames) == 8
    assert not bench.tap.gaps
    video = Bench(Kind.VIDEO)
    sequence = video.picture(0, 0, key=True)
    video.rtp(b"\x90\x80\x01", sequence, 3000, kind=VP8, marker=True)  # a descriptor alone
    video.rtp(b"", sequence + 1, 3000, kind=VP8)
    video.rtp(b"\0\0", 9, 3000, kind=RTX, ssrc=6)  # a probe
    video.picture(2, sequence + 2, key=False)
    assert len(video.tap.frames) == 2
    assert all(frame.data for frame in video.tap.frames)


def test_a_new_ssrc_takes_over_and_time_goes_on() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(65530, 65580):
        bench.sound(sequence)
    for sequence in range(100, 150):
        bench.sound(sequence, ssrc=77)
        bench.sound(7, ssrc=5)  # a late one of the stream before
    frames = bench.tap.frames
    assert len(frames) == 100
    steps = [(b.rtp_time - a.rtp_time, b.time - a.time) for a, b in pairwise(frames)]
    assert all(step > 0 for step, _ in steps)
    assert sum(step for step, _ in steps) == pytest.approx(sum(time for _, time in steps) * 48000, rel=0.02)


def test_a_stream_left_behind_comes_back_when_the_other_is_silent() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(1, ssrc=5)
    bench.sound(1, ssrc=6)
    bench.wait(0.6)
    bench.sound(2, ssrc=5)
    bench.receiver.handle_bye(5, bench.now)
    bench.sound(2, ssrc=6)
    assert len(bench.tap.frames) == 4


def test_the_codec_may_change_in_mid_stream() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(20):
        bench.sound(sequence)
    for sequence in range(20, 40):
        bench.rtp(bytes(160), sequence, 5000 + sequence * 160, kind=PCMA)
        bench.wait(0.02)
    frames = bench.tap.frames
    assert [frame.codec for frame in frames] == [Codec.OPUS] * 20 + [Codec.PCMA] * 20
    assert frames[-1].time - frames[0].time == pytest.approx(39 * 0.02, abs=0.01)
    assert [b.rtp_time - a.rtp_time for a, b in pairwise(frames[20:])] == [160] * 19
    assert frames[20].rtp_time / 8000 == pytest.approx(frames[20].time - frames[0].time, abs=0.01)


def test_a_sender_that_begins_anew_under_its_ssrc_is_followed() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(50):
        bench.sound(sequence)
    for sequence in range(30000, 30050):
        bench.sound(sequence, timestamp=7_000_000 + sequence * 960)
    frames = bench.tap.frames
    assert len(frames) == 100
    assert frames[-1].time - frames[0].time == pytest.approx(99 * 0.02, abs=0.05)
    assert all(b.rtp_time > a.rtp_time for a, b in pairwise(frames))


def test_a_pause_is_no_gap_and_keeps_its_length() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(10):
        bench.sound(sequence)
    bench.wait(3.0)
    for sequence in range(10, 20):
        bench.sound(sequence, timestamp=sequence * 960 + 3 * 48000)
    frames = bench.tap.frames
    assert not bench.tap.gaps
    assert frames[10].time - frames[9].time == pytest.approx(3.02, abs=0.001)
    assert frames[10].rtp_time - frames[9].rtp_time == 960 + 3 * 48000


def test_an_unknown_payload_type_is_counted_and_leaves_no_gap() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(0)
    bench.rtp(b"\x01", 1, 960, kind=13)
    bench.wait(0.02)
    bench.sound(2)
    assert len(bench.tap.frames) == 2
    assert not bench.tap.gaps


def test_digits_are_told_once_each_whatever_is_lost() -> None:
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    sequence = 0
    bench.sound(sequence)
    for event, timestamp in ((1, 10_000), (1, 20_000), (11, 30_000), (5, 40_000)):
        for packet in range(6):
            sequence += 1
            if event == 11 and packet < 3:
                continue  # its beginning is lost, with the marker
            payload = struct.pack("!BBH", event, 0x80 if packet > 2 else 0, min(packet + 1, 4) * 960)
            bench.rtp(payload, sequence, timestamp, kind=EVENT, marker=packet == 0)
            bench.wait(0.02)
    assert digits == ["1", "1", "#", "5"]
    sequence += 1
    bench.sound(sequence, timestamp=50_000)
    assert len(bench.tap.frames) == 2


@pytest.mark.parametrize("ssrc", [5, 6])
def test_digits_go_on_after_timestamps_that_began_anew(ssrc: int) -> None:
    """A sender that begins anew, as another source or not, stands anywhere: half of them were mute for hours."""
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    bench.sound(1, timestamp=3_000_000_000)
    bench.rtp(struct.pack("!BBH", 1, 10, 960), 2, 3_000_000_960, kind=EVENT, marker=True)
    bench.wait(1.0)
    bench.sound(3, timestamp=2_000_000_000, ssrc=ssrc)
    bench.rtp(struct.pack("!BBH", 2, 10, 960), 4, 2_000_000_960, kind=EVENT, marker=True, ssrc=ssrc)
    bench.rtp(struct.pack("!BBH", 3, 10, 960), 5, 2_000_010_000, kind=EVENT, marker=True, ssrc=ssrc)
    assert digits == ["1", "2", "3"]


def test_a_digit_held_for_long_is_one_digit() -> None:
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    bench.sound(0)
    bench.rtp(struct.pack("!BBH", 3, 10, 65535), 1, 1000, kind=EVENT, marker=True)
    bench.rtp(struct.pack("!BBH", 3, 10, 960), 2, 1000 + 65535, kind=EVENT)
    bench.rtp(struct.pack("!BBH", 3, 0x8A, 1920), 3, 1000 + 65535, kind=EVENT)
    assert digits == ["3"]


def test_reports_carry_loss_jitter_and_the_last_sender_report() -> None:
    bench = Bench(Kind.AUDIO)
    ntp = ntp_from_unix(1_700_000_000.5)
    for sequence in range(100):
        if sequence == 50:
            bench.receiver.handle_sender_report(5, ntp, sequence * 960, bench.now, packets=50, octets=100)
        if sequence % 10:
            bench.sound(sequence)
        else:
            bench.wait(0.02)
    reports = [packet for packet in bench.of(ReceiverReport) if isinstance(packet, ReceiverReport)]
    assert 2 <= len(reports) <= 3  # once a second
    block = reports[-1].reports[0]
    assert (block.ssrc, block.last_report) == (5, ntp >> 16 & 0xFFFFFFFF)
    assert block.fraction_lost == pytest.approx(25.6, abs=3)
    assert block.highest_sequence >= 70
    assert 0 < block.delay < 65536
    assert SourceDescription(cnames=((1, "us"),)) in bench.rtcp
    assert bench.tap.frames[-1].ntp_time == pytest.approx(1_700_000_000.5 + 49 * 0.02, abs=0.001)
    assert bench.tap.frames[0].ntp_time is None


def test_a_silent_stream_is_reported_on_no_longer() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(0)
    bench.wait(6.0)
    reports = [packet for packet in bench.of(ReceiverReport) if isinstance(packet, ReceiverReport)]
    assert [len(report.reports) for report in reports] == [1, 1, 0, 0, 0, 0]


def test_statistics_in_units_of_w3c() -> None:
    bench = Bench(Kind.VIDEO)
    bench.receiver.handle_sender_report(5, ntp_from_unix(1000.0), 0, bench.now, packets=3, octets=4)
    sequence = 0
    for number in range(40):
        if number == 35:
            bench.wait(0.4)
        sequence = bench.picture(number, sequence, key=number == 0)
    bench.receiver.handle_sender_report(5, ntp_from_unix(1001.0), 0, bench.now, packets=30, octets=40)
    inbound, remote = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.packets_received, inbound.packets_lost, inbound.frames_received) == (sequence, 0, 40)
    assert (inbound.key_frames_received, inbound.frame_width, inbound.frame_height) == (1, 640, 360)
    assert inbound.freeze_count == 1
    assert inbound.total_freezes_duration == pytest.approx(0.4 + 1 / 30)
    assert inbound.total_inter_frame_delay == pytest.approx(0.4 + 39 / 30)
    assert inbound.header_bytes_received == 12 * sequence
    assert inbound.mime_type == "video/VP8"
    assert isinstance(remote, RemoteOutboundRtp)
    assert remote.packets_sent == 30
    assert remote.remote_timestamp == pytest.approx(1_001_000.0)
    sound = Bench(Kind.AUDIO)
    for number in (0, 1, 4, 5):
        sound.sound(number)
    sound.wait(0.1)
    (inbound,) = sound.receiver.statistics(sound.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.packets_lost, inbound.concealed_samples, inbound.concealment_events) == (2, 1920, 1)
    assert inbound.total_samples_received == 6 * 960
    assert inbound.jitter < 0.02  # seconds


def test_counters_go_on_over_a_new_ssrc() -> None:
    bench = Bench(Kind.AUDIO)
    for ssrc in (5, 6):
        for sequence in range(10):
            bench.sound(sequence, ssrc=ssrc)
    (inbound,) = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.packets_received, inbound.ssrc) == (20, 6)


def test_transport_feedback_tells_what_arrived_and_what_did_not() -> None:
    sent: list[bytes] = []
    recorder = TransportFeedbackRecorder(3, 1, sent.append)
    for number in (65534, 65535, 0, 3):
        packet = struct.pack("!BBHII", 0x90, 96, 0, 0, 5) + serialize_extensions({3: struct.pack("!H", number)}) + b"x"
        recorder.handle_packet(packet, 0x90, 5, 100.0 + (number & 7) * 0.001)
    other = struct.pack("!BBHII", 0x90, 96, 0, 0, 5)
    other += serialize_extensions({1: b"abc", 3: struct.pack("!H", 4)}) + b"x"
    recorder.handle_packet(other, 0x90, 5, 100.01)
    assert recorder.next_timer() is not None
    recorder.handle_timer(100.2)
    assert recorder.next_timer() is None
    (feedback,) = parse_compound(sent[0])
    assert isinstance(feedback, TransportFeedback)
    assert feedback.base_sequence == 65534
    assert [arrival is not None for arrival in feedback.arrivals] == [True, True, True, False, False, True, True]
    last, third = feedback.arrivals[6], feedback.arrivals[2]
    assert last is not None
    assert third is not None
    assert last - third == 40  # 10 ms in units of 250 us


def test_remb_where_there_is_no_transport_feedback() -> None:
    bench = Bench(
        Kind.VIDEO,
        Feedback(remb=True, pli=True, reduced_size=True),
        abs_send_time_id=2,
        max_bitrate_bps=700_000,
    )
    for number in range(600):
        stamp = (int(bench.now * 262144) & 0xFFFFFF).to_bytes(3, "big")
        bench.rtp(bytes(1100), number, number * 900, kind=VP8, extensions=serialize_extensions({2: stamp}))
        bench.wait(0.01)
    estimates = [packet for packet in bench.of(ReceiverEstimate) if isinstance(packet, ReceiverEstimate)]
    assert len(estimates) >= 2
    assert estimates[-1].ssrcs == (5,)
    assert 300_000 < estimates[-1].bitrate_bps <= 700_000


def test_the_senders_audio_level_is_read_without_decoding() -> None:
    bench = Bench(Kind.AUDIO, audio_level_id=1)
    bench.rtp(b"\xf8x", 0, 0, kind=OPUS, extensions=serialize_extensions({1: b"\x9e"}))
    assert bench.receiver.audio_level == (30, True)


def test_timers_rest_while_all_is_in_order() -> None:
    bench = Bench(Kind.AUDIO)
    moved = []
    bench.receiver.on_timer = lambda: moved.append(bench.now)
    assert bench.receiver.next_timer() is None
    for sequence in range(10):
        bench.sound(sequence)
    assert len(moved) == 1  # the first report
    bench.sound(12)
    assert len(moved) == 2


def test_closing_ends_taps_once_and_takes_no_more() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(0)
    bench.sound(2)
    bench.receiver.close()
    bench.receiver.close()
    assert bench.tap.ended == 1
    assert len(bench.tap.frames) == 2
    bench.sound(3)
    assert len(bench.tap.frames) == 2
    with pytest.raises(LocalProtocolError):
        bench.receiver.add_tap(Recorder())


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([Kind.AUDIO, Kind.VIDEO]),
    packets=st.lists(
        st.tuples(
            st.binary(max_size=30),
            st.integers(0, 40) | st.integers(0, 65535),
            st.integers(0, 8).map(lambda n: n * 3000) | st.integers(0, 2**32 - 1),
            st.sampled_from([VP8, RTX, H264, OPUS, PCMA, EVENT, 13]),
            st.sampled_from([5, 6]),
            st.booleans(),
        ),
        max_size=60,
    ),
)
def test_nothing_a_peer_sends_makes_it_raise_or_hold_packets_for_ever(
    kind: Kind, packets: list[tuple[bytes, int, int, int, int, bool]]
) -> None:
    bench = Bench(kind)
    for payload, sequence, timestamp, form, ssrc, marker in packets:
        bench.rtp(payload, sequence, timestamp, kind=form, ssrc=ssrc, marker=marker)
        bench.wait(0.03)
    bench.wait(6.0)
    assert all(frame.data for frame in bench.tap.frames)
    stream = bench.receiver._stream
    assert stream is None or not stream._held, "packets are held for ever"


def chaos(seed: int) -> Callable[[], tuple[bytes, RtpHeader]]:
    """Return a maker of packets: a stream with loss, disorder, restarts, damage and nonsense."""
    dice = random.Random(seed)
    state = {"sequence": 0, "timestamp": 0, "ssrc": 5}
    body = payloader(Codec.VP8).split(vp8_frame(0, key=True, size=900, time=0), 1000)[0]

    def make() -> tuple[bytes, RtpHeader]:
        fate = dice.random()
        state["sequence"] += 1
        if fate < 0.05:
            state["sequence"] += dice.randrange(5)
        elif fate < 0.0502:
            state["sequence"] += dice.randrange(65536)
            state["timestamp"] += dice.randrange(2**32)
        elif fate < 0.0504:
            state["ssrc"] = dice.randrange(2**32)
        if dice.random() < 0.3:
            state["timestamp"] += 3000
        sequence = state["sequence"] - (dice.randrange(30) if dice.random() < 0.05 else 0)
        kind = dice.choices([VP8, RTX, H264, 13], [90, 5, 4, 1])[0]
        payload = body if dice.random() < 0.9 else dice.randbytes(dice.randrange(40))
        packet = struct.pack(
            "!BBHII",
            0x80 | (dice.randrange(64) if dice.random() < 0.02 else 0),
            kind | (0x80 if dice.random() < 0.3 else 0),
            sequence & 0xFFFF,
            state["timestamp"] & 0xFFFFFFFF,
            state["ssrc"],
        )
        packet += payload
        return packet, parse_header(packet)

    return make


@pytest.mark.parametrize("seed", [1, 2])
def test_a_slice_of_a_million_packets(seed: int) -> None:
    """A live receiver neither dies nor grows, whatever comes."""
    bench = Bench(Kind.VIDEO)
    make = chaos(seed)
    held = 0
    for _ in range(20_000):
        packet, header = make()
        bench.receiver.handle_rtp(packet, header, bench.now)
        bench.wait(0.005)
        stream = bench.receiver._stream
        if stream is not None:
            held = max(held, len(stream._held))
            assert len(stream.missing) <= 512
    assert held <= 4096
    assert len(bench.receiver._known) <= 16
    assert len(bench.tap.frames) > 500
