"""What is due is started on any engine, what has no room is refused, a changed list touches only what changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pexrtc_py.fleet.capacity import Readings
from pexrtc_py.fleet.engine import Engine, WorkerStatus
from pexrtc_py.fleet.jobs import FleetFile, parse_jobs
from pexrtc_py.fleet.messages import Beat, Ended, FileClosed, Finished, Outcome, Report, Run, Started
from pexrtc_py.fleet.supervisor import (
    FileDone,
    Happening,
    JobEnded,
    JobRefused,
    JobStarted,
    RunFinished,
    Supervisor,
)
from pexrtc_py.tasks import task_owner


class MemoryEngine:
    """An engine whose runs start and stop when told, in no process at all."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.runs: dict[str, Run] = {}
        self._reports: deque[Report] = deque()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def start(self, run: Run) -> None:
        self.started.append(run.job.id)
        self.runs[run.job.id] = run
        self.put(Started(job_id=run.job.id, number=run.number))

    def stop(self, job_id: str, *, within_s: float | None = None) -> None:
        self.stopped.append(job_id)
        self.end(job_id, Outcome.DONE)

    def end(self, job_id: str, outcome: Outcome, *, goes_on: bool = False) -> None:
        run = self.runs.pop(job_id)
        self.put(Ended(job_id=job_id, number=run.number, outcome=outcome, reason="so", goes_on=goes_on))

    def put(self, report: Report) -> None:
        self._reports.append(report)
        self._changed.set()

    async def next_report(self) -> Report:
        while not self._reports:
            self._changed.clear()
            await self._changed.wait()
        return self._reports.popleft()

    def workers(self) -> Sequence[WorkerStatus]:
        return (WorkerStatus(name="here", pid=None, runs=tuple(self.runs)),)


class World:
    """What a supervisor told, and a way to wait for it."""

    def __init__(self) -> None:
        self.told: list[Happening] = []
        self._changed = asyncio.Event()

    def note(self, happening: Happening) -> None:
        self.told.append(happening)
        self._changed.set()

    async def wait(self, kind: type[object], count: int) -> None:
        async with asyncio.timeout(10):
            while sum(isinstance(one, kind) for one in self.told) < count:
                self._changed.clear()
                await self._changed.wait()


def jobs(*aliases: str, more: str = "") -> FleetFile:
    """A list of recordings."""
    text = '[defaults]\nnode = "http://127.0.0.1:1"\noutput = "/srv/{alias}.mkv"\n' + more
    return parse_jobs(text + "".join(f'\n[[record]]\nalias = "{alias}"\n' for alias in aliases))


def supervise(file: FleetFile, engine: Engine, world: World, readings: Readings | None = None) -> Supervisor:
    """Make a supervisor of a machine that has room."""
    return Supervisor(
        file, engine, on_happening=world.note, read=lambda _: readings or Readings(cpu=0.0), dice=lambda: 0.0
    )


async def test_all_jobs_are_started_and_kept() -> None:
    """One that is lost is started again, the others are not."""
    engine, world = MemoryEngine(), World()
    supervisor = supervise(jobs("a", "b"), engine, world)
    async with task_owner() as tasks:
        tasks.start(supervisor.run(), name="supervisor")
        await world.wait(JobStarted, 2)
        engine.put(Beat(worker=0, cpu_s=0.0, rss_bytes=0, progress={"record:a": {"seconds": 3.0, "bytes": 7.0}}))
        engine.end("record:b", Outcome.LOST)
        await world.wait(JobStarted, 3)
    assert engine.started == ["record:a", "record:b", "record:b"]
    a, b = supervisor.status().jobs
    assert (a.state, a.runs, a.seconds, a.bytes, a.worker) == ("running", 1, 3.0, 7, "here")
    assert (b.state, b.runs, b.failures, b.outcome) == ("running", 2, 1, "lost")


async def test_the_next_run_does_not_wait_for_what_is_made_of_the_last() -> None:
    """An hour that was being encoded once kept the next meeting from being recorded. A drain waits for it."""
    engine, world = MemoryEngine(), World()
    supervisor = supervise(jobs("a"), engine, world)
    async with task_owner() as tasks:
        running = tasks.start(supervisor.run(), name="supervisor")
        await world.wait(JobStarted, 1)
        engine.end("record:a", Outcome.FAILED, goes_on=True)
        await world.wait(JobStarted, 2)
        engine.put(FileClosed(job_id="record:a", number=1, path="/srv/a.mp4", bytes=7))
        await world.wait(FileDone, 1)
        running.cancel()
        await asyncio.wait((running,))
        draining = tasks.start(supervisor.drain(), name="drain")
        await world.wait(JobEnded, 2)
        assert not draining.done()
        engine.put(Finished(job_id="record:a", number=1))
        async with asyncio.timeout(10):
            await draining
    assert world.told[-1] == RunFinished(job_id="record:a")
    supervisor.handle(FileClosed(job_id="record:a", number=1, path="/srv/b.mp4", bytes=7))
    assert sum(isinstance(one, FileDone) for one in world.told) == 1, "what comes later is of nobody"


async def test_a_full_disk_refuses_new_jobs_only() -> None:
    """What runs goes on; what would begin is refused with the reason, told once, and begins when there is room."""
    engine, world = MemoryEngine(), World()
    readings = Readings(cpu=0.1, disk_free_bytes=10**12)
    asked: list[Path | None] = []

    def read(folder: Path | None) -> Readings:
        asked.append(folder)
        return readings

    now = 1000.0
    supervisor = Supervisor(jobs("a"), engine, on_happening=world.note, read=read, clock=lambda: now, dice=lambda: 0.0)
    async with task_owner() as tasks:
        tasks.start(supervisor.run(), name="supervisor")
        await world.wait(JobStarted, 1)
        assert asked == [Path("/srv")]
        readings = Readings(cpu=0.1, disk_free_bytes=10**6)
        now = 1001.0
        changes = supervisor.apply(jobs("a", "b"))
        assert (changes.added, changes.kept, engine.stopped) == (("record:b",), ("record:a",), [])
        await world.wait(JobRefused, 1)
        [refused] = [one for one in world.told if isinstance(one, JobRefused)]
        assert refused.reason == "disk: 1 MB left in /srv, 1.1 GB must be"
        a, b = supervisor.status().jobs
        assert (a.state, b.state, b.reason) == ("running", "refused", refused.reason)
        readings = Readings(cpu=0.1, disk_free_bytes=10**12)
        now = 1010.0
        supervisor.apply(jobs("a", "b"))
        await world.wait(JobStarted, 2)
    assert engine.started == ["record:a", "record:b"]


async def test_a_changed_list_touches_only_what_changed() -> None:
    """The same job goes on in the same run; a changed one finishes and begins anew; one that is gone finishes."""
    engine, world = MemoryEngine(), World()
    supervisor = supervise(jobs("a", "b", "c"), engine, world)
    async with task_owner() as tasks:
        tasks.start(supervisor.run(), name="supervisor")
        await world.wait(JobStarted, 3)
        text = '[defaults]\nnode = "http://127.0.0.1:1"\noutput = "/srv/{alias}.mkv"\n'
        text += '[[record]]\nalias = "a"\n[[record]]\nalias = "b"\nsidecars = true\n'
        changes = supervisor.apply(parse_jobs(text))
        assert (changes.kept, changes.changed, changes.removed) == (("record:a",), ("record:b",), ("record:c",))
        await world.wait(JobStarted, 4)
        await world.wait(JobEnded, 2)
        status = supervisor.status()
    assert sorted(engine.stopped) == ["record:b", "record:c"]
    assert [(job.id, job.state, job.runs) for job in status.jobs] == [
        ("record:a", "running", 1),
        ("record:b", "running", 2),
    ]
    assert engine.runs["record:b"].job.sidecars is True  # type: ignore[union-attr]  # it is a recording


async def test_draining_lets_all_finish_and_starts_nothing() -> None:
    """It returns when the last run has ended."""
    engine, world = MemoryEngine(), World()
    supervisor = supervise(jobs("a", "b"), engine, world)
    async with task_owner() as tasks:
        tasks.start(supervisor.run(), name="supervisor")
        await world.wait(JobStarted, 2)
    async with asyncio.timeout(5):
        await supervisor.drain()
    status = supervisor.status()
    assert status.draining
    assert engine.runs == {}
    assert [job.outcome for job in status.jobs] == ["done", "done"]
