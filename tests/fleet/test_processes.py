"""Workers that come and go, and what a machine that has no room for another costs."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.messages import LINE_LIMIT, Ended, Finished, Outcome, Report, Run, parse_report, serialize
from pexrtc_py.fleet.processes import ProcessEngine

from ..support.waiting import until


def program(path: Path) -> None:
    """Make a worker that takes what it is told, and never says anything."""
    path.write_text("#!/bin/sh\nwhile read -r line; do :; done\n")
    path.chmod(0o700)


def run(name: str) -> Run:
    """A run that nothing comes of."""
    return Run(job=RecordJobEntry(alias=name, id=name, node="http://127.0.0.1:1", output="/nowhere/a.mkv"), number=1)


async def test_a_worker_that_cannot_be_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It once ended the engine and every worker that was well; now it is tried again, and others get its runs."""
    program(tmp_path / "worker")
    async with ProcessEngine(2, drain_s=0.0, dice=lambda: 0.0, command=[str(tmp_path / "worker")]) as engine:
        await until(lambda: all(worker.pid is not None for worker in engine.workers()))
        first, second = engine.workers()
        assert first.pid is not None
        engine.start(run("a"))
        (tmp_path / "worker").unlink()  # as when an environment is built anew
        os.kill(first.pid, signal.SIGKILL)
        lost = await engine.next_report()
        assert isinstance(lost, Ended)
        assert (lost.job_id, lost.outcome, lost.reason) == ("a", Outcome.LOST, "worker 0 was killed by signal 9")
        await until(lambda: engine.workers()[0].restarts >= 2)
        assert "worker 0 cannot be made: no such file or directory" in caplog.text
        engine.start(run("b"))
        engine.start(run("c"))
        assert [worker.runs for worker in engine.workers()] == [(), ("b", "c")]
        assert engine.workers()[1].pid == second.pid
        program(tmp_path / "worker")
        await until(lambda: engine.workers()[0].pid is not None)
        engine.start(run("d"))
        assert engine.workers()[0].runs == ("d",)


async def test_a_run_that_waits_for_a_worker_is_not_lost_sight_of(tmp_path: Path) -> None:
    """What was given to a worker that then cannot be made ends as lost, so that it is tried again elsewhere."""
    async with ProcessEngine(1, drain_s=0.0, dice=lambda: 0.0, command=[str(tmp_path / "missing")]) as engine:
        engine.start(run("a"))
        lost = await engine.next_report()
        assert isinstance(lost, Ended)
        assert lost.outcome is Outcome.LOST
        assert lost.reason == "worker 0 cannot be made: no such file or directory"


async def test_what_a_worker_was_making_ends_with_it(tmp_path: Path) -> None:
    """Nobody waits for what a dead process was to make of the files of a run, nor keeps them for it."""
    said: list[Report] = [
        Ended(job_id="a", number=1, outcome=Outcome.DONE, reason="so", goes_on=True),
        Ended(job_id="b", number=1, outcome=Outcome.DONE, reason="so", goes_on=True),
        Finished(job_id="b", number=1),
    ]
    lines = b"".join(serialize(one) for one in said).decode()
    (tmp_path / "worker").write_text(f"#!/bin/sh\nread -r line\ncat <<'END'\n{lines}END\nexit 3\n")
    (tmp_path / "worker").chmod(0o700)
    async with ProcessEngine(1, drain_s=0.0, dice=lambda: 1.0, command=[str(tmp_path / "worker")]) as engine:
        engine.start(run("a"))
        async with asyncio.timeout(10):
            assert [await engine.next_report() for _ in said] == said
            assert await engine.next_report() == Finished(job_id="a", number=1)


def test_an_end_is_never_too_long_to_be_told() -> None:
    """The names of 90000 segments were once more than the fleet reads: for it the run went on for ever."""
    files = [f"/srv/recordings/board-2026-11-23-090000.{number:05}.mkv" for number in range(90_000)]
    ended = Ended(job_id="a", number=3, outcome=Outcome.DONE, reason="x" * LINE_LIMIT, result={"files": files})
    line = serialize(ended)
    assert len(line) < LINE_LIMIT
    told = parse_report(line)
    assert isinstance(told, Ended)
    assert (told.job_id, told.number, told.outcome, told.reason) == ("a", 3, Outcome.DONE, "x" * 1000)
    short = Ended(job_id="a", number=3, outcome=Outcome.DONE, reason="x", result={"files": files[:10]})
    assert parse_report(serialize(short)) == short
