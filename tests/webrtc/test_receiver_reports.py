"""What a receiver counts, and what it tells the sender and us of it."""

from __future__ import annotations

import struct

import pytest

from pexrtc_py.media.frames import Kind
from pexrtc_py.webrtc.feedback import TransportFeedbackRecorder
from pexrtc_py.webrtc.receiver_config import Feedback
from pexrtc_py.webrtc.rtcp import (
    ReceiverEstimate,
    ReceiverReport,
    SourceDescription,
    TransportFeedback,
    ntp_from_unix,
    parse_compound,
)
from pexrtc_py.webrtc.rtp import serialize_extensions
from pexrtc_py.webrtc.statistics import InboundRtp, RemoteOutboundRtp
from tests.webrtc.receiver_bench import RTX, VP8, Bench


def test_probes_for_bandwidth_are_counted_apart() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = bench.picture(0, 0, key=True)
    bench.rtp(b"", 700, 0, kind=RTX, ssrc=6)
    bench.rtp(b"\x00\x01", 701, 0, kind=RTX, ssrc=6)
    (inbound,) = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.packets_padding, inbound.packets_received, inbound.packets_duplicated) == (2, sequence, 0)


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
    reports = bench.of(ReceiverReport)
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
    reports = bench.of(ReceiverReport)
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
    estimates = bench.of(ReceiverEstimate)
    assert len(estimates) >= 2
    assert estimates[-1].ssrcs == (5,)
    assert 300_000 < estimates[-1].bitrate_bps <= 700_000
