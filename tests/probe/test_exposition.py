"""Prometheus's own parser reads what we write, whatever the names, and the textfile is whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pexrtc_py.errors import WriteError
from pexrtc_py.probe.exposition import monitor_page, prometheus, write_prometheus
from pexrtc_py.probe.repeats import Repeats
from pexrtc_py.service.metrics import safe_label
from tests.support.probe_runs import HOSTILE, doctor, run

NAMES = st.one_of(st.just(HOSTILE), st.text(max_size=200))


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return every sample by name and labels."""
    return {
        family.name: {tuple(sorted(sample.labels.items())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


@given(NAMES)
def test_prometheus_text_is_read_back(name: str) -> None:
    """Labels are bounded and printable, and are read back as such."""
    result = msgspec.structs.replace(run(stream=name, bad=True), target=name, node=name, error=name)
    families = {f.name: f for f in text_string_to_metric_families(prometheus(result, ended=1000.0))}
    assert families["pexrtc_probe_passed"].samples[0].value == 0
    assert families["pexrtc_probe_ended_timestamp_seconds"].samples[0].value == 1000
    (sample,) = families["pexrtc_probe_video_fps"].samples
    assert sample.labels["stream"] == sample.labels["target"] == safe_label(name)
    assert sample.labels["stream"].isprintable()
    assert len(sample.labels["stream"]) <= 128


def test_a_page_of_several_has_all_and_counts() -> None:
    """Each conference has its gauges of the latest run, counters of all, and phases with quantiles."""
    repeats = Repeats()
    other = msgspec.structs.replace(run(bad=True), target="meet.bob")
    for result in (run(), run(bad=True), run(bad=True), other, doctor()):
        repeats.add(result, 2000.0)
    families = read(monitor_page(repeats).decode())
    alice = (("kind", "pair"), ("node", "https://node.example.com"), ("target", "meet.alice"))
    assert families["pexrtc_probe_runs"][*alice[:2], ("outcome", "failed"), *alice[2:]] == 2
    assert families["pexrtc_probe_runs"][*alice[:2], ("outcome", "passed"), *alice[2:]] == 1
    assert families["pexrtc_probe_failures_in_a_row"][alice] == 2
    assert families["pexrtc_probe_passed"][alice] == 0
    assert len(families["pexrtc_probe_passed"]) == 3
    labels = (*alice[:2], ("phase", "setup.ice_ms"), ("quantile", "0.95"), *alice[2:])
    assert families["pexrtc_probe_phase_milliseconds"][labels] == 61
    steps = families["pexrtc_probe_step_passed"]
    assert {dict(labels)["step"]: value for labels, value in steps.items()} == {"DNS": 1, "TLS": 1, "ICE": 0}


def test_file_is_written_whole(tmp_path: Path) -> None:
    """For the textfile collector; a folder that is not there is one clear error."""
    write_prometheus(prometheus(run(), ended=1000.0).encode(), tmp_path / "probe.prom")
    assert [path.name for path in tmp_path.iterdir()] == ["probe.prom"]
    assert "pexrtc_probe_ended_timestamp_seconds" in (tmp_path / "probe.prom").read_text()
    with pytest.raises(WriteError, match=r"nowhere/probe\.prom: No such file"):
        write_prometheus(b"", tmp_path / "nowhere" / "probe.prom")
