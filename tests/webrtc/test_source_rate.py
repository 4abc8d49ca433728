"""A sender whose source encodes follows what its receiver says, whether or not the call names a limit."""

from __future__ import annotations

from dataclasses import replace

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtcp import ReceiverEstimate, ReceiverReport, ReportBlock
from tests.webrtc.sender_bench import Bench

SOURCE_BPS = 1_000_000


def encoding(codec: Codec = Codec.VP8, *, call_bps: int | None = None) -> Bench:
    """A sender whose source encodes at a megabit."""
    bench = Bench(codec, max_bitrate_bps=call_bps)
    bench.sender.rate.limit_to_source(SOURCE_BPS)
    return bench


def report(bench: Bench, fraction: float) -> None:
    """Have the receiver report on a second of pictures."""
    bench.now += 1.0
    block = ReportBlock(
        ssrc=5,
        fraction_lost=round(fraction * 256),
        packets_lost=0,
        highest_sequence=1,
        jitter=0,
        last_report=0,
        delay=0,
    )
    bench.sender.handle_rtcp(ReceiverReport(ssrc=1, reports=(block,)))


def estimate(bench: Bench, bitrate_bps: int) -> None:
    """Have the receiver tell what it can take."""
    bench.sender.handle_rtcp(ReceiverEstimate(sender_ssrc=1, bitrate_bps=bitrate_bps, ssrcs=(5,)))


def test_estimates_losses_and_queues_count_without_a_limit_of_the_call() -> None:
    """Without `b=TIAS` they were read and forgotten: such a sender had no rate at all."""
    bench = encoding()
    assert bench.sender.follows
    estimate(bench, 400_000)
    assert bench.bitrates == [400_000]
    estimate(bench, 2_000_000)
    assert bench.bitrates[1:] == [SOURCE_BPS]
    report(bench, 0.2)
    assert bench.bitrates[2:] == [900_390]  # 1 - 0.5 of 51/256
    bench.sender.rate.handle_queue(500_000, bench.now)
    assert bench.bitrates[-1] < 500_000


def test_nothing_is_told_where_nothing_is_lost() -> None:
    """On a good way the source goes on as it is, whatever the call would allow beyond."""
    for call_bps in (None, 3_732_480):
        bench = encoding(call_bps=call_bps)
        for _ in range(30):
            report(bench, 0.0)
            estimate(bench, 3_000_000)
        assert bench.bitrates == []
        assert bench.sender.rate.bitrate_bps == SOURCE_BPS
        assert not bench.sender.rate.probes(0.0)


def test_a_limit_far_above_what_is_sent_does_not_raise_it() -> None:
    """A loss in a call of 3.7 Mb/s had a source of 1 Mb/s encode at 3.4: what was lowered was the call's limit."""
    bench = encoding(call_bps=3_732_480)
    report(bench, 0.2)
    assert bench.bitrates == [900_390]


def test_a_limit_below_the_source_is_told_at_once() -> None:
    """The call's own limit is kept from the first picture on, and one that a later answer names from then on."""
    assert encoding(call_bps=300_000).bitrates == [300_000]
    bench = encoding()
    bench.sender.reconfigure(replace(bench.sender.config, max_bitrate_bps=250_000))
    assert bench.bitrates == [250_000]
    bench.sender.reconfigure(replace(bench.sender.config, max_bitrate_bps=None))
    assert bench.bitrates == [250_000, SOURCE_BPS]


def test_the_next_source_is_told_what_the_way_carries() -> None:
    """Whoever plays next through the same call begins at the rate that the one before had come to."""
    bench = encoding()
    estimate(bench, 400_000)
    bench.bitrates.clear()
    bench.sender.rate.limit_to_source(SOURCE_BPS)
    assert bench.bitrates == [400_000]


def test_sound_has_no_rate() -> None:
    """Sound is not scaled by what pictures cost."""
    bench = encoding(Codec.OPUS)
    estimate(bench, 10_000)
    assert bench.bitrates == []
    assert bench.sender.rate.bitrate_bps is None
