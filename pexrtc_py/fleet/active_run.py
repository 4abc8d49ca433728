"""A run while a worker carries it out: how it is told to finish, and how it tells what happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .messages import Report, Run, Started

__all__ = ["ActiveRun"]


@dataclass(slots=True)
class ActiveRun:
    """A run that is being carried out."""

    run: Run
    tell: Callable[[Report], None]
    """Takes what happens."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to let it finish."""
    late: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when what is made of its files beside is to be left out."""
    progress: Callable[[], dict[str, float]] | None = None
    """Tells seconds and bytes so far."""
    afterwards: Callable[[], Awaitable[None]] | None = None
    """Makes more of the run's files once it has ended: it takes long, and the next run must not wait for it."""

    def stop(self, within_s: float | None = None) -> None:
        """Let it finish; half of the time it has is for what it makes beside."""
        self.stopping.set()
        if within_s is not None:
            asyncio.get_running_loop().call_later(within_s / 2, self.late.set)

    async def until_stopped(self) -> None:
        """Wait until it shall finish, by being asked to or by its time. Cancelling is safe."""
        if self.run.stop_at is None:
            await self.stopping.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self.run.stop_at - time.time())):
                await self.stopping.wait()

    @property
    def is_over(self) -> bool:
        """Whether it shall finish."""
        return self.stopping.is_set() or (self.run.stop_at is not None and time.time() >= self.run.stop_at)

    def started(self, path: Path | None = None) -> None:
        """Tell that it is in its conference."""
        job = self.run.job
        self.tell(Started(job_id=job.id, number=self.run.number, path=None if path is None else str(path)))
