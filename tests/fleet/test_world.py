"""What happens in a fleet is told to webhooks, and its figures become metrics."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from pexrtc_py.errors import UsageError
from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.jobs import FleetFile, parse_jobs
from pexrtc_py.fleet.messages import Ended, Outcome
from pexrtc_py.fleet.record_run import note_file
from pexrtc_py.fleet.status import FleetStatus, JobStatus
from pexrtc_py.fleet.supervisor import FileDone, JobEnded, JobRefused, JobStarted, RunFinished
from pexrtc_py.fleet.world import World, job_sample, machine_sample
from pexrtc_py.service.metrics import metrics_page
from pexrtc_py.service.webhooks import verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def jobs(tmp_path: Path, url: str, more: str = "") -> FleetFile:
    """A list with one recording and a webhook."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    return parse_jobs(
        f"""
        [[webhook]]
        url = "{url}"
        secret_file = "{tmp_path}/secret"
        [[record]]
        alias = "board"
        node = "http://127.0.0.1:1"
        output = "{tmp_path}/{{alias}}.mkv"
        {more}
        """
    )


async def test_each_happening_is_told_and_signed(tmp_path: Path) -> None:
    """Start, file, end, failure and refusal, in order, each with its job; a receiver can check every one."""
    came: list[tuple[dict[str, str], bytes]] = []
    enough = asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        if len(came) == 5:
            enough.set()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        file = jobs(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
        [job] = file.jobs
        good = Ended(job_id=job.id, number=1, outcome=Outcome.DONE, reason="stopped", result={"bytes": 7})
        bad = Ended(job_id=job.id, number=2, outcome=Outcome.LOST, reason="worker 0 was killed by signal 9")
        async with World(file) as world:
            world.note(JobStarted(job=job, path="/x.mkv"))
            world.note(FileDone(job=job, path="/x.mkv", bytes=7))
            world.note(JobEnded(job=job, ended=good))
            world.note(JobEnded(job=job, ended=bad))
            world.note(JobRefused(job=job, reason="disk: 1 MB left"))
            async with asyncio.timeout(10):
                await enough.wait()
        assert world.counters["webhooks_delivered"] == 5
    finally:
        await runner.cleanup()
    for headers, body in came:
        assert verify(SECRET, headers, body, now=float(headers["webhook-timestamp"]))
    told = [json.loads(body) for _, body in came]
    assert [one["type"] for one in told] == ["job.start", "job.segment", "job.stop", "job.error", "job.refused"]
    assert all((one["data"]["job"], one["data"]["kind"]) == ("record:board", "record") for one in told)
    assert told[2]["data"]["result"] == {"bytes": 7}
    assert told[3]["data"]["reason"] == "worker 0 was killed by signal 9"


async def test_files_stay_until_all_is_made_of_them(tmp_path: Path) -> None:
    """Uploaded and confirmed, a recording is still there for the child that encodes it; of each run that does."""
    target = tmp_path / "target"
    target.mkdir()
    text = f'[upload]\nto = "{target}"\ndelete = "hash"\n[[record]]\nalias = "board"\nnode = "http://127.0.0.1:1"\n'
    file = parse_jobs(text + f'output = "{tmp_path}/{{alias}}.mkv"\ntranscode = "mp4"\n')
    [job] = file.jobs
    assert isinstance(job, RecordJobEntry)
    path = tmp_path / "board.mkv"
    path.write_bytes(b"a recording")
    note_file(job, path)
    end = Ended(job_id=job.id, number=1, outcome=Outcome.DONE, reason="stopped", goes_on=True)
    async with World(file) as world:
        assert world.uploads is not None
        world.note(JobStarted(job=job, path=str(path)))
        world.note(FileDone(job=job, path=str(path), bytes=11))
        async with asyncio.timeout(10):
            await world.uploads.finished()
        world.note(JobEnded(job=job, ended=end))
        world.note(JobStarted(job=job, path="next"))
        assert path.exists()
        world.note(RunFinished(job_id=job.id))
        assert path.exists(), "the next run of the job needs its own"
        world.note(JobEnded(job=job, ended=msgspec.structs.replace(end, number=2, goes_on=False)))
        assert not path.exists()
    assert (target / "board.mkv").read_bytes() == b"a recording"


def test_a_list_that_changes_for_years_does_not_grow(tmp_path: Path) -> None:
    """Each version of each job was once kept for its leftovers; one of another folder still is."""
    text = '[[record]]\nalias = "board"\nnode = "http://127.0.0.1:1"\noutput = "FOLDER/{alias}.mkv"\nname = "NAME"\n'
    text = text.replace("FOLDER", str(tmp_path))
    world = World(parse_jobs(text.replace(str(tmp_path), str(tmp_path / "before"))))
    for number in range(100):
        world.apply(parse_jobs(text.replace("NAME", f"Recorder {number}")))
    assert [(job.name, job.folder.name) for job in world._recordings] == [
        ("Recorder 99", tmp_path.name),
        ("NAME", "before"),
    ]


def test_a_secret_that_cannot_be_read(tmp_path: Path) -> None:
    """It is found out before anything starts, and names the file."""
    file = jobs(tmp_path, "http://127.0.0.1:1/")
    (tmp_path / "secret").unlink()
    with pytest.raises(UsageError, match=r"secret: No such file"):
        World(file)


def test_metrics_of_a_status() -> None:
    """A probe's figures and a recording's counts come out by their names."""
    result: dict[str, object] = {
        "duration_s": 30.0,
        "figures": [{"metric": "audio.mos", "stream": "1 → 2", "aggregate": "mean", "value": 4.25}],
    }
    probe = JobStatus(
        id="p", kind="probe", alias="a", state="waiting", reason="passed", since=0.0, runs=1, failures=0, refusals=0,
        worker=None, path=None, seconds=0.0, bytes=0, outcome="done", result=result,
    )  # fmt: skip
    status = FleetStatus(
        time=1.0, since=0.0, draining=False, cpu=0.5, memory_free_bytes=1000, workers=(), jobs=(probe,)
    )
    page = metrics_page([job_sample(one) for one in status.jobs], machine_sample(status, {"uploads": 3})).decode()
    assert 'metric="audio.mos",stream="1 → 2"} 4.25' in page
    assert 'pexrtc_probe_passed{alias="a",job="p",kind="probe"} 1.0' in page
    assert 'figure="duration_s"' in page
    assert "pexrtc_uploads_total 3.0" in page
    assert "pexrtc_cpu_ratio 0.5" in page
