"""The book of a stream keeps what is a number of a metric we have."""

from __future__ import annotations

import math
import tracemalloc

import pytest

from pexrtc_py.probe.series import SeriesBook


def test_series_are_in_order_and_rounded() -> None:
    """Samples may come in any order."""
    book = SeriesBook("Bob")
    book.add("video.fps", 2.00049, 29.97000123)
    book.add("video.fps", 1.0, 30)
    (series,) = book.series()
    assert (series.stream, series.times, series.values) == ("Bob", (1.0, 2.0), (30.0, 29.97))
    assert book.values("audio.mos") == []


def test_no_number_is_no_measurement() -> None:
    """Neither kept nor told."""
    told: list[tuple[float, str, str, float]] = []
    book = SeriesBook("Bob", on_sample=lambda *sample: told.append(sample))
    for value in (math.nan, math.inf, 1.5):
        book.add("video.fps", 1.0, value)
    assert book.values("video.fps") == [1.5]
    assert told == [(1.0, "video.fps", "Bob", 1.5)]


def test_a_metric_that_is_not_registered_is_a_bug() -> None:
    """So that the registry stays complete."""
    with pytest.raises(AssertionError, match=r"video\.smell"):
        SeriesBook().add("video.smell", 0.0, 1.0)


def test_a_run_of_a_day_fits_into_memory() -> None:
    """Each sample was a tuple of two objects, 112 bytes: 1.2 GB for a pair that measures for a day."""
    book, count = SeriesBook(), 20_000
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for second in range(count):
        book.add("video.fps", second * 1.001, second * 0.77)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / count < 24
    assert book.latest("video.fps", 2) == pytest.approx([0.77 * 19_998, 0.77 * 19_999])
