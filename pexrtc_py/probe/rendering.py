"""Results as text for people and for other programs: table, JSON lines, CSV, JUnit, Nagios; Prometheus is `exposition`.

Each renderer is a plain function of results and escapes what came from peers for its own format. The screen table is
structure only; the command line draws it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

import msgspec

from ..protocol.escaping import visible
from .metrics import METRICS, Unit
from .result import Cause, ProbeResult, figures, format_value
from .thresholds import Outcome, Reason

__all__ = [
    "TableRow",
    "junit",
    "live_line",
    "nagios",
    "reason_text",
    "samples_csv",
    "table",
    "unmeasured",
]


_TELLING: Final = frozenset(
    {
        *("setup.ice_rtt_ms", "setup.first_sound_ms", "setup.first_picture_ms", "setup.presentation_send_ms"),
        *("audio.loss_ratio", "audio.jitter_ms", "audio.rtt_ms", "audio.mos", "audio.delay_ms", "audio.loudness_lufs"),
        *("audio.silence_ratio", "audio.concealed_ratio", "audio.sent_loss_ratio", "audio.call_quality"),
        *("video.loss_ratio", "video.jitter_ms", "video.fps", "video.height_px", "video.bitrate_bps", "video.delay_ms"),
        *("video.freeze_ratio", "video.longest_freeze_ms", "video.black_ratio", "video.psnr_db", "video.ssim"),
        *("video.frames_lost", "video.sent_loss_ratio", "video.call_quality", "av.skew_ms"),
        *("control.mute_ms", "control.chat_ms", "control.dtmf_ms", "control.presentation_ms", "control.roster_ms"),
    }
)
"""Metrics shown on a screen without asking."""


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the screen table."""

    group: str
    metric: str
    stream: str
    value: str
    outcome: str
    """`passed`, `failed` or empty."""
    what: str

    @property
    def is_telling(self) -> bool:
        """Whether it belongs among the few figures that a person looks at first."""
        return self.outcome == "failed" or self.metric in _TELLING


def reason_text(reason: Reason) -> str:
    """Return one line that says how a threshold stands."""
    of = f" of {visible(reason.stream)}" if reason.stream else ""
    if reason.value is None:
        return f"{visible(reason.threshold)}: not measured{of}"
    when = "" if reason.at is None else f" in the window that ends at {reason.at:.0f} s"
    metric = METRICS.get(reason.metric)  # a later version knows others
    value = format_value(reason.value, metric.unit) if metric is not None else f"{reason.value:g}"
    return f"{visible(reason.threshold)}: {value}{of}{when}"


def table(result: ProbeResult) -> list[TableRow]:
    """Return the rows of the screen table."""
    return [
        TableRow(
            group=METRICS[figure.metric].group,
            metric=figure.metric,
            stream=visible(figure.stream),
            value=figure.text,
            outcome=figure.outcome or "",
            what=METRICS[figure.metric].what,
        )
        for figure in figures(result)
    ]


def live_line(time: float, metric: str, stream: str, value: float, *, target: str | None = None) -> str:
    """Return one sample as one line of JSON, for `--jsonl`; without line break.

    Args:
        time: seconds since the run began.
        metric: name in the registry.
        stream: whose or which.
        value: in the metric's unit.
        target: which conference, where several are measured at once.
    """
    of = {"target": target} if target is not None else {}
    return msgspec.json.encode(
        {**of, "time": round(time, 3), "metric": metric, "stream": stream, "value": value}
    ).decode()


_FORMULA: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes a cell for a formula by (OWASP, CSV Injection); tabs and line breaks are written out."""


def _cell(text: str) -> str:
    """Return a name so that no spreadsheet computes it: an apostrophe before what would begin a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def samples_csv(*results: ProbeResult) -> str:
    """Return every sample as a line of CSV (RFC 4180), under a head; names cannot become formulas.

    Times are seconds since the run began, values in the metric's unit, as many digits as were kept.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("started", "target", "node", "kind", "stream", "metric", "unit", "time_s", "value"))
    for result in results:
        run = (_cell(result.started), _cell(result.target), _cell(result.node), result.kind)
        for series in result.series:
            unit = METRICS[series.metric].unit if series.metric in METRICS else ""
            of = (*run, _cell(series.stream), _cell(series.metric), unit)
            writer.writerows((*of, time, value) for time, value in zip(series.times, series.values, strict=True))
    return text.getvalue()


def _xml_safe(text: str) -> str:
    """Return text without the characters that XML 1.0 section 2.2 does not allow, which no escape can carry."""
    return visible(text, keep="\n\t")


def junit(*results: ProbeResult) -> str:
    """Return JUnit XML: a suite for each run, in it a case for each threshold and each step, grouped by metric."""
    suites = ElementTree.Element("testsuites", name="pexrtc probe")
    counted = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for result in results:
        suite = _suite(result)
        suites.append(suite)
        for key in counted:
            counted[key] += int(suite.get(key, "0"))
    for key, count in counted.items():
        if key != "skipped":  # the schema has it on suites only
            suites.set(key, str(count))
    suites.set("time", f"{sum(result.duration_s for result in results):.3f}")
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(result: ProbeResult) -> ElementTree.Element:
    name = _xml_safe(f"probe {result.kind} {result.target}")
    # The schema wants local time without a zone; ours is UTC, and the property says so.
    suite = ElementTree.Element("testsuite", name=name, timestamp=_xml_safe(result.started.removesuffix("Z")))
    suite.set("time", f"{result.duration_s:.3f}")
    suite.set("hostname", _xml_safe(result.node))
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("node", result.node), ("started", result.started), ("version", result.version)):
        ElementTree.SubElement(properties, "property", name=key, value=_xml_safe(value))
    cases = failures = errors = skipped = 0
    for step in result.steps:
        case = ElementTree.SubElement(suite, "testcase", classname="probe.steps", name=_xml_safe(step.name))
        case.set("time", f"{(step.milliseconds or 0) / 1000:.3f}")
        cases += 1
        if step.passed is None:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message="not reached")
        elif not step.passed:
            failures += 1
            _problem(case, "failure", step.detail, "step").text = _xml_safe(step.cure)
    for reason in result.verdict.reasons:
        case = ElementTree.SubElement(suite, "testcase", classname=f"probe.{_xml_safe(reason.metric)}")
        case.set("name", _xml_safe(reason.threshold))
        case.set("time", "0.000")
        cases += 1
        if reason.is_failure:
            failures += 1
            _problem(case, "failure", reason_text(reason), "threshold")
        elif reason.outcome is Outcome.UNMEASURED:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message="not measured")
    if result.error:
        cases, errors = cases + 1, 1
        case = ElementTree.SubElement(suite, "testcase", classname="probe", name="run", time="0.000")
        _problem(case, "error", result.error, str(result.cause) or "error")
    for key, count in (("tests", cases), ("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(key, str(count))
    return suite


def _problem(case: ElementTree.Element, tag: str, message: str, kind: str) -> ElementTree.Element:
    return ElementTree.SubElement(case, tag, message=_xml_safe(message), type=kind)


_NAGIOS_UNITS: Final = {Unit.MILLISECONDS: "ms", Unit.SECONDS: "s", Unit.RATIO: "%"}


def _perfdata(result: ProbeResult, *, named: bool) -> Iterator[str]:
    for figure in figures(result):
        unit = METRICS[figure.metric].unit
        label = f"{result.target if named else ''} {figure.metric} {figure.stream}".strip()
        label = visible(label).replace("'", "").replace("=", "_").replace("|", "/")
        value = 100 * figure.value if unit is Unit.RATIO else figure.value
        # Plugin guidelines: digits, sign and point only, so no exponent.
        number = f"{value:.6f}".rstrip("0").rstrip(".")
        yield f"'{label}'={number}{_NAGIOS_UNITS.get(unit, '')}"


_STATUS: Final = {0: "OK", 2: "CRITICAL", 3: "UNKNOWN"}
_WORST_FIRST: Final = (2, 3, 0)


def nagios(*results: ProbeResult) -> tuple[str, int]:
    """Return the line of a Nagios plugin with performance data, and its exit code; of several runs the worst counts.

    Nagios Plugin Development Guidelines: 0 OK; 2 CRITICAL: the service is not there, or a threshold was missed;
    3 UNKNOWN: the probe itself could not do its work, or something asked for was not measured. Thresholds have one
    level, so there is no WARNING.
    """
    several = len(results) > 1
    states = [_state(result) for result in results]
    code = next(code for code in _WORST_FIRST if any(state[0] == code for state in states))
    told = zip(results, states, strict=True)
    bad = [f"{result.target}: {words}" if several else words for result, (state, words) in told if state]
    if several and bad:
        bad.insert(0, f"{len(bad)} of {len(results)} failed")
    words = bad or [words for _, words in states]
    text = visible(", ".join(words)).replace("|", "/")
    data = " ".join(part for result in results for part in _perfdata(result, named=several))
    return f"PEXRTC {_STATUS[code]} - {text} | {data}".rstrip(" |") + "\n", code


def _state(result: ProbeResult) -> tuple[int, str]:
    """Return the code of one run, and why."""
    failed = [f"{step.name} failed" for step in result.steps if step.passed is False]
    missed = [reason_text(reason) for reason in result.verdict.failures if reason.outcome is Outcome.FAILED]
    if result.error:
        ours = result.cause in (Cause.NONE, Cause.FAILED, Cause.STOPPED)
        return (3 if ours and not missed else 2), ", ".join([result.error, *missed])
    if failed or missed:
        words = ", ".join(failed + missed)
        return (3, f"{words} ({', '.join(result.caveats)})") if result.is_inconclusive and not failed else (2, words)
    if result.verdict.failures:
        return 3, ", ".join(reason_text(reason) for reason in result.verdict.failures)
    thresholds = unmeasured(result) or f"{len(result.verdict.reasons)} thresholds"
    return 0, f"{result.target} on {result.node}, {result.duration_s:.0f} s, {thresholds}"


def unmeasured(result: ProbeResult) -> str:
    """Say how many thresholds were passed over, for want of a figure; empty when none was."""
    count = sum(reason.outcome is Outcome.UNMEASURED for reason in result.verdict.reasons)
    return f"{count} of {len(result.verdict.reasons)} thresholds not measured" if count else ""
