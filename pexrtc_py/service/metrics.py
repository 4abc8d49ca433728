"""What jobs are worth telling Prometheus: a page of metrics made from how things stand now, and a textfile of it.

Nothing is counted here. A scrape asks for samples and makes a page of them, so a job that is gone leaves no series
behind. Names of jobs, aliases and streams come from files and from strangers: whatever is not printable is escaped, and
they are cut, so that no name makes a line of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from ..errors import WriteError
from ..protocol.escaping import visible
from ..version import __version__

__all__ = ["CONTENT_TYPE", "Figure", "JobSample", "MachineSample", "metrics_page", "safe_label", "write_textfile"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
STATES: Final = ("waiting", "starting", "running", "stopping", "retrying", "refused", "held")
_LABELS: Final = ("job", "kind", "alias")
_LABEL_LENGTH: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a probe's latest run."""

    metric: str
    """Name in the probe's registry, `video.delay_ms` for example."""
    stream: str
    aggregate: str
    """How a series became one number, `mean` for example."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSample:
    """One job as it stands."""

    job: str
    """Its id."""
    kind: str
    """`record`, `announce` or `probe`."""
    alias: str
    state: str
    """One of `STATES`."""
    runs: int = 0
    failures: int = 0
    refusals: int = 0
    media_seconds: float = 0.0
    """Of the run so far."""
    bytes: int = 0
    """On disk, of the run so far."""
    last: Mapping[str, float] = field(default_factory=dict)
    """Figures of the latest run that is over: `duration_s`, `bytes`, `packets`, `gaps`, `lost_packets`, `dropped`."""
    passed: bool | None = None
    """Of a probe: whether the latest run missed nothing."""
    figures: tuple[Figure, ...] = ()
    """Of a probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSample:
    """The machine and what serves the jobs."""

    cpu_ratio: float | None = None
    memory_free_bytes: int | None = None
    workers: tuple[tuple[str, float, int, int], ...] = ()
    """Of each worker: name, processor seconds, bytes held, restarts."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Totals since the start, such as `uploads`, `upload_failures`, `webhooks_delivered`."""


def safe_label(text: str) -> str:
    """Return a label's value that is one line of printable text, at most 128 characters long.

    >>> safe_label("Eve" + chr(10) + "up 1")
    'Eve\\\\nup 1'
    """
    return visible(text[:_LABEL_LENGTH])[:_LABEL_LENGTH]


def metrics_page(jobs: Sequence[JobSample], machine: MachineSample) -> bytes:
    """Return the page in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(lambda: _families(jobs, machine)))
    return generate_latest(registry)


def write_textfile(path: Path, jobs: Sequence[JobSample], machine: MachineSample) -> None:
    """Write the page for node_exporter's textfile collector; the file is whole at any moment. Blocks.

    Raises:
        WriteError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")  # the collector reads only *.prom
    try:
        draft.write_bytes(metrics_page(jobs, machine))
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc


class _Snapshot(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


_GAUGES: Final[Mapping[str, tuple[str, Callable[[JobSample], float]]]] = {
    "pexrtc_job_media_seconds": ("Seconds of media in the run so far", lambda one: one.media_seconds),
    "pexrtc_job_size_bytes": ("Bytes on disk in the run so far", lambda one: one.bytes),
}
_COUNTERS: Final[Mapping[str, tuple[str, Callable[[JobSample], float]]]] = {
    "pexrtc_job_runs": ("Runs started", lambda one: one.runs),
    "pexrtc_job_failures": ("Runs that failed or were lost", lambda one: one.failures),
    "pexrtc_job_refusals": ("Times there was no room for a run", lambda one: one.refusals),
}


def _families(jobs: Sequence[JobSample], machine: MachineSample) -> Iterator[Metric]:
    info = InfoMetricFamily("pexrtc", "This program")
    info.add_metric((), {"version": __version__})
    yield info
    yield from _of_jobs(jobs)
    yield from _of_probes(jobs)
    yield from _of_machine(machine)


def _of_jobs(jobs: Sequence[JobSample]) -> Iterator[Metric]:
    states = GaugeMetricFamily("pexrtc_job_state", "1 for the state a job is in", labels=(*_LABELS, "state"))
    for one in jobs:
        for state in STATES:
            states.add_metric((*_labels(one), state), float(one.state == state))
    yield states
    for name, (words, value) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, words, labels=_LABELS)
        for one in jobs:
            gauge.add_metric(_labels(one), value(one))
        yield gauge
    for name, (words, value) in _COUNTERS.items():
        counter = CounterMetricFamily(name, words, labels=_LABELS)
        for one in jobs:
            counter.add_metric(_labels(one), value(one))
        yield counter
    last = GaugeMetricFamily(
        "pexrtc_job_last_run", "Figures of the latest run that is over", labels=(*_LABELS, "figure")
    )
    for one in jobs:
        for figure, number in one.last.items():
            last.add_metric((*_labels(one), safe_label(figure)), number)
    yield last


def _of_probes(jobs: Sequence[JobSample]) -> Iterator[Metric]:
    passed = GaugeMetricFamily("pexrtc_probe_passed", "Whether the latest run missed no threshold", labels=_LABELS)
    figures = GaugeMetricFamily(
        "pexrtc_probe_figure",
        "What the latest run measured, in the unit its name ends with; see docs/metrics.md",
        labels=(*_LABELS, "metric", "stream", "aggregate"),
    )
    for one in jobs:
        if one.passed is not None:
            passed.add_metric(_labels(one), float(one.passed))
        for figure in one.figures:
            labels = (safe_label(figure.metric), safe_label(figure.stream), safe_label(figure.aggregate))
            figures.add_metric((*_labels(one), *labels), figure.value)
    yield passed
    yield figures


def _of_machine(machine: MachineSample) -> Iterator[Metric]:
    if machine.cpu_ratio is not None:
        yield GaugeMetricFamily("pexrtc_cpu_ratio", "Share of all cores in use", machine.cpu_ratio)
    if machine.memory_free_bytes is not None:
        yield GaugeMetricFamily("pexrtc_memory_free_bytes", "Memory that can be had", machine.memory_free_bytes)
    cpu = CounterMetricFamily("pexrtc_worker_cpu_seconds", "Processor time of a worker", labels=("worker",))
    held = GaugeMetricFamily("pexrtc_worker_resident_bytes", "Memory of a worker", labels=("worker",))
    restarts = CounterMetricFamily("pexrtc_worker_restarts", "Times a worker died", labels=("worker",))
    for name, cpu_s, rss_bytes, died in machine.workers:
        cpu.add_metric((safe_label(name),), cpu_s)
        held.add_metric((safe_label(name),), rss_bytes)
        restarts.add_metric((safe_label(name),), died)
    yield from (cpu, held, restarts)
    for counter, total in machine.counters.items():
        yield CounterMetricFamily(f"pexrtc_{counter}", f"{counter.replace('_', ' ')} since the start", total)


def _labels(one: JobSample) -> tuple[str, str, str]:
    return safe_label(one.job), safe_label(one.kind), safe_label(one.alias)
