"""Rows of `make bench truth`: what was put in, what was measured, and whether the machine let it be measured at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console
from rich.table import Table

__all__ = ["EXACT", "Row", "State", "show"]

EXACT = 1e-9
"""The bound of what is counted."""


class State(StrEnum):
    """How a row stands."""

    HELD = ""
    MISSED = "MISSED"
    TOO_SLOW = "too slow"
    """The machine was late by itself, each time it was tried: nothing is said of the probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One injected value and what was measured of it."""

    what: str
    injected: float
    measured: float
    unit: str
    bound: float
    """Largest error that is no miss."""
    too_slow: bool = False
    """Whether the machine was too slow for the figure to be the probe's."""

    @property
    def state(self) -> State:
        """Whether the error is within the bound; of a machine too slow neither is said."""
        if self.too_slow:
            return State.TOO_SLOW
        return State.HELD if abs(self.measured - self.injected) <= self.bound else State.MISSED


def show(rows: Sequence[Row], console: Console) -> int:
    """Print the table and the count of each state; return how many are not held."""
    table = Table("what", "injected", "measured", "error", "within", "")
    counted = Counter(row.state for row in rows)
    for row in rows:
        table.add_row(
            row.what,
            f"{row.injected:.2f} {row.unit}",
            f"{row.measured:.2f} {row.unit}",
            f"{row.measured - row.injected:+.2f}",
            "exact" if row.bound <= EXACT else f"{row.bound:.2g}",
            row.state,
        )
    console.print(table)
    console.print(
        f"{counted[State.HELD]} of {len(rows)} within their bounds, {counted[State.MISSED]} missed, "
        f"{counted[State.TOO_SLOW]} not measured: the machine was too slow"
    )
    return len(rows) - counted[State.HELD]
