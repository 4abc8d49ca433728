"""A result as text for people and for monitoring systems: table, JSON lines, JUnit, Nagios, Prometheus.

Each renderer is a plain function of the result and escapes what came from peers for its own format. The screen table is
structure only; the command line draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import msgspec
from prometheus_client import CollectorRegistry, Gauge, generate_latest, write_to_textfile

from ..errors import WriteError
from .metrics import METRICS, Unit
from .result import ProbeResult, figures, format_value
from .thresholds import Outcome, Reason

__all__ = [
    "TableRow",
    "junit",
    "live_line",
    "nagios",
    "prometheus",
    "reason_text",
    "table",
    "visible",
    "write_prometheus",
]


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the screen table."""

    group: str
    metric: str
    stream: str
    value: str
    outcome: str
    """`passed`, `failed` or empty."""
    what: str


def visible(text: str) -> str:
    """Return text with every character that is not printable written out, so that it commands nothing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def reason_text(reason: Reason) -> str:
    """Return one line that says how a threshold stands."""
    unit = METRICS[reason.metric].unit
    of = f" of {visible(reason.stream)}" if reason.stream else ""
    if reason.value is None:
        return f"{visible(reason.threshold)}: not measured{of}"
    when = "" if reason.at is None else f" in the window that ends at {reason.at:.0f} s"
    return f"{visible(reason.threshold)}: {format_value(reason.value, unit)}{of}{when}"


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


def live_line(time: float, metric: str, stream: str, value: float) -> str:
    """Return one sample as one line of JSON, for `--jsonl`; without line break."""
    return msgspec.json.encode({"time": round(time, 3), "metric": metric, "stream": stream, "value": value}).decode()


def _xml_safe(text: str) -> str:
    """Return text without the characters that XML 1.0 section 2.2 does not allow, which no escape can carry."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def junit(result: ProbeResult) -> str:
    """Return JUnit XML: a test case for each threshold and each step, grouped by metric."""
    name = _xml_safe(f"probe {result.kind} {result.target}")
    suite = ElementTree.Element("testsuite", name=name, timestamp=result.started, time=f"{result.duration_s:.3f}")
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
            ElementTree.SubElement(case, "failure", message=_xml_safe(step.detail)).text = _xml_safe(step.cure)
    for reason in result.verdict.reasons:
        case = ElementTree.SubElement(suite, "testcase", classname=f"probe.{reason.metric}")
        case.set("name", _xml_safe(reason.threshold))
        cases += 1
        if reason.is_failure:
            failures += 1
            ElementTree.SubElement(case, "failure", message=_xml_safe(reason_text(reason)))
        elif reason.outcome is Outcome.UNMEASURED:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message="not measured")
    if result.error:
        cases, errors = cases + 1, 1
        case = ElementTree.SubElement(suite, "testcase", classname="probe", name="run")
        ElementTree.SubElement(case, "error", message=_xml_safe(result.error))
    for key, count in (("tests", cases), ("failures", failures), ("errors", errors), ("skipped", skipped)):
        suite.set(key, str(count))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


_NAGIOS_UNITS: Final = {Unit.MILLISECONDS: "ms", Unit.SECONDS: "s", Unit.RATIO: "%"}


def _perfdata(result: ProbeResult) -> Iterator[str]:
    for figure in figures(result):
        unit = METRICS[figure.metric].unit
        label = f"{figure.metric} {figure.stream}".strip()
        label = visible(label).replace("'", "").replace("=", "_").replace("|", "/")
        value = 100 * figure.value if unit is Unit.RATIO else figure.value
        yield f"'{label}'={value:.6g}{_NAGIOS_UNITS.get(unit, '')}"


def nagios(result: ProbeResult) -> tuple[str, int]:
    """Return the line of a Nagios plugin with performance data, and its exit code.

    Nagios Plugin Development Guidelines: 0 OK, 2 CRITICAL (a step failed or a threshold was missed), 3 UNKNOWN (the run
    broke off, or something asked for was not measured). Thresholds have one level, so there is no WARNING.
    """
    failed = [step.name for step in result.steps if step.passed is False]
    missed = [reason for reason in result.verdict.failures if reason.outcome is Outcome.FAILED]
    if failed or missed:
        status, code = "CRITICAL", 2
        words = [f"{name} failed" for name in failed] + [reason_text(reason) for reason in missed]
    elif result.error or result.verdict.failures:
        status, code = "UNKNOWN", 3
        words = [result.error] if result.error else [reason_text(reason) for reason in result.verdict.failures]
    else:
        status, code = "OK", 0
        words = [
            f"{result.target} on {result.node}, {result.duration_s:.0f} s, {len(result.verdict.reasons)} thresholds"
        ]
    text = visible(", ".join(words)).replace("|", "/")
    return f"PEXRTC {status} - {text} | {' '.join(_perfdata(result))}".rstrip(" |") + "\n", code


def _registry(result: ProbeResult, ended: float) -> CollectorRegistry:
    registry = CollectorRegistry()
    run = {"target": result.target, "node": result.node, "kind": result.kind}

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pexrtc_probe_{name}", text, [*run, *labels], registry=registry)

    gauge("passed", "1 when the run passed").labels(**run).set(result.passed)
    gauge("duration_seconds", "Length of the run").labels(**run).set(result.duration_s)
    gauge("ended_timestamp_seconds", "When the run ended, Unix time").labels(**run).set(ended)
    missed = gauge("threshold_missed", "1 for each threshold that was missed or not measured", "threshold")
    for reason in result.verdict.reasons:
        missed.labels(**run, threshold=reason.threshold).set(reason.is_failure)
    gauges: dict[str, Gauge] = {}
    for figure in figures(result):
        if figure.metric not in gauges:
            metric = METRICS[figure.metric]
            text = f"{metric.what} [{metric.unit}, {metric.aggregate}]"
            gauges[figure.metric] = gauge(figure.metric.replace(".", "_"), text, "stream")
        gauges[figure.metric].labels(**run, stream=figure.stream).set(figure.value)
    return registry


def prometheus(result: ProbeResult, *, ended: float) -> str:
    """Return the result in Prometheus's text format.

    Args:
        result: the run.
        ended: when it ended, seconds since the Unix epoch.
    """
    return generate_latest(_registry(result, ended)).decode()


def write_prometheus(result: ProbeResult, path: Path, *, ended: float) -> None:
    """Write a file for the node exporter's textfile collector, in one go.

    Raises:
        WriteError: the file cannot be written.
    """
    try:
        write_to_textfile(str(path), _registry(result, ended))
    except OSError as exc:
        raise WriteError(f"{path}: {exc.strerror}") from exc
