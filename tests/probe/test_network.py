"""Differences of counters become figures per second, and those Pexip's buckets and the speech score."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pexrtc_py.probe.network import NetworkWatch
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.webrtc.statistics import InboundRtp, OutboundRtp, RemoteInboundRtp

INBOUND = InboundRtp(
    id="inbound-0",
    timestamp=0,
    kind="audio",
    ssrc=1,
    mid="0",
    mime_type="audio/opus",
    packets_received=0,
    packets_lost=0,
    jitter=0.004,
    bytes_received=0,
    header_bytes_received=0,
    last_packet_received_timestamp=0.0,
    packets_discarded=0,
    packets_duplicated=0,
    packets_malformed=0,
    retransmitted_packets_received=0,
    nack_count=0,
    pli_count=0,
    fir_count=0,
    jitter_buffer_delay=0,
    jitter_buffer_emitted_count=0,
)
OUTBOUND = OutboundRtp(
    id="outbound-0",
    timestamp=0,
    kind="audio",
    ssrc=2,
    mid="0",
    mime_type="audio/opus",
    packets_sent=0,
    bytes_sent=0,
    header_bytes_sent=0,
    retransmitted_packets_sent=0,
    retransmitted_bytes_sent=0,
    nack_count=0,
    pli_count=0,
    fir_count=0,
    active=True,
)
REPORT = RemoteInboundRtp(
    id="remote-0",
    timestamp=0,
    kind="audio",
    ssrc=2,
    mid="0",
    packets_lost=0,
    fraction_lost=0.25,
    jitter=0.003,
    round_trip_time=0.08,
    total_round_trip_time=0.08,
    round_trip_time_measurements=1,
)


def seconds(losses: list[int], *, per_second: int = 100, mended: bool = False) -> SeriesBook:
    """Return the book after so many packets lost in each second."""
    book = SeriesBook()
    watch = NetworkWatch(book, 1000.0)
    lost = received = octets = 0
    for index, loss in enumerate([0, *losses]):
        if index:
            lost += loss
            received += per_second - loss
            octets += 5000
        item = replace(
            INBOUND,
            packets_received=received + (lost if mended else 0),
            packets_lost=0 if mended else lost,
            retransmitted_packets_received=lost if mended else 0,
            bytes_received=octets,
        )
        watch.read([item, object()], 1000.0 + index)
    return book


@pytest.mark.parametrize("mended", [False, True])
def test_loss_is_that_of_the_network(mended: bool) -> None:
    """Also where retransmission mended it."""
    book = seconds([0, 10, 25], mended=mended)
    assert book.values("audio.loss_ratio") == [0, 0.1, 0.25]
    assert book.values("audio.bitrate_bps") == [40_000] * 3
    assert book.values("audio.jitter_ms") == pytest.approx([4.0] * 3)
    assert sum(book.values("audio.retransmitted")) == (35 if mended else 0)


def test_buckets_are_of_twenty_seconds() -> None:
    """Ten seconds of 6 % among ten clean are 3 %: bad; ten seconds later nothing is left of it."""
    quality = seconds([0] * 10 + [6] * 10 + [0] * 21).values("audio.call_quality")
    assert len(quality) == 22
    assert quality[0] == 2
    assert quality[-1] == 0


def test_a_short_run_is_one_bucket() -> None:
    """Nothing is said of a second or two, until the run is over."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    for index in range(5):
        watch.read([replace(INBOUND, packets_received=98 * index, packets_lost=2 * index)], float(index))
    assert book.values("audio.call_quality") == []
    watch.finish()
    assert book.values("audio.call_quality") == [1]


def test_speech_score_falls_with_loss() -> None:
    """Opus without loss is as good as it gets."""
    mos = seconds([0, 20]).values("audio.mos")
    assert mos[0] == pytest.approx(4.5)
    assert mos[1] < 3.5


def test_what_the_far_end_reports() -> None:
    """Loss, jitter and round trip of what we send; the rate of it."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    watch.read([OUTBOUND, REPORT], 1.0)
    watch.read([replace(OUTBOUND, bytes_sent=9000, header_bytes_sent=1000), REPORT], 3.0)
    assert book.values("audio.sent_bitrate_bps") == [40_000]
    assert book.values("audio.sent_loss_ratio") == [0.25] * 2
    assert book.values("audio.sent_jitter_ms") == pytest.approx([3.0] * 2)
    assert book.values("audio.rtt_ms") == [80] * 2


def test_only_the_lines_asked_for_are_read() -> None:
    """By a=mid."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0, mids=frozenset({"1"}))
    watch.read([INBOUND], 1.0)
    watch.read([replace(INBOUND, packets_received=50)], 2.0)
    assert book.series() == ()
