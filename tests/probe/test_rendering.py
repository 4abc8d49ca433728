"""Every text format says the same, and no name of a peer breaks out of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pexrtc_py.errors import WriteError
from pexrtc_py.probe.rendering import junit, live_line, nagios, prometheus, table, visible, write_prometheus
from pexrtc_py.probe.result import ProbeResult
from pexrtc_py.probe.thresholds import Threshold, judge
from tests.support.probe_runs import HOSTILE, doctor, run

NAMES = st.one_of(st.just(HOSTILE), st.text(max_size=20))


def named(name: str) -> ProbeResult:
    """Return a failed run in which every free text is this name."""
    thresholds = [Threshold.parse("video.fps > 10"), Threshold.parse("audio.digits_missed > 0")]
    result = run(stream=name, bad=True, seconds=40)
    return msgspec.structs.replace(
        result, target=name, node=name, error=name, verdict=judge(thresholds, result.series), steps=doctor().steps
    )


def test_table_has_a_row_for_each_figure() -> None:
    """With value, unit, outcome and meaning."""
    row = next(row for row in table(run(bad=True)) if row.metric == "video.freeze_ratio")
    assert (row.group, row.value, row.outcome, row.stream) == ("video", "7 %", "failed", "Ann → Bob")


@given(NAMES)
def test_table_obeys_nobody(name: str) -> None:
    """No control character reaches the screen."""
    assert all(row.stream.isprintable() for row in table(named(name)))


@given(NAMES)
def test_junit_is_xml_whatever_the_names(name: str) -> None:
    """Counts agree with the cases, and the file parses."""
    (suite,) = ElementTree.fromstring(junit(named(name)))
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases)
    assert int(suite.attrib["failures"]) == len([case for case in cases if case.find("failure") is not None]) == 3
    assert int(suite.attrib["errors"]) == len([case for case in cases if case.find("error") is not None])
    assert int(suite.attrib["skipped"]) == len([case for case in cases if case.find("skipped") is not None]) == 1


def test_junit_tells_the_cure_and_the_value() -> None:
    """A failed step and a missed threshold say what to do and how far off it was."""
    assert "open UDP 40000-49999 to the node, or configure TURN" in junit(doctor())
    assert "video.freeze_ratio &gt; 1%: 7 % of Ann → Bob" in junit(run(bad=True))


@pytest.mark.parametrize(
    ("result", "begin", "code"),
    [
        (run(), "PEXRTC OK - meet.alice on https://node.example.com, 60 s", 0),
        (run(bad=True), "PEXRTC CRITICAL - audio.loss_ratio > 3% over 20s: 5.4 % of Ann", 2),
        (doctor(), "PEXRTC CRITICAL - ICE failed", 2),
        (msgspec.structs.replace(run(), error="no answer"), "PEXRTC UNKNOWN - no answer", 3),
        (
            msgspec.structs.replace(run(), verdict=judge([Threshold.parse("audio.echo_db > -30")], ())),
            "PEXRTC UNKNOWN - audio.echo_db > -30: not measured",
            3,
        ),
    ],
)
def test_nagios_line_and_code(result: ProbeResult, begin: str, code: int) -> None:
    """State, reason and exit code of the plugin guidelines."""
    line, exit_code = nagios(result)
    assert line.startswith(begin)
    assert exit_code == code


def test_nagios_has_performance_data() -> None:
    """Ratios in percent, times in ms."""
    line, _ = nagios(run(bad=True))
    data = line.split(" | ")[1]
    assert "'video.freeze_ratio Ann → Bob'=7%" in data
    assert "'setup.ice_ms Ann → Bob'=61ms" in data


@given(NAMES)
def test_nagios_is_one_line_with_one_bar(name: str) -> None:
    """No name can add a line, performance data or a quote."""
    line, _ = nagios(named(name))
    text, bar, data = line.partition(" | ")
    assert bar
    assert "|" not in text + data
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    assert data.count("'") % 2 == 0


@given(NAMES)
def test_prometheus_text_is_read_back(name: str) -> None:
    """Prometheus's own parser reads it, labels as they were."""
    families = {f.name: f for f in text_string_to_metric_families(prometheus(named(name), ended=1000.0))}
    assert families["pexrtc_probe_passed"].samples[0].value == 0
    sample = families["pexrtc_probe_video_fps"].samples[0]
    assert sample.labels["stream"] == name
    assert sample.labels["target"] == name


def test_prometheus_file_is_written_whole(tmp_path: Path) -> None:
    """For the textfile collector; a folder that is not there is one clear error."""
    write_prometheus(run(), tmp_path / "probe.prom", ended=1000.0)
    assert [path.name for path in tmp_path.iterdir()] == ["probe.prom"]
    assert "pexrtc_probe_ended_timestamp_seconds" in (tmp_path / "probe.prom").read_text()
    with pytest.raises(WriteError, match=r"nowhere/probe\.prom: No such file"):
        write_prometheus(run(), tmp_path / "nowhere" / "probe.prom", ended=1000.0)


@given(NAMES)
def test_live_line_is_one_json_object(name: str) -> None:
    """Whatever the name."""
    line = live_line(1.23456, "video.fps", name, 29.5)
    assert "\n" not in line
    assert json.loads(line) == {"time": 1.235, "metric": "video.fps", "stream": name, "value": 29.5}


@given(st.text())
def test_visible_text_is_printable(text: str) -> None:
    """And printable text stays as it is."""
    assert visible(text).isprintable()
    assert not text.isprintable() or visible(text) == text
