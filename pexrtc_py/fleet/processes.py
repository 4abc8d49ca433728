"""An engine of processes on this machine: runs spread over them, and a dead one costs only its own.

Each worker is `python -m pexrtc_py.fleet.worker`; commands and reports are lines of JSON over its stdin and stdout. A
worker that died is made again, the later the more often it dies, and each of its runs ends as lost. The workers are in
sessions of their own: a Ctrl-C at the terminal goes to the fleet, which lets them finish.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import msgspec

from ..protocol.backoff import Backoff
from ..tasks import task_owner
from .engine import WorkerStatus
from .messages import (
    LINE_LIMIT,
    Beat,
    Command,
    Drain,
    Ended,
    Finished,
    Outcome,
    Report,
    Run,
    Start,
    Stop,
    parse_report,
    serialize,
)

__all__ = ["ProcessEngine"]

logger = logging.getLogger(__name__)

_STABLE_S = 30.0
_RESTING_S = 2.0
"""A worker that is down for longer gets no runs meanwhile."""
_GONE_S = 1.0
"""Between the last word of a worker that ends and its status."""
_SILENT_S = 30.0
"""A worker that says nothing for so long hangs, and is killed: thirty beats."""


@dataclass(slots=True)
class _Worker:
    number: int
    process: asyncio.subprocess.Process | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    ended: set[tuple[str, int]] = field(default_factory=set)
    """Runs of whose files something is still made, by job and number."""
    waiting: list[Command] = field(default_factory=list)
    beat: Beat | None = None
    restarts: int = 0
    is_resting: bool = False

    def send(self, command: Command) -> None:
        stdin = self.process.stdin if self.process is not None else None
        if stdin is None or stdin.is_closing():
            self.waiting.append(command)
            return
        # uvloop raises when the process is gone and that is not known yet; its runs are lost in a moment.
        with suppress(RuntimeError):
            stdin.write(serialize(command))


class ProcessEngine:
    """Runs in `workers` processes. Leaving it drains them, and kills what is left after `drain_s`."""

    def __init__(
        self,
        workers: int,
        *,
        drain_s: float = 5.0,
        dice: Callable[[], float] = random.random,
        command: Sequence[str] = (sys.executable, "-m", "pexrtc_py.fleet.worker"),
    ) -> None:
        """Prepare; entering the context starts the processes.

        Args:
            workers: how many.
            drain_s: seconds that runs may take to finish on leaving.
            dice: for the delays before a worker is made again.
            command: what a worker is; its number follows.
        """
        self._command = tuple(command)
        self._workers = [_Worker(number) for number in range(workers)]
        self._drain_s = drain_s
        self._dice = dice
        self._reports: deque[Report] = deque()
        self._has_reports = asyncio.Event()
        self._draining = asyncio.Event()
        self._stack = AsyncExitStack()
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start the processes."""
        tasks = await self._stack.enter_async_context(task_owner())
        self._keepers = [tasks.start(self._keep(worker), name="pexrtc worker") for worker in self._workers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._drain()
        finally:
            await self._stack.aclose()

    def start(self, run: Run) -> None:
        """Carry out a run in the process that has the fewest, one that died often only when there is no other."""
        worker = min(self._workers, key=lambda one: (one.is_resting, len(one.runs), one.number))
        worker.runs[run.job.id] = run
        worker.send(Start(run=run))

    def stop(self, job_id: str, *, within_s: float | None = None) -> None:
        """Let a run finish."""
        for worker in self._workers:
            if job_id in worker.runs:
                worker.send(Stop(job_id=job_id, within_s=within_s))

    async def next_report(self) -> Report:
        """Wait for what happens next. Cancelling is safe."""
        while not self._reports:
            self._has_reports.clear()
            await self._has_reports.wait()
        return self._reports.popleft()

    def workers(self) -> Sequence[WorkerStatus]:
        """Tell who is there."""
        return tuple(
            WorkerStatus(
                name=str(worker.number),
                pid=worker.process.pid if worker.process is not None else None,
                runs=tuple(worker.runs),
                cpu_s=worker.beat.cpu_s if worker.beat is not None else 0.0,
                rss_bytes=worker.beat.rss_bytes if worker.beat is not None else 0,
                restarts=worker.restarts,
            )
            for worker in self._workers
        )

    # one process

    async def _keep(self, worker: _Worker) -> None:
        """Have a process, and another when it died."""
        backoff = Backoff(self._dice, first_s=0.2, ceiling_s=30.0)
        while not self._draining.is_set():
            began = time.monotonic()
            is_made = True
            try:
                status = await self._live(worker)
            except OSError as exc:  # no more processes, memory or files for now, or the program is being replaced
                is_made, status = False, f"cannot be made: {(exc.strerror or str(exc)).lower()}"
                self._lose(worker, status)
            if self._draining.is_set():
                break
            worker.restarts += 1
            if time.monotonic() - began >= _STABLE_S:
                backoff.reset()
            delay = backoff.next_delay()
            logger.error("! worker %d %s; another in %.1f s", worker.number, status, delay)
            worker.is_resting = not is_made or delay > _RESTING_S
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._draining.wait()
            worker.is_resting = False

    async def _live(self, worker: _Worker) -> str:
        """Be with a process until it is gone; say how it went."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(worker.number),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            start_new_session=True,
            env={**os.environ, "PEXRTC_LOG": logging.getLevelName(logger.getEffectiveLevel())},
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            worker.process = process
            waiting, worker.waiting = worker.waiting, []
            for command in waiting:
                worker.send(command)
            await self._read(worker, process.stdout)
            if not self._draining.is_set():
                # One that died closes its stdout before its status is known, and a signal then would lose the status.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_GONE_S):
                        await process.wait()
                if process.returncode is None:
                    process.kill()  # it said goodbye by closing its stdout, or hangs
            await process.wait()
        finally:
            worker.process = None
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            self._lose(worker, _how(process.returncode))
        return _how(process.returncode)

    async def _read(self, worker: _Worker, stdout: asyncio.StreamReader) -> None:
        while True:
            try:
                async with asyncio.timeout(_SILENT_S):
                    line = await stdout.readline()
                report = parse_report(line) if line else None
            except TimeoutError:
                logger.error("! worker %d says nothing for %.0f s", worker.number, _SILENT_S)
                return
            except (ValueError, msgspec.MsgspecError) as exc:
                logger.error("! worker %d: no report: %s", worker.number, exc)
                continue
            if report is None:
                return
            if isinstance(report, Beat):
                worker.beat = report
            if isinstance(report, Ended):
                run = worker.runs.get(report.job_id)
                if run is not None and run.number == report.number:
                    del worker.runs[report.job_id]
                if report.goes_on:
                    worker.ended.add((report.job_id, report.number))
            if isinstance(report, Finished):
                worker.ended.discard((report.job_id, report.number))
            self._put(report)

    def _lose(self, worker: _Worker, how: str) -> None:
        lost, worker.runs = worker.runs, {}
        worker.waiting = []
        worker.beat = None
        ended, worker.ended = worker.ended, set()
        for job_id, number in ended:
            self._put(Finished(job_id=job_id, number=number))
        for job_id, run in lost.items():
            reason = f"worker {worker.number} {how}"
            self._put(Ended(job_id=job_id, number=run.number, outcome=Outcome.LOST, reason=reason))

    def _put(self, report: Report) -> None:
        self._reports.append(report)
        self._has_reports.set()

    # the end

    async def _drain(self) -> None:
        """Let all runs finish, within the deadline; what has not is killed, and its files play all the same."""
        self._draining.set()
        for worker in self._workers:
            worker.send(Drain())
        _, late = await asyncio.wait(self._keepers, timeout=self._drain_s) if self._keepers else (set(), set())
        if late:
            logger.error("! %d workers are not done after %.0f s and are killed", len(late), self._drain_s)


def _how(status: int | None) -> str:
    if status is None:
        return "is gone"
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
