"""A probe knows when its own machine was too slow."""

from __future__ import annotations

import asyncio
import time

import pytest

from pexrtc_py.probe.lateness import LoopWatch, WorstLateness, too_slow
from pexrtc_py.probe.result import ProbeResult
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.thresholds import Series, Threshold, judge


def test_the_worst_since_the_last_time() -> None:
    """Asking begins anew."""
    worst = WorstLateness()
    assert worst.take() is None
    for seconds in (0.1, 0.3, 0.2):
        worst.note(seconds)
    assert worst.take() == 0.3
    assert worst.take() is None


async def test_a_blocked_loop_is_noticed() -> None:
    """200 ms in which nothing else ran are told, in the second in which they were."""
    book = SeriesBook()
    told = asyncio.Event()
    book_with_news = SeriesBook(on_sample=lambda at, metric, stream, value: told.set())
    async with LoopWatch(book, time.monotonic()), LoopWatch(book_with_news, time.monotonic()), asyncio.timeout(10):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        end = time.process_time() + 0.25  # of its own: on a busy machine half of that passed without it
        while time.process_time() < end:
            pass
        await told.wait()
    (late,) = book.values("self.loop_late_ms")
    assert 150 < late < 2000
    assert book.values("self.cpu_ratio")[0] > 0.15


def series(metric: str, *values: float) -> Series:
    return Series(metric=metric, times=tuple(range(len(values))), values=values)


@pytest.mark.parametrize(
    ("metric", "fine", "slow"),
    [
        ("self.loop_late_ms", (2, 5, 20), (100, 120, 90)),
        ("self.send_late_ms", (2, 5, 20), (100, 120, 90)),
        ("self.dropped", (0, 0, 0), (0, 3, 0)),
    ],
)
def test_what_makes_figures_worthless(metric: str, fine: tuple[float, ...], slow: tuple[float, ...]) -> None:
    """Each alone, and in words."""
    assert too_slow([series(metric, *fine)]) == ()
    (reason,) = too_slow([series(metric, *slow), series(metric, *fine)])
    assert reason.startswith("this machine was too slow: ")


def test_a_failed_verdict_of_a_slow_machine_is_inconclusive() -> None:
    """A passed one is not: what is good on a slow machine is good."""
    skew, late = series("av.skew_ms", 500, 500), series("self.loop_late_ms", 300, 300)
    threshold = Threshold.parse("av.skew_ms > 90")

    def result(*measured: Series) -> ProbeResult:
        verdict = judge([threshold], measured)
        return ProbeResult(
            kind="pair",
            target="a",
            node="b",
            started="c",
            duration_s=2,
            version="1",
            series=measured,
            verdict=verdict,
        )

    assert result(skew, late).is_inconclusive
    assert not result(skew).is_inconclusive
    assert not result(series("av.skew_ms", 5), late).is_inconclusive
