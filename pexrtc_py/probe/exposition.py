"""Results in Prometheus's text format: a file for the textfile collector, and the live page of a monitor.

Gauges are of the latest run of each conference and node; counters and quantiles are of all runs of this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from ..errors import WriteError
from ..service.metrics import safe_label
from .metrics import METRICS
from .repeats import Latest, Repeats
from .result import ProbeResult, figures

__all__ = ["monitor_page", "prometheus", "write_prometheus"]

_RUN: Final = ("target", "node", "kind")


class _Page:
    """One page, made once and thrown away."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def set(self, name: str, text: str, labels: dict[str, str], value: float) -> None:
        """Set one gauge."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"pexrtc_probe_{name}", text, list(labels), registry=self._registry)
        self._gauges[name].labels(**{key: safe_label(label) for key, label in labels.items()}).set(value)

    def result(self, result: ProbeResult, ended: float) -> None:
        """Set all gauges of a run."""
        run = {"target": result.target, "node": result.node, "kind": result.kind}
        self.set("passed", "1 when the run passed", run, result.passed)
        self.set("duration_seconds", "Length of the run", run, result.duration_s)
        self.set("ended_timestamp_seconds", "When the run ended, Unix time", run, ended)
        for reason in result.verdict.reasons:
            self.set(
                "threshold_missed",
                "1 for each threshold that was missed or not measured",
                {**run, "threshold": reason.threshold},
                reason.is_failure,
            )
        for step in result.steps:
            if step.passed is not None:
                self.set("step_passed", "1 for each step that went well", {**run, "step": step.name}, step.passed)
        for figure in figures(result):
            metric = METRICS[figure.metric]
            text = f"{metric.what} [{metric.unit}, {metric.aggregate}]"
            self.set(figure.metric.replace(".", "_"), text, {**run, "stream": figure.stream}, figure.value)

    def repeats(self, repeats: Repeats) -> None:
        """Set what is of all runs."""
        runs = Counter("pexrtc_probe_runs", "Runs that ended", [*_RUN, "outcome"], registry=self._registry)
        for key, latest in repeats.latest.items():
            run = dict(zip(_RUN, key, strict=True))
            safe = {name: safe_label(value) for name, value in run.items()}
            runs.labels(**safe, outcome="passed").inc(latest.passed)
            runs.labels(**safe, outcome="failed").inc(latest.failed)
            self.set("failures_in_a_row", "Runs that failed since the last that passed", run, latest.in_a_row)
            for phase in repeats.phases(key):
                for quantile, value in (("0.5", phase.p50), ("0.95", phase.p95)):
                    self.set(
                        "phase_milliseconds",
                        "Phases of joining over the latest runs of this process",
                        {**run, "phase": phase.metric, "quantile": quantile},
                        value,
                    )

    def text(self) -> bytes:
        """Return the page."""
        return generate_latest(self._registry)


def prometheus(*results: ProbeResult, ended: float) -> str:
    """Return runs in Prometheus's text format.

    Args:
        results: the runs.
        ended: when they ended, seconds since the Unix epoch.
    """
    return _page_of([Latest(result=result, ended=ended) for result in results]).text().decode()


def monitor_page(repeats: Repeats) -> bytes:
    """Return the live page of a monitor."""
    page = _page_of(repeats.latest.values())
    page.repeats(repeats)
    return page.text()


def _page_of(latest: Iterable[Latest]) -> _Page:
    page = _Page()
    for one in latest:
        page.result(one.result, one.ended)
    return page


def write_prometheus(content: bytes, path: Path) -> None:
    """Write a page for the node exporter's textfile collector; the file is whole at any moment. Blocks.

    Raises:
        WriteError: the file cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")  # the collector reads only *.prom
    try:
        draft.write_bytes(content)
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise WriteError(f"{path}: {exc.strerror}") from exc
