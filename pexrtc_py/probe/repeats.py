"""What many runs have in common: how many passed, since when not, and how long each phase of joining took.

Pure: results go in, with the time they ended. What is kept of each conference is bounded, however long it goes on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from .metrics import METRICS, Unit
from .result import ProbeResult
from .scores import percentile

__all__ = ["Key", "Latest", "Phase", "Repeats", "RunLine", "Summary"]

_KEPT: Final = 1000
"""Runs over which phases are taken: three and a half days of one every five minutes."""
SUMMARY_SCHEMA: Final = "pexrtc.probe.summary/1"

Key = tuple[str, str, str]
"""Target, node and kind of a run."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of joining over many runs."""

    metric: str
    """Its name in the registry, `setup.dtls_ms` for example."""
    runs: int
    """In how many it was measured."""
    p50: float
    """Milliseconds."""
    p95: float
    """Milliseconds."""


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One conference over many runs."""

    target: str
    node: str
    kind: str
    passed: int
    failed: int
    in_a_row: int
    """Failed since the last that passed."""
    phases: tuple[Phase, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of a process; the last line of `--json`."""

    runs: int
    failed: int
    targets: tuple[RunLine, ...]
    schema: str = SUMMARY_SCHEMA


@dataclass(slots=True, kw_only=True)
class Latest:
    """One conference as it stands."""

    result: ProbeResult
    """Of the latest run."""
    ended: float
    """When that ended, Unix time."""
    passed: int = 0
    failed: int = 0
    in_a_row: int = 0


@dataclass(slots=True)
class Repeats:
    """Counts runs; `add` takes each."""

    latest: dict[Key, Latest] = field(default_factory=dict)
    _phases: dict[Key, defaultdict[str, deque[float]]] = field(default_factory=dict)

    def add(self, result: ProbeResult, ended: float) -> bool:
        """Take a run that ended at a Unix time; return whether it turned out other than the one before of its kind."""
        key = (result.target, result.node, result.kind)
        before = self.latest.get(key)
        changed = before is not None and before.result.passed != result.passed
        now = before or Latest(result=result, ended=ended)
        now.result, now.ended = result, ended
        now.passed += result.passed
        now.failed += not result.passed
        now.in_a_row = 0 if result.passed else now.in_a_row + 1
        self.latest[key] = now
        phases = self._phases.setdefault(key, defaultdict(lambda: deque(maxlen=_KEPT)))
        for metric, value in _phases_of(result).items():
            phases[metric].append(value)
        return changed

    def phases(self, key: Key) -> list[Phase]:
        """Return the phases of joining, in the order of the registry."""
        found: Mapping[str, Sequence[float]] = {name: list(kept) for name, kept in self._phases.get(key, {}).items()}
        return [
            Phase(
                metric=name,
                runs=len(found[name]),
                p50=round(percentile(found[name], 50), 1),
                p95=round(percentile(found[name], 95), 1),
            )
            for name in METRICS
            if name in found
        ]

    def summary(self) -> Summary:
        """Return all that was counted."""
        lines = tuple(
            RunLine(
                target=key[0],
                node=key[1],
                kind=key[2],
                passed=one.passed,
                failed=one.failed,
                in_a_row=one.in_a_row,
                phases=tuple(self.phases(key)),
            )
            for key, one in self.latest.items()
        )
        return Summary(
            runs=sum(line.passed + line.failed for line in lines),
            failed=sum(line.failed for line in lines),
            targets=lines,
        )


def _phases_of(result: ProbeResult) -> dict[str, float]:
    """Return how long each phase took; of two ends the slower."""
    found: dict[str, float] = {}
    for series in result.series:
        metric = METRICS.get(series.metric)
        if metric is not None and metric.group == "setup" and metric.unit is Unit.MILLISECONDS and series.values:
            found[metric.name] = max(found.get(metric.name, 0.0), max(series.values))
    return found
