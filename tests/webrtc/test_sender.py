"""What a sender puts on the wire, and how it answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Tap
from pexrtc_py.webrtc.clock import SendClock
from pexrtc_py.webrtc.feedback import TransportSequence
from pexrtc_py.webrtc.rtcp import (
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
    parse_compound,
    unix_from_ntp,
)
from pexrtc_py.webrtc.rtp import parse_header, payload_bounds, read_extensions
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig
from pexrtc_py.webrtc.sender_replay import GroupReplay
from pexrtc_py.webrtc.statistics import OutboundRtp, RemoteInboundRtp

from .link import EVENT, Link, Recorder, opus_frame, vp8_frame
from .test_rtcp import PACKETS

UNIX = 1_700_000_000.0


class Bench:
    """A sender whose packets are caught."""

    def __init__(self, codec: Codec, **config: object) -> None:
        self.now = 50.0
        self.rtp: list[bytes] = []
        self.rtcp: list[RtcpPacket] = []
        self.requests = 0
        self.bitrates: list[int] = []
        settings = SenderConfig(codec=codec, payload_type=96, cname="us", ssrc=5, first_sequence=65534)
        self.sender = Sender(
            replace(settings, **config),  # type: ignore[arg-type]  # fields by name
            self.rtp.extend,
            lambda data: self.rtcp.extend(parse_compound(data)),
            SendClock(lambda: self.now, UNIX),
            transport_sequence=TransportSequence(),
        )
        self.sender.on_key_frame_request = self._count
        self.sender.on_bitrate = self.bitrates.append

    def _count(self) -> None:
        self.requests += 1

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (timer := self.sender.next_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.sender.handle_timer(self.now)
        self.now = end

    def video(self, count: int, *, start: int = 0, size: int = 3000) -> None:
        for number in range(start, start + count):
            self.sender.push(vp8_frame(number, key=number == 0, size=size, time=self.now))
            self.wait(1 / 30)

    @property
    def payloads(self) -> list[bytes]:
        out = []
        for packet in self.rtp:
            start, end = payload_bounds(packet, packet[0])
            out.append(packet[start:end])
        return out


def test_it_is_a_tap() -> None:
    assert isinstance(Bench(Codec.OPUS).sender, Tap)


def test_packets_count_up_over_the_wrap_and_the_last_of_a_picture_is_marked() -> None:
    bench = Bench(Codec.VP8, timestamp_offset=2**32 - 100)
    bench.video(2)
    headers = [parse_header(packet) for packet in bench.rtp]
    assert [header.sequence for header in headers] == [(65534 + n) & 0xFFFF for n in range(len(headers))]
    assert [header.marker for header in headers] == [False, False, True, False, False, True]
    assert [header.timestamp for header in headers] == [2**32 - 100] * 3 + [2900] * 3
    assert all(len(packet) <= 1200 for packet in bench.rtp)


def test_extensions_are_written_as_negotiated() -> None:
    bench = Bench(Codec.OPUS, mid="audio0", mid_id=4, abs_send_time_id=2, transport_sequence_id=3, audio_level_id=1)
    bench.sender.audio_level = 30
    bench.sender.push(opus_frame(0, time=bench.now))
    bench.sender.audio_level = None
    bench.sender.push(opus_frame(1, time=bench.now))
    first, second = (read_extensions(packet, packet[0], range(15)) for packet in bench.rtp)
    stamp = (int(50.0 * 262144) & 0xFFFFFF).to_bytes(3, "big")
    assert first == {4: b"audio0", 2: stamp, 3: b"\0\0", 1: b"\x9e"}
    assert second == {4: b"audio0", 2: stamp, 3: b"\0\1"}


def test_a_report_goes_with_the_first_packet_and_then_every_second() -> None:
    bench = Bench(Codec.VP8, timestamp_offset=1000)
    bench.video(75)
    reports = [packet for packet in bench.rtcp if isinstance(packet, SenderReport)]
    assert len(reports) == 3
    assert reports[0].rtp_time == 1000
    assert unix_from_ntp(reports[0].ntp) == pytest.approx(UNIX, abs=1e-5)
    for one, other in pairwise(reports):
        ticks = other.rtp_time - one.rtp_time
        assert unix_from_ntp(other.ntp) - unix_from_ntp(one.ntp) == pytest.approx(ticks / 90000, abs=1e-4)
    assert reports[-1].packets == len(bench.rtp[: reports[-1].packets])
    assert SourceDescription(cnames=((5, "us"),)) in bench.rtcp
    bench.sender.end()
    bench.sender.end()
    assert bench.rtcp[-1] == Bye(ssrcs=(5,))
    assert bench.rtcp.count(Bye(ssrcs=(5,))) == 1


def test_video_begins_with_a_key_frame_which_is_asked_for() -> None:
    bench = Bench(Codec.VP8)
    bench.video(3, start=1)
    assert not bench.rtp
    assert bench.requests == 1
    bench.video(1)
    assert bench.rtp


def test_requests_for_key_frames_are_passed_on_in_measure() -> None:
    bench = Bench(Codec.VP8)
    bench.video(1)
    for _ in range(5):
        bench.sender.handle_rtcp(PictureLossIndication(sender_ssrc=1, media_ssrc=5))
    assert bench.requests == 1
    bench.wait(0.5)
    assert bench.requests == 2  # the second was put off, the rest were the same
    bench.wait(1.0)
    assert bench.requests == 2
    bench.sender.handle_rtcp(PictureLossIndication(sender_ssrc=1, media_ssrc=6))
    assert bench.requests == 2


def test_fir_as_rfc_5104_has_it_is_obeyed_once_a_number() -> None:
    """aiortc looks at the header's media SSRC only, which the RFC wants 0."""
    bench = Bench(Codec.VP8)
    bench.video(1)
    for number in (7, 7, 8):
        bench.sender.handle_rtcp(FullIntraRequest(sender_ssrc=1, requests=((9, 3), (5, number))))
        bench.wait(0.5)
    assert bench.requests == 2
    bench.sender.handle_rtcp(FullIntraRequest(sender_ssrc=1, requests=(), media_ssrc=5))
    assert bench.requests == 3


def test_what_is_asked_for_is_sent_again_by_rtx() -> None:
    bench = Bench(Codec.VP8, nack=True, rtx_payload_type=97, rtx_ssrc=6, mid="1", mid_id=4)
    bench.video(2)
    original = bench.rtp[1]
    bench.sender.handle_rtcp(Nack(sender_ssrc=1, media_ssrc=5, lost=(65535, 30000)))
    again = bench.rtp[-1]
    header = parse_header(again)
    assert (header.payload_type, header.ssrc, header.timestamp) == (97, 6, parse_header(original).timestamp)
    assert bench.payloads[-1] == b"\xff\xff" + bench.payloads[1]
    assert read_extensions(again, again[0], {4}) == {4: b"1"}
    assert bench.sender.counts.retransmitted == 1


def test_without_rtx_the_very_same_bytes_leave_again() -> None:
    """Anything else under the same sequence number would break SRTP's secrecy."""
    bench = Bench(Codec.VP8, nack=True, abs_send_time_id=2)
    bench.video(1)
    bench.wait(0.1)
    bench.sender.handle_nack([65534])
    assert bench.rtp[-1] == bench.rtp[0]


def test_packets_are_forgotten_after_a_while() -> None:
    bench = Bench(Codec.VP8, nack=True)
    bench.video(90)
    sent = len(bench.rtp)
    bench.sender.handle_nack([65534])
    assert len(bench.rtp) == sent
    bench.sender.handle_nack([parse_header(bench.rtp[-40]).sequence])
    assert len(bench.rtp) == sent + 1


def test_nobody_makes_a_flood_of_a_few_requests() -> None:
    """While no round trip was known, each request of a hundred bytes was answered by all that is kept."""
    bench = Bench(Codec.VP8, nack=True)
    bench.video(1)
    sent = len(bench.rtp)
    for _ in range(100):
        bench.sender.handle_nack([65534])
    assert len(bench.rtp) == sent + 10


def test_a_request_that_crosses_its_answer_is_not_answered_again() -> None:
    bench = Bench(Codec.VP8, nack=True)
    bench.video(1)
    bench.sender._reports.round_trip_s = 0.1
    for _ in range(4):
        bench.sender.handle_nack([65534])
        bench.wait(0.03)
    assert bench.sender.counts.retransmitted == 2  # at 0 and at 0.09 s


def test_round_trip_and_losses_come_from_reports() -> None:
    bench = Bench(Codec.VP8, max_bitrate_bps=1_000_000)
    bench.video(1)
    report = next(packet for packet in bench.rtcp if isinstance(packet, SenderReport))
    bench.now = 50.35
    block = ReportBlock(
        ssrc=5,
        fraction_lost=64,
        packets_lost=10,
        highest_sequence=1,
        jitter=900,
        last_report=report.ntp >> 16 & 0xFFFFFFFF,
        delay=round(0.1 * 65536),
    )
    bench.sender.handle_rtcp(ReceiverReport(ssrc=1, reports=(replace(block, ssrc=99), block)))
    assert bench.sender.round_trip_s == pytest.approx(0.25, abs=1e-4)
    assert bench.bitrates == [875_000]  # draft-ietf-rmcat-gcc-02: 1 - 0.5 of 25 %
    outbound, remote = bench.sender.statistics(bench.now)
    assert isinstance(outbound, OutboundRtp)
    assert (outbound.frames_sent, outbound.frame_width, outbound.target_bitrate) == (1, 640, 875_000)
    assert isinstance(remote, RemoteInboundRtp)
    assert (remote.fraction_lost, remote.jitter, remote.packets_lost) == (0.25, 0.01, 10)
    assert remote.round_trip_time == pytest.approx(0.25, abs=1e-4)


def test_the_round_trip_is_right_while_nothing_is_sent() -> None:
    link = Link(Codec.OPUS, round_trip_s=0.08)
    link.sender.push(opus_frame(0, time=link.now))
    for second in range(4):
        link.run(1000.5 + second)
    assert link.sender.round_trip_s == pytest.approx(0.08, abs=0.001)
    assert len(link.sender.statistics(link.now)) == 2


def test_the_rate_recovers_slowly_and_remb_is_a_ceiling() -> None:
    bench = Bench(Codec.VP8, max_bitrate_bps=1_000_000)
    bad = ReportBlock(ssrc=5, fraction_lost=128, packets_lost=0, highest_sequence=0, jitter=0)
    bench.sender.handle_report_block(bad)
    assert bench.bitrates[-1] == 750_000
    for _ in range(10):
        bench.wait(1.0)
        bench.sender.handle_report_block(replace(bad, fraction_lost=0))
    assert bench.bitrates[-1] == pytest.approx(1_000_000, rel=0.05)
    bench.sender.handle_rtcp(ReceiverEstimate(sender_ssrc=1, bitrate_bps=300_000, ssrcs=(5,)))
    assert bench.bitrates[-1] == 300_000
    bench.sender.handle_remb(5_000_000)
    assert bench.bitrates[-1] == pytest.approx(1_000_000, rel=0.05)


def test_another_source_goes_on_in_the_same_run_of_timestamps() -> None:
    bench = Bench(Codec.OPUS, timestamp_offset=0)
    for number in range(10):
        bench.sender.push(opus_frame(number, time=number * 0.02))
        bench.wait(0.02)
    bench.wait(1.0)
    for number in range(10):  # begins at 0 again
        bench.sender.push(opus_frame(number, time=number * 0.02))
        bench.wait(0.02)
    stamps = [parse_header(packet).timestamp for packet in bench.rtp]
    steps = [b - a for a, b in pairwise(stamps)]
    assert steps[9] == pytest.approx(1.02 * 48000, abs=2)
    assert [*steps[:9], *steps[10:]] == [960] * 18


def test_a_pause_of_the_source_stays_a_pause() -> None:
    bench = Bench(Codec.OPUS, timestamp_offset=0)
    bench.sender.push(opus_frame(0, time=0.0))
    bench.sender.push(opus_frame(500, time=10.0))
    assert parse_header(bench.rtp[1]).timestamp == 480_000


def test_frames_of_another_codec_are_dropped_and_counted() -> None:
    bench = Bench(Codec.OPUS)
    bench.sender.push(vp8_frame(0, key=True, size=100, time=0))
    bench.sender.push(Gap(codec=Codec.OPUS, rtp_time=0, time=0, duration=960, packets=1))
    assert not bench.rtp
    assert bench.sender.counts.mismatched == 1


def test_muted_it_is_silent_and_comes_back_with_a_key_frame() -> None:
    bench = Bench(Codec.VP8)
    bench.video(2)
    bench.sender.set_enabled(enabled=False)
    sent = len(bench.rtp)
    bench.video(3, start=2)
    assert len(bench.rtp) == sent
    bench.sender.set_enabled(enabled=True)
    bench.video(2, start=5)
    assert len(bench.rtp) == sent
    assert bench.requests >= 1
    bench.video(1)
    assert len(bench.rtp) > sent


def test_a_new_negotiation_keeps_the_stream() -> None:
    bench = Bench(Codec.VP8)
    bench.video(1)
    bench.sender.reconfigure(replace(bench.sender.config, payload_type=100, max_bitrate_bps=500_000))
    bench.video(1, start=1)
    last, new = parse_header(bench.rtp[2]), parse_header(bench.rtp[3])
    assert (new.payload_type, new.ssrc, new.sequence) == (100, 5, (last.sequence + 1) & 0xFFFF)
    assert bench.bitrates == [500_000]


@pytest.mark.parametrize("digit_s", [0.1, 2.0])
def test_digits_arrive_by_telephone_events_in_place_of_sound(digit_s: float) -> None:
    link = Link(Codec.OPUS)
    digits: list[str] = []
    link.receiver.on_digit = digits.append
    start = link.now
    count = round(50 + 4 * (digit_s + 0.07) / 0.02)
    for index in range(count):
        if index == 10:
            link.sender.send_digits("4#", digit_s=digit_s)
        if index == 12:
            link.sender.send_digits("d9", digit_s=digit_s)
        link.sender.push(opus_frame(index, time=link.now))
        link.run(start + (index + 1) * 0.02)
    link.run(link.now + 1)
    assert digits == ["4", "#", "D", "9"]
    assert not link.tap.gaps
    replaced = count - len(link.tap.frames)
    assert 4 * digit_s / 0.02 - 4 <= replaced <= 4 * digit_s / 0.02 + 4
    events = [packet for packet in link.sent if parse_header(packet).payload_type == EVENT]
    assert sum(parse_header(packet).marker for packet in events) == 4
    assert sum(packet[13] >> 7 for packet in events) == 12  # three end packets each
    assert len({parse_header(packet).ssrc for packet in link.sent}) == 1
    assert link.tap.frames[-1].rtp_time - link.tap.frames[0].rtp_time == (count - 1) * 960


def test_digits_do_not_pile_up() -> None:
    """Digits asked for faster than they are played were kept without a bound."""
    bench = Bench(Codec.OPUS, event_payload_type=EVENT)
    for _ in range(5):
        bench.sender.send_digits(256 * "1")
    with pytest.raises(LocalProtocolError, match="too many"):
        bench.sender.send_digits("1")


def test_what_is_no_digit_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Bench(Codec.OPUS, event_payload_type=101).sender.send_digits("12x")
    with pytest.raises(LocalProtocolError):
        Bench(Codec.OPUS).sender.send_digits("1")


@given(st.lists(PACKETS, max_size=20))
def test_nothing_a_receiver_says_makes_it_raise(packets: list[RtcpPacket]) -> None:
    bench = Bench(Codec.VP8, nack=True, rtx_payload_type=97, max_bitrate_bps=1_000_000)
    bench.video(1)
    for packet in packets:
        bench.sender.handle_rtcp(packet)
        bench.wait(0.1)
    assert all(64_000 <= bitrate <= 1_000_000 for bitrate in bench.bitrates)


def test_prepared_media_answers_by_sending_its_group_again() -> None:
    tap = Recorder()
    replay = GroupReplay(tap, frame_ticks=3000)
    frames = [vp8_frame(number, key=number in {0, 5}, size=200, time=number / 30) for number in range(9)]
    for frame in frames:
        replay.push(frame)
    replay.replay()
    again = tap.frames[9:]
    assert [frame.data for frame in again] == [frame.data for frame in frames[5:]]
    stamps = [frame.rtp_time for frame in tap.frames]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] < 9 * 3000  # before the next frame
    replay.end()
    replay.replay()
    assert tap.ended == 1
    assert len(tap.frames) == 13


def test_a_late_receiver_of_prepared_media_sees_it_at_once() -> None:
    link = Link(Codec.VP8, round_trip_s=0.04)
    replay = GroupReplay(link.sender, frame_ticks=3000)
    link.sender.on_key_frame_request = replay.replay
    start = link.now
    sent: list[EncodedFrame] = []
    link.lose = lambda way, packet: link.now < start + 2.0
    for number in range(120):  # one key frame in four seconds
        sent.append(vp8_frame(number, key=number == 0, size=2000, time=link.now))
        replay.push(sent[-1])
        link.run(start + (number + 1) / 30)
    link.run(link.now + 1)
    assert link.tap.frames[0].data == sent[0].data
    assert link.tap.frame_times[0] - start < 2.0 + 0.2
    assert link.tap.frames[-1].data == sent[-1].data
