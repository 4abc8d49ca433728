"""The one object a probe run becomes; every output is made from it and from nothing else.

It is JSON as it stands (`serialize_result` and `parse_result` are inverse), so that a stored run can be rendered,
judged and compared again later. Names in it come from peers and are untrusted: each renderer escapes for its format.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ..errors import UsageError
from .lateness import too_slow
from .metrics import METRICS, Metric, Unit, aggregated
from .scores import CallQuality
from .thresholds import Outcome, Series, Verdict

__all__ = [
    "SCHEMA",
    "Cause",
    "Figure",
    "Moment",
    "ProbeResult",
    "Step",
    "compared",
    "figures",
    "format_value",
    "parse_result",
    "serialize_result",
    "shown_node",
]

SCHEMA: Final = "pexrtc.probe/1"


_QUALITIES: Final = [quality.value for quality in CallQuality if quality is not CallQuality.UNKNOWN]


class Cause(StrEnum):
    """What kept a run from ending well; a monitoring system or an exit code tells by it whom to wake."""

    NONE = ""
    """Nothing did, or nobody knows."""
    REFUSED = "refused"
    """The node would not have us: PIN, alias, lock."""
    UNREACHABLE = "unreachable"
    """No network, no node, no media."""
    REMOVED = "removed"
    """It had begun, and the far side or the network ended it."""
    FAILED = "failed"
    """Something failed on our side."""
    STOPPED = "stopped"
    """Somebody asked for the end before anything was measured."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at a moment of the run."""

    time: float
    """Seconds since the run began."""
    what: str
    """In some words, "freeze of 1.2 s" for example."""
    stream: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of getting in, as `doctor` walks them."""

    name: str
    """"DNS", "TLS", "ICE" and so on."""
    passed: bool | None
    """None when it was not reached."""
    milliseconds: float | None = None
    """How long it took."""
    detail: str = ""
    """What was found: addresses, protocol, pair type."""
    cure: str = ""
    """What to do when it failed."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one run."""

    kind: Literal["single", "pair", "join"]
    target: str
    """Alias of the conference."""
    node: str
    """Base URL of the conferencing node."""
    started: str
    """UTC, ISO 8601."""
    duration_s: float
    version: str
    """Of pexrtc_py."""
    series: tuple[Series, ...] = ()
    moments: tuple[Moment, ...] = ()
    steps: tuple[Step, ...] = ()
    verdict: Verdict = Verdict(reasons=())
    assumptions: tuple[str, ...] = ()
    """What the figures rest on and nobody measured."""
    error: str = ""
    """Why the run ended early or could not begin, one line; empty when neither."""
    cause: Cause = Cause.NONE
    """What kind of error that is, or what kind of step failed."""
    schema: str = SCHEMA

    @property
    def passed(self) -> bool:
        """Whether the run ended well, no step failed and no threshold was missed."""
        return not self.error and self.verdict.passed and all(step.passed is not False for step in self.steps)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why the figures may be our own machine's and not the conference's; empty when they can be trusted."""
        return too_slow(self.series)

    @property
    def is_inconclusive(self) -> bool:
        """Whether a failed verdict says nothing, because the machine was too slow to measure."""
        return not self.verdict.passed and bool(self.caveats)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one stream as one number."""

    metric: str
    stream: str
    value: float
    aggregate: str
    outcome: Outcome | None
    """Of the thresholds on this metric and stream; None when there is none."""

    @property
    def text(self) -> str:
        """The value with its unit, or in Pexip's words."""
        if self.metric.endswith("call_quality"):
            return _QUALITIES[min(len(_QUALITIES) - 1, max(0, round(self.value)))]
        return format_value(self.value, METRICS[self.metric].unit)


def figures(result: ProbeResult) -> Iterator[Figure]:
    """Yield one figure for each series, in the order of the registry; metrics it does not know are passed over."""
    order = {name: index for index, name in enumerate(METRICS)}
    known = [series for series in result.series if series.metric in order]
    for series in sorted(known, key=lambda series: (order[series.metric], series.stream)):
        values = [value for value in series.values if math.isfinite(value)]
        if values:
            metric = METRICS[series.metric]
            yield Figure(
                metric=series.metric,
                stream=series.stream,
                value=aggregated(values, metric.aggregate),
                aggregate=metric.aggregate,
                outcome=_outcome(result.verdict, metric, series.stream),
            )


def _outcome(verdict: Verdict, metric: Metric, stream: str) -> Outcome | None:
    outcomes = {
        reason.outcome
        for reason in verdict.reasons
        if reason.metric == metric.name
        and (
            reason.stream == stream
            or (reason.outcome is Outcome.PASSED and f"[{reason.stream}]" not in reason.threshold)
        )
    }
    return next((outcome for outcome in (Outcome.FAILED, Outcome.PASSED) if outcome in outcomes), None)


def format_value(value: float, unit: Unit) -> str:
    """Return a figure with its unit, in as many digits as make sense."""
    match unit:
        case Unit.RATIO:
            return f"{100 * value:.3g} %"
        case Unit.BITS_PER_SECOND:
            return f"{value / 1e6:.3g} Mb/s" if value >= 1e6 else f"{value / 1e3:.3g} kb/s"
        case Unit.COUNT:
            return f"{value:.0f}" if value == round(value) else f"{value:.2f}"
        case Unit.SCORE:
            return f"{value:.3g}"
        case Unit.MILLISECONDS | Unit.PIXELS | Unit.DAYS:
            return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
        case _:
            return f"{value:.4g} {unit}"


def shown_node(url: str) -> str:
    """Return a node's URL as it may be shown: without the user and the password that it was given with."""
    try:
        parts = urlsplit(url)
    except ValueError:  # none that could hold a password where one is looked for
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def serialize_result(result: ProbeResult) -> bytes:
    """Return the result as one line of JSON."""
    return msgspec.json.encode(result)


def parse_result(data: bytes, *, name: str = "result") -> ProbeResult:
    """Read a result that was stored; fields that a later version added are ignored.

    Raises:
        UsageError: it is none; the message names the file and the place.
    """
    try:
        result = msgspec.json.decode(data, type=ProbeResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"{name} is no probe result: {exc}") from None
    if not result.schema.startswith(SCHEMA.partition("/")[0]):
        raise UsageError(f"{name} is no probe result: schema {result.schema!r}")
    if any(len(series.times) != len(series.values) for series in result.series):
        raise UsageError(f"{name} is no probe result: a series has more times than values or fewer")
    return result


def compared(one: Sequence[Figure], two: Sequence[Figure]) -> list[tuple[str, str, Figure | None, Figure | None]]:
    """Return (metric, stream, figure of the first run, of the second), in the order of the registry."""
    first, second = ({(f.metric, f.stream): f for f in run} for run in (one, two))
    order = {name: index for index, name in enumerate(METRICS)}
    keys = sorted({*first, *second}, key=lambda key: (order[key[0]], key[1]))
    return [(*key, first.get(key), second.get(key)) for key in keys]
