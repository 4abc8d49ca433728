"""Counts, changes and quantiles over many runs."""

from __future__ import annotations

import msgspec
import pytest

from pexrtc_py.probe.repeats import Repeats
from pexrtc_py.probe.result import ProbeResult
from pexrtc_py.probe.thresholds import Series

from ..support.probe_runs import run


def timed(*dtls_ms: float, bad: bool = False) -> ProbeResult:
    """Return a run with ends that took so long."""
    series = tuple(
        Series(metric="setup.dtls_ms", stream=str(number), times=(0.0,), values=(ms,))
        for number, ms in enumerate(dtls_ms)
    )
    return msgspec.structs.replace(run(bad=bad), series=series)


def test_phases_have_median_and_95th_percentile() -> None:
    """Of two ends the slower counts; days are no phase."""
    repeats = Repeats()
    for number in range(1, 102):
        repeats.add(timed(1.0, float(number)), 0.0)
    (phase,) = repeats.phases(("meet.alice", "https://node.example.com", "pair"))
    assert (phase.metric, phase.runs, phase.p50, phase.p95) == ("setup.dtls_ms", 101, 51, 96)


def test_what_is_kept_is_bounded() -> None:
    """The latest thousand runs."""
    repeats = Repeats()
    for number in range(1500):
        repeats.add(timed(float(number)), 0.0)
    (phase,) = repeats.phases(("meet.alice", "https://node.example.com", "pair"))
    assert (phase.runs, phase.p50) == (1000, 999.5)


def test_changes_and_rows_of_failures() -> None:
    """A change is told once each way; the summary counts all."""
    repeats = Repeats()
    changed = [repeats.add(timed(1.0, bad=bad), 0.0) for bad in (False, True, True, False, True)]
    assert changed == [False, True, False, True, True]
    summary = repeats.summary()
    assert (summary.runs, summary.failed) == (5, 3)
    (line,) = summary.targets
    assert (line.passed, line.failed, line.in_a_row) == (2, 3, 1)
    assert msgspec.json.decode(msgspec.json.encode(summary))["schema"] == "pexrtc.probe.summary/1"


@pytest.mark.parametrize("key", [("nobody", "", "pair")])
def test_an_unknown_conference_has_no_phases(key: tuple[str, str, str]) -> None:
    """And is no error."""
    assert Repeats().phases(key) == []
