"""Collecting what is measured into the series of a result."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from .metrics import METRICS
from .thresholds import Series

__all__ = ["OnSample", "SeriesBook"]

OnSample = Callable[[float, str, str, float], None]
"""Takes a sample as it is measured: time, metric, stream, value."""


class SeriesBook:
    """Keeps the samples of one stream of a run, by metric, in order of time."""

    def __init__(self, stream: str = "", *, on_sample: OnSample | None = None) -> None:
        """Begin a book.

        Args:
            stream: its name in the result.
            on_sample: called with (time, metric, stream, value) for each sample, in whatever thread it was taken.
        """
        self.stream = stream
        self._on_sample = on_sample
        self._samples: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._parts: dict[str, SeriesBook] = {}

    def part(self, stream: str) -> SeriesBook:
        """Return the book of another stream, whose series come out with these."""
        return self._parts.setdefault(stream, SeriesBook(stream, on_sample=self._on_sample))

    def add(self, metric: str, time: float, value: float) -> None:
        """Take a sample; what is not finite is no measurement and is dropped.

        Args:
            metric: a name of the registry.
            time: seconds since the run began.
            value: in the metric's unit.
        """
        if metric not in METRICS:
            raise AssertionError(f"{metric} is not in the registry")
        if math.isfinite(value):
            self._samples[metric].append((time, value))
            if self._on_sample is not None:
                self._on_sample(time, metric, self.stream, value)

    def values(self, metric: str) -> list[float]:
        """Return the values of a metric so far."""
        return [value for _, value in self._samples.get(metric, ())]

    def series(self) -> tuple[Series, ...]:
        """Return all series, each in order of time, rounded to what is meant."""
        own = tuple(
            Series(
                metric=metric,
                stream=self.stream,
                times=tuple(round(time, 3) for time, _ in sorted(samples)),
                values=tuple(float(f"{value:.6g}") for _, value in sorted(samples)),
            )
            for metric, samples in self._samples.items()
        )
        return own + tuple(series for part in self._parts.values() for series in part.series())
