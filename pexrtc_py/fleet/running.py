"""A fleet from its file to its end: supervisor, processes, status, metrics, webhooks, uploads, in one block.

Order matters at the end: jobs finish first, so that their last files and webhooks still go out; then workers end, then
uploads and webhooks get their while.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError, WriteError
from ..service.local_pages import LocalPages, Page
from ..service.metrics import CONTENT_TYPE, metrics_page, write_textfile
from ..tasks import task_owner
from .jobs import FleetFile, load_jobs
from .processes import ProcessEngine
from .status import FleetStatus, serialize_status, write_status
from .supervisor import Supervisor
from .world import World, job_sample, machine_sample

__all__ = ["FleetOptions", "run_fleet"]

logger = logging.getLogger(__name__)

_STATUS_EVERY_S = 1.0
_TEXTFILE_EVERY_S = 15.0
_TIDY_EVERY_S = 600.0
_AFTER_A_LOSS_S = 10.0
"""Before it is mended what a process left that died: its jobs, which begin anew meanwhile, go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """What the command line says."""

    path: Path
    """JOBS.toml."""
    listen: tuple[str, int] | None = None
    """Where `/metrics`, `/status` and `/healthz` are served."""
    status: Path | None = None
    """A file that always has the status, JSON."""
    textfile: Path | None = None
    """A file that always has the metrics, for node_exporter."""


async def run_fleet(
    options: FleetOptions,
    *,
    stopping: Callable[[], Awaitable[object]],
    reload: asyncio.Event,
    note: Callable[[str], None],
) -> bool:
    """Keep the jobs of a file going until `stopping`; return whether all had finished within the deadline.

    Cancelling gives jobs a few seconds to finish, and kills what is left.

    Args:
        options: the file, and where to tell what.
        stopping: waits for whatever shall end the fleet.
        reload: set to have the file read again; it is cleared then.
        note: told what a person should know, in one line.

    Raises:
        UsageError: the file, an address or a target cannot be used; nothing was started.
    """
    file = load_jobs(options.path)
    world = World(file)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(world)
        engine = ProcessEngine(file.workers or os.cpu_count() or 1)
        supervisor = Supervisor(file, engine, on_happening=world.note)
        fleet = _Fleet(options, file, supervisor, world, note)
        pages = None
        if options.listen is not None:
            pages = await stack.enter_async_context(LocalPages(options.listen, fleet.pages))
            note(f"{pages.url}/metrics and {pages.url}/status")
        tasks = await stack.enter_async_context(task_owner())
        await stack.enter_async_context(engine)
        note(f"keeping {len(file.jobs)} jobs going in {len(engine.workers())} processes")
        tasks.start(fleet.write_now_and_then(), name="pexrtc fleet status")
        tasks.start(fleet.reload_when(reload), name="pexrtc fleet reload")
        tasks.start(fleet.tidy_now_and_then(), name="pexrtc fleet retention")
        keeping = tasks.start(supervisor.run(), name="pexrtc fleet")
        await stopping()
        keeping.cancel()
        await asyncio.wait((keeping,))
        finished = await fleet.drain()
    fleet.write()
    return finished


class _Fleet:
    def __init__(
        self,
        options: FleetOptions,
        file: FleetFile,
        supervisor: Supervisor,
        world: World,
        note: Callable[[str], None],
    ) -> None:
        self._options = options
        self._began_with = self._file = file
        self._supervisor = supervisor
        self._world = world
        self._note = note
        self._textfile_at = 0.0
        self._can_write = True
        self.pages = {"/metrics": self._metrics, "/status": self._status, "/healthz": self._health}

    async def drain(self) -> bool:
        """Let all jobs finish; return whether they did within `drain_s` of the file as it was read last."""
        deadline_s = self._file.drain_s
        try:
            async with asyncio.timeout(deadline_s):
                await self._supervisor.drain(deadline_s)
        except TimeoutError:
            late = [job.id for job in self._supervisor.status().jobs if job.state == "stopping"]
            self._note(f"not finished after {deadline_s:g} s, and killed: {', '.join(late)}")
            return False
        return True

    async def reload_when(self, wanted: asyncio.Event) -> None:
        """Read the file again whenever that is wanted; one that cannot be used changes nothing."""
        while True:
            await wanted.wait()
            wanted.clear()
            try:
                file = load_jobs(self._options.path)
            except UsageError as exc:
                self._note(f"the jobs stay as they were: {exc}")
                continue
            self._file = file
            self._world.apply(file)
            changes = self._supervisor.apply(file)
            parts = [
                f"{word} {', '.join(ids)}"
                for word, ids in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed))
                if ids
            ]
            parts += [f"{word} as they were until the next start" for word in _fixed(self._began_with, file)]
            self._note(f"read {self._options.path}: {'; '.join(parts) or 'no job changed'}")

    async def tidy_now_and_then(self) -> None:
        """Upload what was left, mend what was killed, and remove old files, where that is asked for."""
        await self._world.resume()
        while True:
            await self._world.mend_leftovers()
            await self._world.keep_tidy(time.time())
            with suppress(TimeoutError):
                async with asyncio.timeout(_TIDY_EVERY_S):
                    await self._world.recording_lost()
                    await asyncio.sleep(_AFTER_A_LOSS_S)

    async def write_now_and_then(self) -> None:
        """Keep the files that tell how things stand up to date."""
        while True:
            await asyncio.to_thread(self._write, self._supervisor.status())
            await asyncio.sleep(_STATUS_EVERY_S)

    def write(self) -> None:
        """Write them for the last time."""
        self._textfile_at = 0.0
        self._write(self._supervisor.status())

    def _write(self, status: FleetStatus) -> None:
        try:
            if self._options.status is not None:
                write_status(self._options.status, status)
            if self._options.textfile is not None and time.monotonic() >= self._textfile_at:
                self._textfile_at = time.monotonic() + _TEXTFILE_EVERY_S
                samples = [job_sample(job) for job in status.jobs]
                write_textfile(self._options.textfile, samples, machine_sample(status, self._world.counters))
            self._can_write = True
        except WriteError as exc:
            # Recordings go on without it; it is said once.
            if self._can_write:
                logger.error("! %s", exc)
            self._can_write = False

    def _metrics(self) -> Page:
        status = self._supervisor.status()
        samples = [job_sample(job) for job in status.jobs]
        page = metrics_page(samples, machine_sample(status, self._world.counters))
        return Page(body=page, content_type=CONTENT_TYPE)

    def _status(self) -> Page:
        return Page(body=serialize_status(self._supervisor.status()), content_type="application/json")

    def _health(self) -> Page:
        status = self._supervisor.status()
        well = not status.draining and all(worker.pid is not None for worker in status.workers)
        return Page(body=b"ok\n" if well else b"not well\n", content_type="text/plain", status=200 if well else 503)


def _fixed(before: FleetFile, after: FleetFile) -> list[str]:
    """Return what the file says otherwise, and a running fleet does not change."""
    same = {
        "workers": before.workers == after.workers,
        "webhooks": before.webhooks == after.webhooks,
        "uploads": before.upload == after.upload,
    }
    return [word for word, is_same in same.items() if not is_same]
