"""Collecting what is measured into the series of a result."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable

from .metrics import METRICS
from .thresholds import Series

__all__ = ["OnSample", "SeriesBook"]

OnSample = Callable[[float, str, str, float], None]
"""Takes a sample as it is measured: time, metric, stream, value."""


class _Samples:
    """Of one metric: numbers and not objects, for a run of a day has ten million of them."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times, self.values = array("d"), array("d")


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
        self._samples: defaultdict[str, _Samples] = defaultdict(_Samples)
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
            samples = self._samples[metric]
            samples.times.append(time)
            samples.values.append(value)
            if self._on_sample is not None:
                self._on_sample(time, metric, self.stream, value)

    def values(self, metric: str) -> list[float]:
        """Return the values of a metric so far."""
        return self.latest(metric, 0)

    def latest(self, metric: str, count: int) -> list[float]:
        """Return the last values of a metric so far, all for 0."""
        samples = self._samples.get(metric)
        return [] if samples is None else samples.values[-count:].tolist()

    def series(self) -> tuple[Series, ...]:
        """Return all series, each in order of time, rounded to what is meant."""
        own = tuple(
            Series(
                metric=metric,
                stream=self.stream,
                times=tuple(round(time, 3) for time, _ in ordered),
                values=tuple(float(f"{value:.6g}") for _, value in ordered),
            )
            for metric, samples in self._samples.items()
            for ordered in (sorted(zip(samples.times, samples.values, strict=True)),)
        )
        return own + tuple(series for part in self._parts.values() for series in part.series())
