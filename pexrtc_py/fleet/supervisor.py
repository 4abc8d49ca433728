"""Keeps a list of jobs going on an engine: what is due is started, what failed is tried again, what has no room waits.

Driven by the clock, by the engine's reports, and by `apply` (the file was read again). It owns no processes and opens
no sockets: an engine carries out, `on_happening` tells the world.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, assert_never

import msgspec

from ..tasks import first_of
from .capacity import Readings, refusal
from .engine import Engine
from .entries import Job, RecordJobEntry
from .jobs import FleetFile
from .keeping import JobState, Keeper
from .messages import Beat, Ended, FileClosed, Finished, Outcome, Report, Run, Started
from .readings import CpuMeter, read_machine
from .status import FleetStatus, JobStatus

__all__ = ["Changes", "FileDone", "Happening", "JobEnded", "JobRefused", "JobStarted", "RunFinished", "Supervisor"]

logger = logging.getLogger(__name__)

_STARTS_PER_S = 10.0
"""Joins are spread: a node that is asked for fifty at once answers all of them late."""
_RETURNS_PER_S = 50.0
"""Those that a crash ended are not: each second until one is back is missing in it."""
_LONGEST_SLEEP_S = 30.0
"""Clocks are set and laptops sleep: the time is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """A run is in its conference."""

    job: Job
    path: str | None
    """Where a recording goes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDone:
    """A file of a recording is complete."""

    job: Job
    path: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded:
    """A run is over."""

    job: Job
    ended: Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRefused:
    """There was no room for a run."""

    job: Job
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """Nothing is made any more of the files of a run that ended before. The job may be gone by now."""

    job_id: str


Happening: TypeAlias = JobStarted | FileDone | JobEnded | JobRefused | RunFinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What another version of the file changed, by id."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = field(default=(), repr=False)


class Supervisor:
    """Keeps jobs going.

    `run` works until cancelled; the engine is the caller's, who enters it before and leaves it after, which drains.
    """

    def __init__(
        self,
        file: FleetFile,
        engine: Engine,
        *,
        on_happening: Callable[[Happening], None] | None = None,
        read: Callable[[Path | None], Readings] | None = None,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """Take over a list.

        Args:
            file: the list, and its limits.
            engine: carries out.
            on_happening: told what happens; it must not block.
            read: measures the machine for a job that writes to a folder; the real one by default.
            clock: seconds since the epoch.
            dice: for delays.
        """
        self._file = file
        self._engine = engine
        self._on_happening = on_happening
        meter = CpuMeter()
        self._read = read or (lambda folder: read_machine(meter, folder))
        self._clock = clock
        self._dice = dice
        self._began = clock()
        self._keepers: dict[str, Keeper] = {job.id: Keeper(job, clock(), dice=dice) for job in file.jobs}
        self._progress: dict[str, Mapping[str, float]] = {}
        self._changed = asyncio.Event()
        self._next_start = 0.0
        self._draining = False
        self._finishing: set[tuple[str, int]] = set()
        """Runs that have ended and of whose files something is still made, by job and number."""

    async def run(self) -> None:
        """Keep the jobs going. Cancelling is safe: runs go on until the engine is left."""
        while True:
            wait_s = self._start_what_is_due()
            name, what = await first_of(
                report=self._engine.next_report(), changed=self._changed.wait(), time=asyncio.sleep(wait_s)
            )
            if name == "report" and isinstance(what, Report):
                self.handle(what)
            self._changed.clear()

    def apply(self, file: FleetFile) -> Changes:
        """Take another version of the list; jobs that are the same in it are not touched."""
        now = self._clock()
        before, wanted = dict(self._keepers), {job.id: job for job in file.jobs}
        self._file = file
        changed = tuple(i for i, job in wanted.items() if i in before and before[i].job != job)
        for job_id, keeper in before.items():
            if keeper.change(wanted.get(job_id), now):
                self._engine.stop(job_id)
        for job_id, job in wanted.items():
            if job_id not in before:
                self._keepers[job_id] = Keeper(job, now, dice=self._dice)
        self._forget_the_gone()
        self._changed.set()
        return Changes(
            added=tuple(i for i in wanted if i not in before),
            removed=tuple(i for i in before if i not in wanted),
            changed=changed,
            kept=tuple(i for i in wanted if i in before and i not in changed),
        )

    async def drain(self, within_s: float | None = None) -> None:
        """Start nothing more, let everything finish, and wait for it. Cancelling is safe.

        Args:
            within_s: seconds after which the caller will not wait any longer; runs are told.
        """
        self._draining = True
        for job_id, keeper in self._keepers.items():
            if keeper.is_active:
                keeper.stop(self._clock())
                self._engine.stop(job_id, within_s=within_s)
        while self._finishing or any(keeper.is_active for keeper in self._keepers.values()):
            self.handle(await self._engine.next_report())

    def status(self) -> FleetStatus:
        """Tell how everything stands."""
        workers = tuple(self._engine.workers())
        where = {job_id: worker.name for worker in workers for job_id in worker.runs}
        readings = self._read(None)
        return FleetStatus(
            time=self._clock(),
            since=self._began,
            draining=self._draining,
            cpu=readings.cpu,
            memory_free_bytes=readings.memory_free_bytes,
            workers=workers,
            jobs=tuple(
                JobStatus.of(keeper, worker=where.get(job_id), progress=self._progress.get(job_id, {}))
                for job_id, keeper in self._keepers.items()
            ),
        )

    def handle(self, report: Report) -> None:
        """Learn what happened in the engine."""
        if isinstance(report, Beat):
            self._progress.update(report.progress)
            return
        if isinstance(report, Finished):
            self._finishing.discard((report.job_id, report.number))
            self._tell(RunFinished(job_id=report.job_id))
            return
        if isinstance(report, Ended) and report.goes_on:
            self._finishing.add((report.job_id, report.number))
        keeper = self._keepers.get(report.job_id)
        # What is made of its files may come when the next run goes on.
        is_late = isinstance(report, FileClosed) and (report.job_id, report.number) in self._finishing
        if keeper is None or (report.number != keeper.run and not is_late):
            return
        now = self._clock()
        job = keeper.job
        match report:
            case Started():
                was = keeper.state
                keeper.handle_started(report, now)
                if was is JobState.STARTING:
                    logger.info("= %s runs", report.job_id)
                    self._tell(JobStarted(job=job, path=report.path))
            case FileClosed():
                self._tell(FileDone(job=job, path=report.path, bytes=report.bytes))
            case Ended():
                self._progress.pop(report.job_id, None)
                keeper.handle_ended(report, now)
                level = logging.INFO if report.outcome in (Outcome.DONE, Outcome.MISSED) else logging.WARNING
                logger.log(level, "= %s ended, %s: %s", report.job_id, report.outcome, report.reason)
                self._tell(JobEnded(job=job, ended=report))
                self._forget_the_gone()
            case _:
                assert_never(report)

    def _start_what_is_due(self) -> float:
        """Start what there is room for; return for how long nothing needs to be done, seconds."""
        now = self._clock()
        if self._draining:
            return _LONGEST_SLEEP_S
        look = now + _LONGEST_SLEEP_S
        for keeper in self._keepers.values():
            run = keeper.decide(now)
            if run is None:
                look = min(look, keeper.next_look(now))
            elif now < self._next_start:
                look = min(look, self._next_start)
            else:
                self._start(keeper, run, now)
                look = min(look, keeper.next_look(now))
        return max(0.0, look - self._clock())

    def _start(self, keeper: Keeper, run: Run, now: float) -> None:
        folder = run.job.folder if isinstance(run.job, RecordJobEntry) else None
        run = msgspec.structs.replace(run, note_files=self._file.upload.needs_notes)
        running = sum(other.is_active for other in self._keepers.values())
        reason = refusal(
            self._read(folder), self._file.limits, running=running, folder=str(folder or ""), returns=keeper.returns
        )
        if reason is None:
            keeper.start(run, now)
            self._engine.start(run)
            rate = _RETURNS_PER_S if keeper.returns else _STARTS_PER_S
            # Counted from when it was due, so that a machine that is late catches up.
            self._next_start = max(self._next_start, now - 1.0) + 1 / rate
        elif keeper.refuse(reason, now):
            logger.warning("! %s refused: %s", run.job.id, reason)
            self._tell(JobRefused(job=run.job, reason=reason))

    def _forget_the_gone(self) -> None:
        for job_id in [job_id for job_id, keeper in self._keepers.items() if keeper.is_gone]:
            del self._keepers[job_id]

    def _tell(self, happening: Happening) -> None:
        if self._on_happening is not None:
            self._on_happening(happening)
