"""Where runs are carried out: the one interface between what is due and who does it.

The supervisor knows schedules, limits, retries and status. An engine knows processes, or machines: it starts a run
somewhere, tells what becomes of it, and says so when the place it ran in died. Another engine (a job queue, an actor
framework) takes over by having these five methods; `messages` are what crosses to its workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from .messages import Report, Run

__all__ = ["Engine", "WorkerStatus"]


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """One place that runs are carried out in."""

    name: str
    """Number of a process, or address of a machine."""
    pid: int | None
    """Its process, None while it has none."""
    runs: tuple[str, ...]
    """Ids of the jobs there."""
    cpu_s: float = 0.0
    """Processor time it has taken, seconds."""
    rss_bytes: int = 0
    """Memory it holds."""
    restarts: int = 0
    """How often it died and was made again."""


class Engine(Protocol):
    """Carries out runs; an async context manager, which leaves none behind."""

    async def __aenter__(self) -> Self:
        """Make the places to run in."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""

    def start(self, run: Run) -> None:
        """Carry out a run. A `Started` follows, and in any case one `Ended`."""

    def stop(self, job_id: str, *, within_s: float | None = None) -> None:
        """Let a run finish: files closed, tokens given back. Its `Ended` follows, within that time if it can."""

    async def next_report(self) -> Report:
        """Wait for what happens next. Cancelling is safe."""

    def workers(self) -> Sequence[WorkerStatus]:
        """Tell who is there."""
