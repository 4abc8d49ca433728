"""Thresholds as text, and the verdict they lead to.

    [AGGREGATE "("] METRIC ["[" STREAM "]"] [")"] OP VALUE[UNIT] ["over" TIME] ["after" TIME]

    video.freeze_ratio > 1%
    p95(video.delay_ms) > 0.3s over 10s after 5s
    audio.loudness_lufs[Bob] < -40

A threshold says when to fail. `over` looks at every stretch of that length instead of the whole run; `after` passes
over the beginning. Without a stream all streams are looked at, and the worst decides. A figure in another unit of the
same kind is converted, one of another kind is an error.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

import msgspec

from ..errors import UsageError
from .metrics import Metric, Unit, aggregated, is_aggregate, metric_named

__all__ = ["PROFILES", "Outcome", "Reason", "Series", "Threshold", "Verdict", "judge", "profile", "worst_window"]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one stream over time."""

    metric: str
    """Name in the registry."""
    stream: str = ""
    """Whose or which, "Bob" or "presentation" for example; empty when there is only one."""
    times: tuple[float, ...]
    """Seconds since the run began."""
    values: tuple[float, ...]
    """In the metric's unit."""


class Outcome(StrEnum):
    """What became of one threshold."""

    PASSED = "passed"
    FAILED = "failed"
    UNMEASURED = "unmeasured"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold, and how the measurement stands to it."""

    threshold: str
    """As it was given."""
    metric: str
    outcome: Outcome
    stream: str = ""
    """The stream that decided."""
    value: float | None = None
    """The figure that decided, in the metric's unit; None when it was not measured."""
    limit: float
    """The bound, in the metric's unit."""
    required: bool = True
    """Whether it counts as failed when it was not measured."""
    at: float | None = None
    """Seconds since the run began at which the deciding window ends; None when it is the whole run."""

    @property
    def is_failure(self) -> bool:
        """Whether this alone fails the run."""
        return self.outcome is Outcome.FAILED or (self.outcome is Outcome.UNMEASURED and self.required)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run is good, and why."""

    reasons: tuple[Reason, ...]
    """Every threshold, in the order given."""

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not any(reason.is_failure for reason in self.reasons)

    @property
    def failures(self) -> tuple[Reason, ...]:
        """What failed."""
        return tuple(reason for reason in self.reasons if reason.is_failure)


_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SYNTAX: Final = re.compile(
    r"""\s* (?: (?P<aggregate>[a-z][a-z0-9.]*) \s* \( \s* )?
        (?P<metric>[a-z][a-z0-9_.]*) \s* (?: \[ (?P<stream>[^\]]*) \] )? \s* (?P<close>\))?
        \s* (?P<op>>=|<=|>|<) \s* (?P<value>[-+]?[0-9]*\.?[0-9]+(?:e[-+]?[0-9]+)?) \s* (?P<unit>%|[a-zA-Z/]+)?
        (?: \s+ over \s+ (?P<over>[0-9.]+[a-z]*) )? (?: \s+ after \s+ (?P<after>[0-9.]+[a-z]*) )? \s*""",
    re.VERBOSE,
)
_UNITS: Final[Mapping[Unit, Mapping[str, float]]] = {
    Unit.MILLISECONDS: {"ms": 1, "s": 1000, "us": 0.001},
    Unit.SECONDS: {"s": 1, "ms": 0.001, "m": 60},
    Unit.RATIO: {"%": 0.01, "ratio": 1},
    Unit.BITS_PER_SECOND: {"b/s": 1, "bps": 1, "kbps": 1e3, "kb/s": 1e3, "Mbps": 1e6, "Mb/s": 1e6},
    Unit.DECIBELS: {"dB": 1},
    Unit.DBFS: {"dBFS": 1, "dB": 1},
    Unit.LUFS: {"LUFS": 1, "LU": 1},
    Unit.FPS: {"fps": 1},
    Unit.PIXELS: {"px": 1},
    Unit.PPM: {"ppm": 1},
    Unit.DAYS: {"days": 1, "d": 1},
    Unit.COUNT: {},
    Unit.SCORE: {},
}
_TIME: Final = re.compile(r"([0-9]*\.?[0-9]+)(ms|s|m|h)?")
_TIME_UNITS: Final = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """When to fail."""

    text: str
    """As it was given."""
    metric: Metric
    aggregate: str
    comparison: str
    """One of > >= < <=."""
    limit: float
    """In the metric's unit."""
    stream: str | None = None
    """None means every stream."""
    over_s: float | None = None
    """Length of the windows looked at; None means the whole run."""
    after_s: float = 0.0
    """What comes before is passed over."""
    required: bool = True
    """Whether not having been measured is a failure."""

    @classmethod
    def parse(cls, text: str, *, required: bool = True) -> Self:
        """Read a threshold from text.

        Raises:
            UsageError: the text is none; the message names the part that is wrong and the value.
        """
        match = _SYNTAX.fullmatch(text)
        if match is None:
            raise UsageError(f"threshold {text!r} is not METRIC > VALUE, for example 'video.freeze_ratio > 1%'")
        aggregate = match["aggregate"]
        if (aggregate is None) != (match["close"] is None):
            raise UsageError(f"threshold {text!r}: brackets do not match")
        if aggregate is not None and not is_aggregate(aggregate):
            raise UsageError(f"threshold {text!r}: no figure {aggregate!r}, only mean, sum, min, max, last, p0 to p100")
        try:
            metric = metric_named(match["metric"])
        except UsageError as exc:
            raise UsageError(f"threshold {text!r}: {exc}") from None
        return cls(
            text=text.strip(),
            metric=metric,
            aggregate=aggregate or metric.aggregate,
            comparison=match["op"],
            limit=_limit(text, metric, match["value"], match["unit"]),
            stream=match["stream"],
            over_s=None if match["over"] is None else _seconds(text, "over", match["over"]),
            after_s=0.0 if match["after"] is None else _seconds(text, "after", match["after"]),
            required=required,
        )

    def judge(self, series: Iterable[Series]) -> Reason:
        """Return how measured series stand to this threshold; series of other metrics are passed over."""
        worst: tuple[float, str, float | None] | None = None
        higher_is_worse = self.comparison in (">", ">=")
        for one in series:
            if one.metric != self.metric.name or self.stream not in (None, one.stream):
                continue
            found = worst_window(one, self.aggregate, self.over_s, self.after_s, higher_is_worse=higher_is_worse)
            if found is None:
                continue
            value, at = found
            if worst is None or (value > worst[0] if higher_is_worse else value < worst[0]):
                worst = (value, one.stream, at)
        if worst is None:
            return self._reason(Outcome.UNMEASURED, self.stream or "", None, None)
        failed = _OPERATORS[self.comparison](worst[0], self.limit)
        return self._reason(Outcome.FAILED if failed else Outcome.PASSED, worst[1], worst[0], worst[2])

    def _reason(self, outcome: Outcome, stream: str, value: float | None, at: float | None) -> Reason:
        return Reason(
            threshold=self.text,
            metric=self.metric.name,
            outcome=outcome,
            stream=stream,
            value=value,
            limit=self.limit,
            required=self.required,
            at=at,
        )


def _limit(text: str, metric: Metric, value: str, unit: str | None) -> float:
    limit = float(value) * _factor(text, metric, unit)
    if not math.isfinite(limit):
        raise UsageError(f"threshold {text!r}: {value} is no number that anything could be compared with")
    if metric.unit is Unit.RATIO and unit is None and abs(limit) > 1:
        # Nothing would ever be more than that, and it would pass for ever.
        raise UsageError(f"threshold {text!r}: {value} is {100 * limit:g} %; say {value}%, or {value}ratio if meant so")
    return limit


def _factor(text: str, metric: Metric, unit: str | None) -> float:
    if unit is None:
        return 1.0
    factors = _UNITS[metric.unit]
    if unit not in factors:
        allowed = ", ".join(factors) or "none"
        raise UsageError(f"threshold {text!r}: unit {unit!r} does not fit {metric.name} (in {metric.unit}); {allowed}")
    return factors[unit]


def _seconds(text: str, what: str, value: str) -> float:
    match = _TIME.fullmatch(value)
    seconds = float(match[1]) * _TIME_UNITS[match[2]] if match else 0.0
    if match is None or not math.isfinite(seconds) or (what == "over" and seconds <= 0):
        raise UsageError(f"threshold {text!r}: {what} {value!r} is no time, for example 500ms, 10s, 5m")
    return seconds


def worst_window(
    series: Series, aggregate: str, over_s: float | None, after_s: float, *, higher_is_worse: bool
) -> tuple[float, float | None] | None:
    """Return the worst figure of all windows and when that window ended (None for the whole run).

    A run shorter than the window is one window. None when there are no finite samples after the grace time.
    """
    samples = [
        (time, value)
        for time, value in zip(series.times, series.values, strict=True)
        if time >= after_s and math.isfinite(value)
    ]
    if not samples:
        return None
    if over_s is None:
        return aggregated([value for _, value in samples], aggregate), None
    worst: tuple[float, float] | None = None
    first, begin = samples[0][0], 0
    # A sample stands for the time until the next, so that twenty samples a second apart fill 20 s.
    spacing = (samples[-1][0] - first) / (len(samples) - 1) if len(samples) > 1 else 0.0
    for end, (time, _) in enumerate(samples):
        while samples[begin][0] <= time - over_s:
            begin += 1
        if begin == 0 and time - first + spacing < over_s * (1 - 1e-9) and end + 1 < len(samples):
            continue
        value = aggregated([value for _, value in samples[begin : end + 1]], aggregate)
        if worst is None or (value > worst[0] if higher_is_worse else value < worst[0]):
            worst = (value, time)
    return worst


def judge(thresholds: Sequence[Threshold], series: Sequence[Series]) -> Verdict:
    """Return the verdict of thresholds on what was measured."""
    return Verdict(reasons=tuple(threshold.judge(series) for threshold in thresholds))


PROFILES: Final[Mapping[str, tuple[str, ...]]] = {
    # A conversation that people would not complain about.
    "default": (
        "audio.loss_ratio > 3% over 20s",
        "video.loss_ratio > 3% over 20s",
        "audio.mos < 3.6 after 5s",
        "audio.chirps_lost > 2 over 20s after 5s",
        "audio.concealed_ratio > 3% after 5s",
        "audio.clipped_ratio > 0.1%",
        "video.freeze_ratio > 2% after 5s",
        "video.longest_freeze_ms > 1s after 5s",
        "video.black_ratio > 5% after 5s",
        "p95(video.delay_ms) > 400ms after 5s",
        "p95(audio.delay_ms) > 400ms after 5s",
        "p95(av.skew_ms) > 90ms after 5s",
        "p5(av.skew_ms) < -185ms after 5s",
        "setup.first_sound_ms > 5s",
        "setup.first_picture_ms > 5s",
        "setup.tls_expiry_days < 14",
    ),
    # What a well-kept network of one's own should give.
    "strict": (
        "audio.loss_ratio > 1% over 20s",
        "video.loss_ratio > 1% over 20s",
        "audio.mos < 4.2 after 5s",
        "audio.chirps_lost > 1 over 20s after 5s",
        "audio.concealed_ratio > 1% after 5s",
        "audio.clipped_ratio > 0",
        "video.freeze_ratio > 0.5% after 5s",
        "video.longest_freeze_ms > 500ms after 5s",
        "video.black_ratio > 0 after 5s",
        "video.fps < 24 after 5s",
        "p95(video.delay_ms) > 200ms after 5s",
        "p95(audio.delay_ms) > 200ms after 5s",
        "p95(av.skew_ms) > 45ms after 5s",
        "p5(av.skew_ms) < -125ms after 5s",
        "setup.first_sound_ms > 2s",
        "setup.first_picture_ms > 2s",
        "setup.tls_expiry_days < 30",
    ),
    # Is it there at all, and does it stay.
    "reachability": (
        "setup.first_sound_ms > 10s",
        "setup.first_picture_ms > 10s",
        "setup.ice_ms > 5s",
        "audio.chirps_lost > 5 over 20s",
        "audio.loss_ratio > 50% over 20s",
        "video.loss_ratio > 50% over 20s",
        "video.longest_freeze_ms > 5s",
        "setup.tls_expiry_days < 7",
    ),
}
"""Named sets of thresholds; skew bounds are those of ITU-R BT.1359-1, loss bounds Pexip's, the rest is ours."""


def profile(name: str) -> tuple[Threshold, ...]:
    """Return the thresholds of a profile; what a run does not measure is passed over.

    Raises:
        UsageError: there is no such profile.
    """
    if name not in PROFILES:
        raise UsageError(f"no profile {name!r}, only {', '.join(PROFILES)}")
    return tuple(Threshold.parse(text, required=False) for text in PROFILES[name])
