"""Reports that a sender makes, and what it learns from those of a receiver."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtcp import (
    Bye,
    ReceiverEstimate,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    unix_from_ntp,
)
from pexrtc_py.webrtc.statistics import OutboundRtp, RemoteInboundRtp
from tests.webrtc.sender_bench import UNIX, Bench

from .link import Link, opus_frame


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
    assert [report.packets for report in reports] == bench.sent_at_reports
    assert 0 < bench.sent_at_reports[1] < bench.sent_at_reports[2] < len(bench.rtp)
    assert SourceDescription(cnames=((5, "us"),)) in bench.rtcp
    bench.sender.end()
    bench.sender.end()
    assert bench.rtcp[-1] == Bye(ssrcs=(5,))
    assert bench.rtcp.count(Bye(ssrcs=(5,))) == 1


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
