"""Every text format says the same, and no name of a peer breaks out of it."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.probe.rendering import junit, live_line, nagios, reason_text, samples_csv, table
from pexrtc_py.probe.report import html_report
from pexrtc_py.probe.result import Cause, ProbeResult
from pexrtc_py.probe.thresholds import Series, Threshold, Verdict, judge
from pexrtc_py.protocol.escaping import visible
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


def test_csv_has_a_line_for_each_sample() -> None:
    """Of all runs, with unit, time and value."""
    results = [run(), run(bad=True)]
    lines = list(csv.DictReader(io.StringIO(samples_csv(*results), newline="")))
    assert len(lines) == sum(len(series.values) for result in results for series in result.series)
    freezes = [line for line in lines if line["metric"] == "video.freeze_ratio" and float(line["value"]) > 0]
    assert [(line["time_s"], line["value"], line["unit"], line["stream"]) for line in freezes[:1]] == [
        ("28.0", "0.7", "ratio", "Ann → Bob")
    ]
    negative = next(line for line in lines if line["metric"] == "audio.loudness_lufs")
    assert float(negative["value"]) < -20  # figures of ours stay numbers


@given(st.one_of(NAMES, st.from_regex(r"[ \t\r\n]*[=+@-].{0,9}", fullmatch=True)))
def test_csv_obeys_nobody(name: str) -> None:
    """One name stays one cell of one line, and no cell but a figure begins as a formula would."""
    lines = list(csv.DictReader(io.StringIO(samples_csv(named(name)), newline="")))
    assert len(lines) == sum(len(series.values) for series in named(name).series)
    for line in lines[:1]:
        for cell in (line["stream"], line["target"], line["node"]):
            assert cell.isprintable()
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))
            assert visible(name) in cell


@given(NAMES)
def test_junit_is_xml_whatever_the_names(name: str) -> None:
    """Counts agree with the cases, and the file parses."""
    suites = ElementTree.fromstring(junit(named(name)))
    (suite,) = suites
    assert {key: suites.get(key) for key in ("tests", "failures", "errors")} == {
        key: suite.get(key) for key in ("tests", "failures", "errors")
    }
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
        (msgspec.structs.replace(run(), error="disk full", cause=Cause.FAILED), "PEXRTC UNKNOWN - disk full", 3),
        (msgspec.structs.replace(run(), error="locked", cause=Cause.REFUSED), "PEXRTC CRITICAL - locked", 2),
        (msgspec.structs.replace(run(), error="no node", cause=Cause.UNREACHABLE), "PEXRTC CRITICAL - no node", 2),
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


def test_nagios_of_several_tells_which() -> None:
    """The worst decides, and each figure says of which conference it is."""
    other = msgspec.structs.replace(run(bad=True), target="meet|bob")
    line, code = nagios(run(), other)
    assert code == 2
    assert line.startswith("PEXRTC CRITICAL - 1 of 2 failed, meet/bob: audio.loss_ratio > 3% over 20s: 5.4 % of Ann")
    assert "'meet.alice setup.ice_ms Ann → Bob'=61ms" in line
    assert "'meet/bob setup.ice_ms Ann → Bob'=61ms" in line
    assert nagios(run(), run())[0].startswith("PEXRTC OK - meet.alice on https://node.example.com, 60 s, ")


PERFDATA = re.compile(r"'[^'=]+'=-?[0-9]+(?:\.[0-9]+)?(?:ms|s|%)?")


def test_nagios_performance_data_keeps_to_the_guidelines() -> None:
    """'label'=value[UOM], with digits, sign and point only; huge and tiny figures too."""
    series = tuple(
        Series(metric=metric, stream="", times=(0.0,), values=(value,))
        for metric, value in (("video.bitrate_bps", 2.5e9), ("audio.loss_ratio", 1e-9), ("av.skew_ms", -7.25))
    )
    line, _ = nagios(msgspec.structs.replace(run(), series=series))
    data = line.rstrip("\n").split(" | ")[1]
    assert PERFDATA.sub("", data).strip() == ""
    assert "'video.bitrate_bps'=2500000000 " in data
    assert "'audio.loss_ratio'=0%" in data
    assert "'av.skew_ms'=-7.25ms" in data


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
def test_live_line_is_one_json_object(name: str) -> None:
    """Whatever the name."""
    line = live_line(1.23456, "video.fps", name, 29.5)
    assert "\n" not in line
    assert json.loads(line) == {"time": 1.235, "metric": "video.fps", "stream": name, "value": 29.5}


def test_live_line_says_of_which_conference() -> None:
    """When several are measured at once."""
    assert json.loads(live_line(1.0, "video.fps", "", 30.0, target=HOSTILE))["target"] == HOSTILE


def test_what_was_passed_over_is_told() -> None:
    """A run that measured nothing was OK by two thresholds."""
    thresholds = (Threshold.parse("video.fps < 10", required=False), Threshold.parse("audio.mos < 3", required=False))
    result = msgspec.structs.replace(run(), series=(), verdict=judge(thresholds, ()))
    assert nagios(result)[0].rstrip().endswith(", 2 of 2 thresholds not measured")
    measured = msgspec.structs.replace(run(), verdict=judge(thresholds[:1], run().series))
    assert ", 1 thresholds |" in nagios(measured)[0]


def test_a_threshold_of_a_later_version_is_shown() -> None:
    """A stored result with a metric that we do not know ended in a traceback."""
    known = judge((Threshold.parse("video.fps < 10"),), run().series).reasons[0]
    reason = msgspec.structs.replace(known, metric="video.new", threshold="video.new > 3px", value=4.5)
    assert reason_text(reason).startswith("video.new > 3px: 4.5")
    result = msgspec.structs.replace(run(), verdict=Verdict(reasons=(reason,)))
    assert "video.new &gt; 3px: 4.5" in html_report([result])
