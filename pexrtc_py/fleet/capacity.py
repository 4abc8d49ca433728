"""Whether there is room for another job, on readings of the machine. Pure: readings and limits in, the reason out.

What is measured decides, not what was planned: a core that another program keeps busy is not there for us.
"""

from __future__ import annotations

from dataclasses import dataclass

from .jobs import LimitsTable

__all__ = ["Readings", "refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was measured; None for what could not be."""

    cpu: float | None = None
    """Share of all cores in use lately, 0 to 1."""
    cores: int = 1
    """How many there are."""
    memory_free_bytes: int | None = None
    """Memory that can be had without swapping."""
    disk_free_bytes: int | None = None
    """Room where the job would write; None when it writes nothing."""


def refusal(
    readings: Readings, limits: LimitsTable, *, running: int, folder: str = "", returns: bool = False
) -> str | None:
    """Return why another job is refused, None when there is room.

    Args:
        readings: what was measured.
        limits: what must be left.
        running: jobs that run already.
        folder: where the job would write, for the message.
        returns: it was running until its process died: its share of the cores and its place were its own, and a full
            machine must not turn one crash into the loss of many recordings. Memory and disk count all the same.
    """
    if not returns and limits.jobs is not None and running >= limits.jobs:
        return f"{running} jobs run already, the limit is {limits.jobs}"
    if not returns and readings.cpu is not None and readings.cpu > limits.cpu:
        return f"CPU at {readings.cpu:.0%} of {readings.cores} cores, the limit is {limits.cpu:.0%}"
    if readings.memory_free_bytes is not None and readings.memory_free_bytes < limits.memory_free_bytes:
        return f"memory: {_size(readings.memory_free_bytes)} left, {_size(limits.memory_free_bytes)} must be"
    if readings.disk_free_bytes is not None and readings.disk_free_bytes < limits.disk_free_bytes:
        where = f" in {folder}" if folder else ""
        return f"disk: {_size(readings.disk_free_bytes)} left{where}, {_size(limits.disk_free_bytes)} must be"
    return None


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
