"""The registry is complete in itself, and the page in docs/ is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.probe.metrics import METRICS, Better, Unit, aggregated, is_aggregate, list_metrics, metric_named
from pexrtc_py.probe.metrics_page import metrics_page
from pexrtc_py.probe.thresholds import PROFILES, profile

ENDINGS = {
    "_ms": Unit.MILLISECONDS,
    "_s": Unit.SECONDS,
    "_ratio": Unit.RATIO,
    "_bps": Unit.BITS_PER_SECOND,
    "_db": Unit.DECIBELS,
    "_dbfs": Unit.DBFS,
    "_lufs": Unit.LUFS,
    "_px": Unit.PIXELS,
    "_ppm": Unit.PPM,
    "_days": Unit.DAYS,
}


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_whole(name: str) -> None:
    """Each has a meaning, a source, an aggregate that exists, and a name that ends in its unit."""
    metric = METRICS[name]
    assert metric.what
    assert metric.source
    assert is_aggregate(metric.aggregate)
    for ending, unit in ENDINGS.items():
        assert name.endswith(ending) == (metric.unit is unit), ending


def test_list_names_all() -> None:
    """`--list-metrics` has one line each, with unit and source."""
    lines = list_metrics().splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(METRICS)
    assert "ITU-R BT.1359-1" in next(line for line in lines if line.startswith("av.skew_ms"))


def test_page_in_docs_is_up_to_date() -> None:
    """docs/metrics.md is what `python -m pexrtc_py.probe.metrics_page` prints."""
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == metrics_page()


def test_unknown_metric_offers_the_nearest() -> None:
    """A typing error is told with what was meant."""
    with pytest.raises(UsageError, match=r"no metric 'video.freez_ratio', did you mean 'video.freeze_ratio'"):
        metric_named("video.freez_ratio")
    with pytest.raises(UsageError, match="--list-metrics names all"):
        metric_named("x")


@pytest.mark.parametrize(
    ("aggregate", "figure"),
    [("mean", 2.5), ("sum", 10), ("min", 1), ("max", 4), ("last", 3), ("p50", 2.5), ("p100", 4), ("p0", 1)],
)
def test_aggregates(aggregate: str, figure: float) -> None:
    """Four values, each way."""
    assert aggregated([1, 4, 2, 3], aggregate) == figure


@pytest.mark.parametrize(("values", "aggregate"), [([], "mean"), ([1.0], "median"), ([1.0], "p101"), ([1.0], "p")])
def test_wrong_aggregates_are_refused(values: list[float], aggregate: str) -> None:
    """Nothing is made up."""
    with pytest.raises(ValueError):
        aggregated(values, aggregate)


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_thresholds_in_the_right_direction(name: str) -> None:
    """Every line parses, and fails on the worse side of what is better."""
    thresholds = profile(name)
    assert thresholds
    for threshold in thresholds:
        better = threshold.metric.better
        if better is not Better.NEITHER:
            assert (threshold.comparison[0] == ">") == (better is Better.LOWER), threshold.text


def test_unknown_profile_is_refused() -> None:
    """All names are told."""
    with pytest.raises(UsageError, match="no profile 'lax', only default, strict, reachability"):
        profile("lax")
