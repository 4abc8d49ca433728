"""Differences of counters become figures per second, and those Pexip's buckets and the speech score."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from pexrtc_py.probe.network import NetworkWatch
from pexrtc_py.probe.series import SeriesBook
from tests.support.rtp_statistics import INBOUND, OUTBOUND, REMOTE, REPORT


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
            network_lost=lost,
            loss_runs=sum(bool(loss) for loss in losses[:index]),
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
        item = replace(INBOUND, packets_received=98 * index, packets_lost=2 * index, network_lost=2 * index)
        watch.read([item], float(index))
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


def inbound(*states: Mapping[str, object]) -> SeriesBook:
    """Return the book after these states of a stream, a second apart, with a hundred packets each."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    for index, state in enumerate(states):
        watch.read([replace(INBOUND, packets_received=100 * index, **state)], float(index))
    return book


def bursts(states: list[tuple[int, int]]) -> list[float]:
    """Return what is written after these counts of lost packets and runs."""
    return inbound(*({"network_lost": lost, "loss_runs": runs} for lost, runs in states)).values("audio.loss_burst")


def test_mean_burst_is_that_of_all_runs() -> None:
    """Two runs a second, and the rest of a run that is known a second later than the run."""
    states = [(0, 0), (2, 2), (8, 4), (9, 4)]
    assert bursts(states) == pytest.approx([1, 1, 3, 3])
    assert bursts([(0, 0), (2, 1), (3, 1), (4, 2)]) == [2, 2]


def test_reordered_and_twice() -> None:
    """Each as a share or a count of its second."""
    book = inbound(
        {}, {"packets_reordered": 4, "packets_duplicated": 2}, {"packets_reordered": 5, "packets_duplicated": 2}
    )
    assert book.values("audio.reordered_ratio") == [0.04, 0.01]
    assert book.values("audio.duplicates") == [2, 0]


def test_percentiles_of_jitter_are_of_what_is_new() -> None:
    """The third reading has two deviations that the second had not; a new SSRC begins to count anew."""
    few, more = (0.001, 0.002, 0.003), (0.002, 0.003, 0.010, 0.020)
    book = inbound(
        {},
        {"jitter_deviations": few, "jitter_deviation_count": 3},
        {"jitter_deviations": more, "jitter_deviation_count": 5},
        {"jitter_deviations": few[:1], "jitter_deviation_count": 1},
    )
    assert book.values("audio.jitter_max_ms") == [3, 20, 1]
    assert book.values("audio.jitter_p50_ms") == [2, 15, 1]
    assert book.values("audio.jitter_p95_ms") == pytest.approx([2.9, 19.5, 1])


def test_the_far_ends_reports_are_a_bucket_too() -> None:
    """4 of 100 of ours lost in each second are bad, as the far end sees it."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    for index in range(25):
        sent = replace(OUTBOUND, packets_sent=100 * index)
        report = replace(REPORT, timestamp=1000 * index, packets_lost=4 * index)
        watch.read([sent, report], float(index))
    assert set(book.values("audio.sent_call_quality")) == {2}


def test_a_far_end_that_reports_no_more_says_nothing() -> None:
    """What it had said last, no loss, went on as its figure for as long as the run lasted."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    for second in range(60):
        reported = min(second, 20)
        report = replace(REPORT, timestamp=1000 * reported, fraction_lost=0.0)
        watch.read([replace(OUTBOUND, packets_sent=50 * second), report], float(second))
    for metric in ("sent_loss_ratio", "sent_jitter_ms", "rtt_ms"):
        assert len(book.values(f"audio.{metric}")) == 36  # fifteen more: reports may be that far apart
    assert len(book.values("audio.sent_call_quality")) <= 36


def test_bursts_cost_more_speech_than_the_same_loss_spread() -> None:
    """Five percent lost one by one, and in runs of five: BurstR of G.107."""
    spread, burst = (
        inbound({}, {"packets_lost": 5, "network_lost": 5, "loss_runs": runs}).values("audio.mos") for runs in (5, 1)
    )
    assert burst[0] < spread[0] - 0.1


def test_mended_loss_costs_no_speech() -> None:
    """What retransmission brought in time was heard."""
    assert inbound({}, {"network_lost": 20, "loss_runs": 20}).values("audio.mos")[0] == pytest.approx(4.5)


def test_an_outage_weighs_as_much_as_it_lasted() -> None:
    """A second that ends early and one in which the rest is found missing: 40 of 100 are lost in both."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    for time, (received, lost) in enumerate([(0, 0), (50, 0), (60, 0), (110, 40), (160, 40)]):
        watch.read([replace(INBOUND, packets_received=received, packets_lost=lost, network_lost=lost)], float(time))
    assert book.values("audio.loss_ratio") == [0, 0.4, 0.4, 0]


def test_what_happened_before_the_first_look_at_a_stream_counts() -> None:
    """A stream that was not there a second ago has lost what it has lost since; one met in the middle has not."""
    book = SeriesBook()
    watch = NetworkWatch(book, 0.0)
    begun = replace(INBOUND, packets_received=90, packets_lost=10, network_lost=10, loss_runs=10)
    watch.read([], 0.0)
    watch.read([begun], 1.0)
    assert book.values("audio.loss_ratio") == [0.1]
    assert book.values("audio.bitrate_bps") == []
    met = SeriesBook()
    NetworkWatch(met, 0.0).read([begun], 1.0)
    assert met.values("audio.loss_ratio") == []


def silence(reports: Mapping[int, int], *, length: int, again: tuple[int, int] | None = None) -> SeriesBook:
    """Return the book of 5 s of sound and then of silence, with the far end's count of packets sent at some seconds.

    `again` are what has come and what is missing a second after the silence.
    """
    book, told = SeriesBook(), {0: 1000, **reports}
    watch, latest = NetworkWatch(book, 0.0), REMOTE
    for second in range(6 + length):
        latest = replace(latest, packets_sent=told.get(second, latest.packets_sent))
        watch.read([replace(INBOUND, packets_received=50 * min(5, second)), latest], float(second))
    if again is not None:
        came, lost = again
        state = replace(INBOUND, packets_received=250 + came, packets_lost=lost, network_lost=lost, loss_runs=1)
        watch.read([state, latest], float(6 + length))
    watch.finish()
    return book


@pytest.mark.parametrize(
    ("reports", "length", "lost"),
    [
        ({5: 1240, 10: 1490}, 6, [0] * 5 + [1] * 6),
        ({5: 1240, 10: 1250}, 6, [0] * 5 + [0] * 6),
        ({5: 1240}, 6, [0] * 5),
        ({5: 1240}, 9, [0] * 5 + [1] * 9),
        ({}, 9, [0] * 5 + [1] * 9),
    ],
)
def test_a_stream_that_ends_was_lost_if_it_was_sent(reports: dict[int, int], length: int, lost: list[int]) -> None:
    """Seconds without packets gave no sample at all. The far end's reports tell, or that they too have ended."""
    book = silence(reports, length=length)
    assert book.values("audio.loss_ratio") == lost
    assert book.values("audio.mos") == pytest.approx([1.0 if second else 4.5 for second in lost], abs=0.01)


def test_an_outage_is_heard() -> None:
    """Three seconds in which nothing comes are the worst speech there is, once the next packet shows them lost."""
    book = silence({}, length=3, again=(50, 150))
    assert book.values("audio.loss_ratio") == pytest.approx([0] * 5 + [0.75] * 4)
    assert min(book.values("audio.mos")[5:8]) == max(book.values("audio.mos")[5:8]) == 1.0


def test_an_echo_takes_the_delay_of_one_way() -> None:
    """There and back was charged as one way: half a second of echo is a quarter of delay."""

    def mos(delay_ms: float, *, echo: bool) -> float:
        book = SeriesBook()
        watch = NetworkWatch(book, 0.0, echo=echo)
        book.add("audio.delay_ms", 0.5, delay_ms)
        watch.read([INBOUND], 0.0)
        watch.read([replace(INBOUND, packets_received=50)], 1.0)
        return book.values("audio.mos")[0]

    assert mos(500, echo=True) == mos(250, echo=False) > mos(500, echo=False) + 0.5
