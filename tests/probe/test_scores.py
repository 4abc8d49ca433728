"""Figures with a shared definition, worked through by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.probe.scores import (
    CallQuality,
    Freeze,
    FreezeWatch,
    Jitter,
    Losses,
    SkewBand,
    SyncFigures,
    call_quality,
    percentile,
    skew_band,
    sync_score,
    time_within,
)

FINITE = st.floats(min_value=-1e6, max_value=1e6)


@given(st.lists(FINITE, min_size=1), st.floats(min_value=0, max_value=100))
def test_percentile_is_numpys(values: list[float], percent: float) -> None:
    """The plain code agrees with the library that people know."""
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)), abs=1e-6)


def test_percentile_of_nothing_is_refused() -> None:
    """No value is no number."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("lost", "quality"),
    [
        (0, CallQuality.GOOD),
        (9, CallQuality.GOOD),
        (10, CallQuality.OK),
        (29, CallQuality.OK),
        (30, CallQuality.BAD),
        (99, CallQuality.BAD),
        (100, CallQuality.TERRIBLE),
        (1000, CallQuality.TERRIBLE),
    ],
)
def test_call_quality_has_pexips_bounds(lost: int, quality: CallQuality) -> None:
    """Below 1, 3 and 10 percent of a thousand."""
    assert call_quality(lost, 1000) is quality


def test_call_quality_of_nothing_is_unknown() -> None:
    """A stream without packets has no quality."""
    assert call_quality(0, 0) is CallQuality.UNKNOWN


def shown(watch: FreezeWatch, intervals: list[float]) -> float:
    time = 10.0
    watch.show(time)
    for interval in intervals:
        time += interval
        watch.show(time)
    return time


@pytest.mark.parametrize(("interval", "frozen"), [(0.182, False), (0.184, True), (1.0, True)])
def test_freeze_at_30_frames_is_mean_and_150_ms(interval: float, frozen: bool) -> None:
    """At 33 ms the bound is 183 ms, because three times the mean is less."""
    watch = FreezeWatch()
    shown(watch, [1 / 30] * 30 + [interval] + [1 / 30] * 5)
    assert [freeze.duration for freeze in watch.freezes] == ([pytest.approx(interval)] if frozen else [])


@pytest.mark.parametrize(("interval", "frozen"), [(0.59, False), (0.61, True)])
def test_freeze_at_5_frames_is_three_times_the_mean(interval: float, frozen: bool) -> None:
    """At 200 ms the bound is 600 ms."""
    watch = FreezeWatch()
    shown(watch, [0.2] * 30 + [interval])
    assert bool(watch.freezes) is frozen


def test_first_five_intervals_are_no_freeze() -> None:
    """What is usual is not yet known."""
    watch = FreezeWatch()
    shown(watch, [0.03, 0.03, 3.0])
    assert watch.freezes == []


def test_freeze_that_lasts_until_the_end_counts() -> None:
    """A picture that never comes back is a freeze up to the end."""
    watch = FreezeWatch()
    last = shown(watch, [1 / 30] * 30)
    assert watch.finish(last + 0.1) is None
    freeze = watch.finish(last + 4)
    assert freeze is not None
    assert freeze.duration == pytest.approx(4)


def test_jitter_is_that_of_rfc_3550() -> None:
    """One packet 16 ms late among punctual ones adds 1 ms, then 15/16 of it and 1 ms more when the next is in time."""
    jitter = Jitter(8000)
    for index, late in enumerate([0, 0, 0.016, 0]):
        jitter.arrive(index * 160, index * 0.02 + late)
    assert jitter.seconds == pytest.approx(0.001 * 15 / 16 + 0.001)
    assert jitter.deviations == pytest.approx([0, 0.016, 0.016])


def test_losses_and_bursts() -> None:
    """Runs are counted at the end, too; two of ten in one run are twice random loss less a fifth."""
    losses = Losses.of([True, False, True, True, False, False])
    assert (losses.lost, losses.expected, losses.bursts) == (3, 6, (1, 2))
    assert losses.ratio == 0.5
    assert losses.mean_burst == 1.5
    assert Losses.of([True] * 4 + [False] * 2 + [True] * 4).burst_ratio == pytest.approx(1.6)
    assert (Losses.of([]).ratio, Losses.of([True]).burst_ratio) == (0, 1)


@given(st.lists(st.booleans()))
def test_bursts_sum_to_the_losses(received: list[bool]) -> None:
    """No lost packet is in two bursts or in none."""
    losses = Losses.of(received)
    assert losses.lost == sum(losses.bursts) == received.count(False)


@pytest.mark.parametrize(
    ("skew", "band"),
    [
        (0, SkewBand.UNNOTICED),
        (45, SkewBand.UNNOTICED),
        (-125, SkewBand.UNNOTICED),
        (46, SkewBand.NOTICED),
        (-126, SkewBand.NOTICED),
        (90, SkewBand.NOTICED),
        (-185, SkewBand.NOTICED),
        (91, SkewBand.UNACCEPTABLE),
        (-186, SkewBand.UNACCEPTABLE),
    ],
)
def test_skew_has_the_bands_of_bt1359(skew: float, band: SkewBand) -> None:
    """Early sound is noticed sooner than late sound."""
    assert skew_band(skew) is band


def test_sync_score_is_100_for_perfect_and_0_for_worst() -> None:
    """Each part takes its share."""
    perfect = SyncFigures(skews_ms=(4.0, 6.0), audio_jitter_ms=1, video_jitter_ms=2, lock_s=0.5)
    assert sync_score(perfect) == 100
    worst = SyncFigures(skews_ms=(600.0, 400.0), audio_jitter_ms=60, video_jitter_ms=60, lock_s=20)
    assert sync_score(worst) == pytest.approx(0)
    half = SyncFigures(skews_ms=(175.0, 175.0), audio_jitter_ms=0, video_jitter_ms=0, lock_s=0)
    assert sync_score(half) == pytest.approx(100 - 10 - 10 * 75 / 400)


def test_sync_score_without_marks_is_refused() -> None:
    """Nothing matched is no score."""
    with pytest.raises(ValueError, match="no marks"):
        sync_score(SyncFigures(skews_ms=(), audio_jitter_ms=0, video_jitter_ms=0, lock_s=0))


class Counted(list[tuple[float, float]]):
    """Spans that count how often one is looked at."""

    looks = 0

    def __getitem__(self, place):  # type: ignore[no-untyped-def]  # as list has it
        self.looks += 1
        return super().__getitem__(place)


def test_time_within_windows_is_one_sweep() -> None:
    """Each span against each second was 24 s of a blocked loop for four hours with a freeze each five seconds."""
    spans = Counted((5.0 * place + 0.9, 5.0 * place + 1.3) for place in range(2880))
    found = list(time_within(spans, [(float(second), second + 1.0) for second in range(14_400)]))
    assert found[:7] == pytest.approx([0.1, 0.3, 0, 0, 0, 0.1, 0.3])
    assert sum(found) == pytest.approx(2880 * 0.4)
    assert spans.looks < 10 * (len(spans) + len(found))


def test_time_within_a_span_over_many_windows() -> None:
    """Whole windows in its middle, parts at its ends."""
    windows = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.5)]
    assert list(time_within([(0.5, 3.25)], windows)) == [0.5, 1, 1, 0.25]


def test_a_stream_that_ends_after_its_first_pictures_stands_still() -> None:
    """Three pictures and a minute of nothing were no freeze, for want of a usual interval."""
    watch = FreezeWatch()
    for time in (0.0, 0.03, 0.06):
        watch.show(time)
    assert watch.finish(0.9) is None
    assert watch.finish(60.06) == Freeze(begin=0.06, end=60.06)
