"""Thresholds: any text parses or is refused by name; verdicts are those worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import UsageError
from pexrtc_py.probe.metrics import METRICS, Unit
from pexrtc_py.probe.thresholds import Outcome, Series, Threshold, judge, worst_window


def series(metric: str, values: list[float], stream: str = "") -> Series:
    return Series(metric=metric, stream=stream, times=tuple(float(i) for i in range(len(values))), values=tuple(values))


def outcome(text: str, *measured: Series) -> Outcome:
    return Threshold.parse(text).judge(measured).outcome


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("video.freeze_ratio > 1%", 0.01),
        ("video.freeze_ratio>0.01", 0.01),
        ("p95(video.delay_ms) >= 0.3s", 300),
        ("max( av.skew_ms [Bob] ) < -45 ms", -45),
        ("video.bitrate_bps < 1.5Mbps", 1.5e6),
        ("video.key_interval_s > 500ms", 0.5),
        ("audio.mos < 3.6", 3.6),
    ],
)
def test_units_are_converted(text: str, limit: float) -> None:
    """The limit is in the metric's own unit."""
    assert Threshold.parse(text).limit == pytest.approx(limit)


def test_all_parts_are_read() -> None:
    """Figure, stream, window and grace."""
    threshold = Threshold.parse(" p99.9(video.delay_ms[Bob & co]) > 300 over 1m after 1500ms ")
    assert (threshold.aggregate, threshold.stream) == ("p99.9", "Bob & co")
    assert (threshold.over_s, threshold.after_s) == (60, 1.5)
    assert Threshold.parse("video.fps < 20").aggregate == METRICS["video.fps"].aggregate


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not METRIC > VALUE"),
        ("video.fps", "is not METRIC > VALUE"),
        ("video.fps = 3", "is not METRIC > VALUE"),
        ("video.fsp < 20", "no metric 'video.fsp', did you mean 'video.fps'"),
        ("median(video.fps) < 20", "no figure 'median'"),
        ("p101(video.fps) < 20", "no figure 'p101'"),
        ("p95(video.fps < 20", "brackets do not match"),
        ("video.fps) < 20", "brackets do not match"),
        ("video.delay_ms > 3%", "unit '%' does not fit video.delay_ms"),
        ("audio.mos < 3ms", "unit 'ms' does not fit audio.mos"),
        ("video.fps < 20 over 0s", "over '0s' is no time"),
        ("video.fps < 20 over 5days", "over '5days' is no time"),
        ("video.fps < 20 after 1.2.3", "after '1.2.3' is no time"),
    ],
)
def test_errors_name_the_thing_and_the_value(text: str, told: str) -> None:
    """Every error says what is wrong with which text."""
    with pytest.raises(UsageError) as error:
        Threshold.parse(text)
    assert told in str(error.value)
    assert repr(text) in str(error.value)


PIECES = st.sampled_from([*METRICS, *"()[]<>=%.-", "p95", "over", "after", " ", "1", "0.5", "s", "ms", "e9", "\n", "é"])


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join)))
def test_any_text_parses_or_is_a_usage_error(text: str) -> None:
    """No other exception, and what parses can be judged."""
    try:
        threshold = Threshold.parse(text)
    except UsageError:
        return
    threshold.judge([series(threshold.metric.name, [1.0, 2.0])])


@given(st.sampled_from(list(METRICS)), st.sampled_from([">", ">=", "<", "<="]), st.floats(-1e6, 1e6))
def test_what_is_written_is_what_is_read(name: str, op: str, value: float) -> None:
    """Metric, comparison and bound survive."""
    unit = "ratio" if METRICS[name].unit is Unit.RATIO else ""
    threshold = Threshold.parse(f"{name} {op} {value:.6f}{unit}")
    assert (threshold.metric.name, threshold.comparison) == (name, op)
    assert threshold.limit == pytest.approx(value, abs=1e-6)


def test_the_default_figure_decides() -> None:
    """Mean for ratios, sum for counts."""
    frozen = series("video.freeze_ratio", [0, 0, 0.03, 0.01])
    assert outcome("video.freeze_ratio > 1%", frozen) is Outcome.PASSED
    assert outcome("video.freeze_ratio >= 1%", frozen) is Outcome.FAILED
    assert outcome("max(video.freeze_ratio) > 2%", frozen) is Outcome.FAILED
    assert outcome("video.freezes > 2", series("video.freezes", [1, 1, 1])) is Outcome.FAILED


def test_grace_passes_over_the_beginning() -> None:
    """A bad start does not count when told so."""
    fps = series("video.fps", [0, 0, 30, 30])
    assert outcome("min(video.fps) < 20", fps) is Outcome.FAILED
    assert outcome("min(video.fps) < 20 after 2s", fps) is Outcome.PASSED


def test_a_window_finds_what_the_whole_hides() -> None:
    """Twenty bad seconds in two minutes."""
    loss = series("audio.loss_ratio", [0.0] * 50 + [0.1] * 20 + [0.0] * 50)
    assert outcome("audio.loss_ratio > 3%", loss) is Outcome.PASSED
    reason = Threshold.parse("audio.loss_ratio > 3% over 20s").judge([loss])
    assert (reason.outcome, reason.at) == (Outcome.FAILED, 69)
    assert reason.value == pytest.approx(0.1)


def test_a_run_shorter_than_the_window_is_one_window() -> None:
    """Five seconds are judged by a window of twenty."""
    assert outcome("audio.loss_ratio > 3% over 20s", series("audio.loss_ratio", [0.1] * 5)) is Outcome.FAILED


def test_the_worst_stream_decides_and_is_named() -> None:
    """Without a stream all are looked at; with one, only that."""
    both = [series("video.fps", [30.0], "Ann"), series("video.fps", [5.0], "Bob")]
    reason = Threshold.parse("video.fps < 20").judge(both)
    assert (reason.outcome, reason.stream, reason.value) == (Outcome.FAILED, "Bob", 5)
    assert outcome("video.fps[Ann] < 20", *both) is Outcome.PASSED
    assert outcome("video.fps[Eve] < 20", *both) is Outcome.UNMEASURED


def test_what_was_not_measured_fails_only_when_asked_for() -> None:
    """An explicit threshold demands its measurement, a profile's does not; nan is no measurement."""
    text = "audio.mos < 3"
    assert not judge([Threshold.parse(text)], []).passed
    assert judge([Threshold.parse(text, required=False)], []).passed
    assert outcome(text, series("audio.mos", [float("nan")])) is Outcome.UNMEASURED


def test_a_verdict_has_all_reasons_and_its_failures() -> None:
    """In the order given."""
    verdict = judge([Threshold.parse("video.fps < 20"), Threshold.parse("video.fps > 20")], [series("video.fps", [30])])
    assert [reason.outcome for reason in verdict.reasons] == [Outcome.PASSED, Outcome.FAILED]
    assert [reason.threshold for reason in verdict.failures] == ["video.fps > 20"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 70))
def test_windows_agree_with_trying_all(values: list[float], over: int, after: int) -> None:
    """The running window finds what a plain search finds."""
    found = worst_window(series("video.black_ratio", values), "max", over, after, higher_is_worse=True)
    kept = values[after:]
    assert (None if found is None else found[0]) == (max(kept) if kept else None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("video.loss_ratio > 3", "3 is 300 %; say 3%, or 3ratio if meant so"),
        ("video.delay_ms > 1e999", "1e999 is no number"),
    ],
)
def test_a_limit_that_nothing_reaches_is_refused(text: str, told: str) -> None:
    """It passed whatever was measured: three times all packets, or more than any number."""
    with pytest.raises(UsageError, match=told):
        Threshold.parse(text)
    assert Threshold.parse("self.cpu_ratio > 1.5ratio").limit == 1.5
