"""A fleet as an operator has it: real processes, a node, a kill, a new list, a drain."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.fleet.running import FleetOptions, run_fleet
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.tasks import task_owner

from ..support.commands import pexrtc_here
from ..support.waiting import until
from .fleet_process import run_fleet_process


def jobs_file(path: Path, node: Node, folder: Path, *aliases: str, more: str = "") -> Path:
    """Write a list of recordings that nothing refuses."""
    head = f"""
        [defaults]
        node = "{node.url}"
        output = "{folder}/{{alias}}-{{date}}-{{time}}.mkv"
        [fleet]
        workers = 2
        [limits]
        cpu = 1.0
        disk_free_bytes = 0
        memory_free_bytes = 0
    """
    path.write_text(head + more + "".join(f'\n[[record]]\nalias = "{alias}"\n' for alias in aliases))
    return path


def all_run(count: int, status: dict[str, Any]) -> bool:
    """Whether so many jobs run, with media on disk."""
    running = [job for job in status["jobs"] if job["state"] == "running" and job["seconds"] > 0.5]
    return len(running) == len(status["jobs"]) == count


@pytest.mark.slow
async def test_a_day_in_the_life_of_a_fleet(tmp_path: Path) -> None:
    """A killed worker's jobs are back within ten seconds, what it left is made whole, the others are untouched; SIGHUP
    adds; SIGTERM finishes."""
    folder, target, status_file = tmp_path / "recordings", tmp_path / "target", tmp_path / "status.json"
    target.mkdir()
    upload = f'[upload]\nto = "{target}"\n'
    async with Node() as node:
        jobs = jobs_file(tmp_path / "jobs.toml", node, folder, "a", "b", "c", more=upload)
        async with run_fleet_process(jobs, "--status", str(status_file)) as fleet:
            before = await fleet.until(lambda status: all_run(3, status), within_s=20)
            assert sorted(len(worker["runs"]) for worker in before["workers"]) == [1, 2]
            victim = max(before["workers"], key=lambda worker: len(worker["runs"]))
            os.kill(victim["pid"], signal.SIGKILL)
            after = await fleet.until(
                lambda status: all_run(3, status) and sum(job["failures"] for job in status["jobs"]) == 2, within_s=10
            )
            by_id = {job["id"]: job for job in after["jobs"]}
            for job in before["jobs"]:
                hit = job["id"] in victim["runs"]
                assert by_id[job["id"]]["runs"] == (2 if hit else 1)
                assert (by_id[job["id"]]["path"] == job["path"]) is not hit

            jobs_file(jobs, node, folder, "a", "b", "c", "d", more=upload)
            fleet.process.send_signal(signal.SIGHUP)
            last = await fleet.until(lambda status: all_run(4, status), within_s=10)
            assert [job["runs"] for job in last["jobs"]] == [job["runs"] for job in after["jobs"]] + [1]
            page = (await fleet.get("/metrics")).text
            assert 'pexrtc_job_state{alias="d",job="record:d",kind="record",state="running"} 1.0' in page
            assert (await fleet.get("/healthz")).status_code == 200

            left = [Path(job["path"]) for job in before["jobs"] if job["id"] in victim["runs"]]
            assert len(left) == 2
            await until(lambda: all((target / path.name).exists() for path in left), within_s=60)

            fleet.process.send_signal(signal.SIGTERM)
            assert await fleet.process.wait() == ExitCode.DONE
        people = {alias: len(one.room.participants) for alias, one in node.state.conferences.items()}
        # What was killed gave no token back; everybody else did.
        assert sum(people.values()) <= len(victim["runs"])
        assert people.get("d", 0) == 0
    finished = {job["id"]: job for job in msgspec.json.decode(status_file.read_bytes())["jobs"]}
    assert set(finished) == {job["id"] for job in last["jobs"]}
    for job in finished.values():
        assert job["outcome"] == "done"
        assert job["result"]["gaps"] == job["result"]["dropped"] == 0
        [file] = job["result"]["files"]
        assert not Path(file).with_suffix(".part.mkv").exists()
        with av.open(file) as container:
            packets = sum(1 for packet in container.demux(audio=0) if packet.size)
        assert packets == job["result"]["packets"]
        assert packets >= 45 * job["result"]["duration_s"], "sound is missing"
        assert (target / Path(file).name).read_bytes() == Path(file).read_bytes(), "uploaded as it is"
    for path in left:
        assert not path.with_suffix(".part.mkv").exists(), "of what was killed a whole file is made, without waiting"
        with av.open(str(target / path.name)) as container:
            assert sum(1 for packet in container.demux(audio=0) if packet.size) >= 25


@pytest.mark.slow
async def test_recordings_go_on_while_the_last_is_encoded(tmp_path: Path) -> None:
    """One run follows the other, each is made into another form behind its back, and a drain waits for that, too."""
    folder, status_file = tmp_path / "recordings", tmp_path / "status.json"
    async with Node() as node:
        jobs = jobs_file(tmp_path / "jobs.toml", node, folder, "a")
        jobs.write_text(jobs.read_text() + 'duration_s = 1.0\ntranscode = "m4a"\n')
        async with run_fleet_process(jobs, "--status", str(status_file)) as fleet:
            await fleet.until(lambda status: status["jobs"][0]["runs"] >= 3, within_s=30)
            fleet.process.send_signal(signal.SIGTERM)
            assert await fleet.process.wait() == ExitCode.DONE
    made = {path.stem for path in folder.glob("*.m4a")}
    assert {path.stem for path in folder.glob("*.mkv")} == made
    assert len(made) >= 2
    assert not list(folder.glob("*.part.*"))
    [job] = msgspec.json.decode(status_file.read_bytes())["jobs"]
    assert job["failures"] == 0


@pytest.mark.slow
async def test_a_fleet_that_is_killed_leaves_finished_files(tmp_path: Path) -> None:
    """Workers learn by the end of their input that nobody is there, close their files and give their tokens back."""
    folder = tmp_path / "recordings"
    async with Node() as node:
        jobs = jobs_file(tmp_path / "jobs.toml", node, folder, "a", "b")
        async with run_fleet_process(jobs) as fleet:
            status = await fleet.until(lambda status: all_run(2, status), within_s=20)
            fleet.process.kill()
            await fleet.process.wait()
            # Neither the node's room nor processes that are not our children have an event to wait for.
            await until(lambda: not any(one.room.participants for one in node.state.conferences.values()))
            await until(lambda: not any(is_alive(worker["pid"]) for worker in status["workers"]))
    assert sorted(path.name.split("-")[0] for path in folder.iterdir()) == ["a", "b"]
    for file in folder.iterdir():
        assert ".part" not in file.name
        with av.open(str(file)) as container:
            assert sum(1 for packet in container.demux(audio=0) if packet.size) >= 25


@pytest.mark.slow
async def test_what_a_new_list_changes_and_what_not(tmp_path: Path) -> None:
    """What takes a new start is told, and a file that cannot be used changes nothing."""
    path, notes, reload, over = tmp_path / "jobs.toml", Notes(), asyncio.Event(), asyncio.Event()
    path.write_text("[fleet]\nworkers = 1\n")
    options = FleetOptions(path=path)
    async with task_owner() as tasks:
        fleet = tasks.start(run_fleet(options, stopping=over.wait, reload=reload, note=notes.add), name="fleet")
        await notes.wait("keeping 0 jobs going in 1 processes")
        path.write_text("[fleet]\nwrokers = 2\n")
        reload.set()
        await notes.wait(f"the jobs stay as they were: {path}: [fleet]: unknown field `wrokers`")
        path.write_text(f'[fleet]\nworkers = 2\n[upload]\nto = "{tmp_path}"\n')
        reload.set()
        words = "workers as they were until the next start; uploads as they were until the next start"
        await notes.wait(f"read {path}: {words}")
        over.set()
        assert await fleet is True


@pytest.mark.slow
async def test_the_time_to_finish_is_that_of_the_list_read_last(tmp_path: Path) -> None:
    """Jobs that SIGHUP gave more time, or less, once had that of the start."""
    path, notes, reload, over = tmp_path / "jobs.toml", Notes(), asyncio.Event(), asyncio.Event()
    text = f'''
        [fleet]
        workers = 1
        drain_s = DRAIN_S
        [limits]
        cpu = 1.0
        memory_free_bytes = 0
        disk_free_bytes = 0
        [[record]]
        alias = "a"
        output = "{tmp_path}/a.mkv"
        node = "NODE"
    '''
    async with Node(NodeConfig(open=True)) as node:
        text = text.replace("NODE", node.url)
        path.write_text(text.replace("DRAIN_S", "600"))
        async with task_owner() as tasks:
            options = FleetOptions(path=path, status=tmp_path / "status.json")
            fleet = tasks.start(run_fleet(options, stopping=over.wait, reload=reload, note=notes.add), name="fleet")
            pids = await until(lambda: pids_of_runs(tmp_path / "status.json"), within_s=20)
            path.write_text(text.replace("DRAIN_S", "0.25"))
            reload.set()
            await notes.wait(f"read {path}: no job changed")
            os.kill(pids[0], signal.SIGSTOP)  # it finishes nothing
            over.set()
            await notes.wait("not finished after 0.25 s, and killed: record:a")
            os.kill(pids[0], signal.SIGCONT)
            assert await fleet is False


def pids_of_runs(status: Path) -> list[int]:
    """Return the processes that carry out a run."""
    if not status.exists():
        return []
    workers = msgspec.json.decode(status.read_bytes())["workers"]
    return [worker["pid"] for worker in workers if worker["pid"] and worker["runs"]]


class Notes:
    """What a fleet told, and a way to wait for it."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._changed = asyncio.Event()

    def add(self, text: str) -> None:
        """Take a line."""
        self._told.append(text)
        self._changed.set()

    async def wait(self, text: str) -> None:
        """Wait for a line that begins so."""
        async with asyncio.timeout(15):
            while not any(line.startswith(text) for line in self._told):
                self._changed.clear()
                await self._changed.wait()


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that is only not yet waited for is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """It is said in one line before anything starts, with exit code 2."""
    (tmp_path / "jobs.toml").write_text('[[record]]\nalias = "a@b"\npin = "8317"')
    outcome = pexrtc_here("run", str(tmp_path / "jobs.toml"))
    assert outcome.code == ExitCode.USAGE
    assert "unknown field `pin`" in outcome.err
    assert "8317" not in outcome.err
