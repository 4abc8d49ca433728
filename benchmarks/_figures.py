"""How the tables of benchmarks give figures of several rounds, and how their options are read."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["median_of", "ratio_of", "whole_numbers"]


def median_of(values: Sequence[float], *, digits: int = 2) -> str:
    """Return the median, with the least and the most where there are several."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):.2f} to {max(values):.2f})"


def ratio_of(ours: Sequence[float], its: Sequence[float]) -> str:
    """Return the median of the ratios of rounds that ran one after the other, since the machine may be shared."""
    return median_of([mine / other for mine, other in zip(ours, its, strict=False)], digits=3)


def whole_numbers(text: str) -> list[int]:
    """Read numbers parted by commas, for argparse."""
    return [int(item) for item in text.split(",")]
