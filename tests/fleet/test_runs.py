"""One run of each kind against our node: what it does, how it ends, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import pytest

from pexrtc_py.endpoint.conference import connect
from pexrtc_py.fleet.active_run import ActiveRun
from pexrtc_py.fleet.entries import AnnounceJob, Job, ProbeJob, RecordJobEntry
from pexrtc_py.fleet.messages import Ended, FileClosed, Outcome, Report, Run, Started
from pexrtc_py.fleet.record_run import free_path
from pexrtc_py.fleet.runs import carry_out
from pexrtc_py.media.clips import clip_path
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.recorder.sidecars import SIDECAR_ENDINGS
from pexrtc_py.service.kept_files import read_note
from pexrtc_py.tasks import task_owner

from ..support.waiting import until


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node with a conference that has a PIN; others come to life."""
    pin = RoomSettings(alias="meet.pin", pin="8317", allow_guests=False)
    async with Node(NodeConfig(conferences={"meet.pin": pin}, open=True)) as node:
        yield node


class Told:
    """What a run told, and a way to wait for it."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._changed = asyncio.Event()

    def __call__(self, report: Report) -> None:
        self.reports.append(report)
        self._changed.set()

    async def wait(self, condition: Callable[[Report], bool]) -> None:
        async with asyncio.timeout(10):
            while not any(condition(report) for report in self.reports):
                self._changed.clear()
                await self._changed.wait()


def active(job: Job, told: Told, **how: object) -> ActiveRun:
    """A run of a job."""
    return ActiveRun(run=Run(job=job, number=1, **how), tell=told)  # type: ignore[arg-type]


def entry(node: Node, alias: str, folder: Path, **how: object) -> RecordJobEntry:
    """A recording."""
    output = f"{folder}/{{alias}}.mkv"
    return RecordJobEntry(alias=alias, id="r", node=node.url, output=output, **how)  # type: ignore[arg-type]


async def test_a_wrong_pin_is_not_tried_on(node: Node, tmp_path: Path) -> None:
    """Only people can help; the PIN is in no report."""
    (tmp_path / "pin").write_text("5555\n")
    told = Told()
    ended = await carry_out(active(entry(node, "meet.pin", tmp_path, pin_file=str(tmp_path / "pin")), told))
    assert ended.outcome is Outcome.REFUSED
    assert "5555" not in repr((ended, told.reports))
    assert [path.name for path in tmp_path.iterdir()] == ["pin"], "no file was left"


async def test_a_pin_file_that_is_not_there(node: Node, tmp_path: Path) -> None:
    """It is named, and may be there next time."""
    ended = await carry_out(active(entry(node, "meet.pin", tmp_path, pin_file="/nowhere/pin"), Told()))
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "pin_file /nowhere/pin: No such file or directory")


@pytest.mark.slow
async def test_recorded_while_somebody_is_there(node: Node, tmp_path: Path) -> None:
    """It waits for a person, records, and ends when nobody is left; bots are nobody. Complete files have a note."""
    told = Told()
    run = active(
        entry(node, "meet.a", tmp_path, alone_s=0.5, sidecars=True), told, conference_only=True, note_files=True
    )
    ended: list[Ended] = []

    async def carry() -> None:
        ended.append(await carry_out(run))

    async with task_owner() as tasks:
        running = tasks.start(carry(), name="run")
        async with connect(node.url, "meet.a", display_name="Bot") as bot:
            await bot.session.wait_for(lambda session: len(session.roster.participants) == 2)
            assert not told.reports
        async with connect(node.url, "meet.a", display_name="Ann", call_tag=""):
            await told.wait(lambda report: isinstance(report, Started))
            await until(lambda: run.progress is not None and run.progress()["seconds"] >= 0.5)
        async with asyncio.timeout(10):
            await running
    [end] = ended
    assert (end.outcome, end.result["ended"]) == (Outcome.DONE, "alone")
    assert isinstance(end.result["packets"], int)
    assert end.result["packets"] >= 25
    closed = [Path(report.path).name for report in told.reports if isinstance(report, FileClosed)]
    assert closed[0] == "meet.a.mkv"
    assert {"meet.a.manifest.json", "meet.a.events.jsonl", "meet.a.roster.json"} <= set(closed)
    note = read_note(tmp_path / "meet.a.mkv")
    assert (note.job, note.key, note.size) == ("r", "meet.a.mkv", (tmp_path / "meet.a.mkv").stat().st_size)


@pytest.mark.slow
async def test_what_lies_beside_a_recording_that_failed(node: Node, tmp_path: Path) -> None:
    """It is told and noted like any other: once it was neither uploaded nor ever removed."""
    told = Told()
    run = active(entry(node, "meet.a", tmp_path, sidecars=True), told, note_files=True)
    ended: list[Ended] = []

    async def carry() -> None:
        ended.append(await carry_out(run))

    async with task_owner() as tasks:
        running = tasks.start(carry(), name="run")
        async with connect(node.url, "meet.a", display_name="Ann", call_tag=""):
            await until(lambda: run.progress is not None and run.progress()["seconds"] >= 0.5)
            (tmp_path / "meet.a.part.mkv").unlink()
            async with asyncio.timeout(10):
                await running
    [end] = ended
    assert end.outcome is Outcome.FAILED
    assert "deleted during the recording" in end.reason
    closed = {Path(report.path).name for report in told.reports if isinstance(report, FileClosed)}
    assert closed == {"meet.a.mkv", *(f"meet.a.{ending}" for ending in SIDECAR_ENDINGS)}
    for name in closed:
        assert read_note(tmp_path / name).size == (tmp_path / name).stat().st_size


@pytest.mark.slow
async def test_a_recording_with_all_that_is_made_of_it(node: Node, tmp_path: Path) -> None:
    """Slides put into its file, a picture, another form of it: each is told, once and as it is in the end."""
    told = Told()
    wishes = {
        "slides": "track",
        "thumbnails": True,
        "transcode": "m4a",
        "announce": str(clip_path("announcement.mkv")),
    }
    run = active(entry(node, "meet.a", tmp_path, duration_s=2.0, **wishes), told, note_files=True)
    played = AnnounceJob(
        alias="meet.a", id="p", node=node.url, files=(str(clip_path("motion.mkv")),), loop=0,
        present=str(clip_path("slide-1.png")),
    )  # fmt: skip
    playing = active(played, Told())
    async with task_owner() as tasks:
        player = tasks.start(carry_out(playing), name="player")
        async with asyncio.timeout(60):
            ended = await carry_out(run)
        playing.stopping.set()
        await player
    assert ended.outcome is Outcome.DONE, ended.reason
    assert ended.goes_on
    assert not (tmp_path / "meet.a.m4a").exists(), "the next run does not wait for what takes long"
    assert run.afterwards is not None
    await run.afterwards()
    closed = [Path(report.path) for report in told.reports if isinstance(report, FileClosed)]
    assert len(set(closed)) == len(closed)
    names = {path.relative_to(tmp_path).as_posix() for path in closed}
    assert {"meet.a.mkv", "meet.a.jpg", "meet.a.slides/slide-001.jpg", "meet.a.m4a"} <= names
    assert "meet.a.slides.mkv" not in names
    assert read_note(tmp_path / "meet.a.mkv").size == (tmp_path / "meet.a.mkv").stat().st_size
    with av.open(tmp_path / "meet.a.mkv") as container:
        assert [stream.type for stream in container.streams] == ["audio", "video", "video"]


async def test_an_announcement_that_cannot_be_made(node: Node, tmp_path: Path) -> None:
    """It fails with the reason, before anybody is called."""
    ended = await carry_out(active(entry(node, "meet.a", tmp_path, announce="/nowhere/this.wav"), Told()))
    assert ended.outcome is Outcome.FAILED
    assert "/nowhere/this.wav" in ended.reason
    assert list(tmp_path.iterdir()) == []


async def test_asked_to_stop_before_anybody_came(node: Node, tmp_path: Path) -> None:
    """It leaves, and has made no file."""
    run = active(entry(node, "meet.a", tmp_path), Told(), conference_only=True)
    run.stopping.set()
    ended = await carry_out(run)
    assert ended.outcome is Outcome.DONE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_an_announcement(node: Node) -> None:
    """It plays to the end, and says for how long."""
    job = AnnounceJob(alias="meet.b", id="p", node=node.url, files=(str(clip_path("motion.mkv")),))
    told = Told()
    ended = await carry_out(active(job, told))
    assert (ended.outcome, ended.reason) == (Outcome.DONE, "finished")
    assert ended.result["duration_s"] == pytest.approx(3.0, abs=0.3)
    assert [type(report) for report in told.reports] == [Started]


async def test_a_probe_that_misses(node: Node, tmp_path: Path) -> None:
    """Its figures are told, its report is kept, and a threshold that cannot be met is named."""
    job = ProbeJob(
        alias="meet.c",
        id="p",
        node=node.url,
        duration_s=1.0,
        width=320,
        height=180,
        frame_rate=15.0,
        fail_if=("video.fps < 1000",),
        report=f"{tmp_path}/{{alias}}.json",
    )
    ended = await carry_out(active(job, Told()))
    assert (ended.outcome, ended.reason) == (Outcome.MISSED, "missed video.fps < 1000")
    figures = ended.result["figures"]
    assert isinstance(figures, list)
    assert {"video.fps", "audio.delay_ms"} <= {one["metric"] for one in figures}
    assert (tmp_path / "meet.c.json").read_bytes().startswith(b'{"kind":"pair"')


@pytest.mark.slow
async def test_a_probe_alone(node: Node) -> None:
    """It was told that nobody else sends, so it has not failed although nothing came."""
    about = {"node": node.url, "duration_s": 1.0, "width": 320, "height": 180, "frame_rate": 15.0, "pair": False}
    ended = await carry_out(active(ProbeJob(alias="meet.d", id="p", alone=True, **about), Told()))  # type: ignore[arg-type]
    assert (ended.outcome, ended.reason) == (Outcome.DONE, "passed")


@pytest.mark.parametrize(
    "left",
    [
        "talk.mkv",
        "talk.part.mkv",
        "talk.001.part.mkv",
        "talk.slides.mkv",
        "talk.mkv.upload.json",
        "talk.001.mkv.upload.json",
        "talk.events.jsonl",
        "talk.html",
    ],
)
def test_a_name_that_is_taken(tmp_path: Path, left: str) -> None:
    """The next recording gets a number, and what a crash left, or says where an upload is, stays."""
    assert free_path(tmp_path / "talk.mkv") == tmp_path / "talk.mkv"
    (tmp_path / left).touch()
    assert free_path(tmp_path / "talk.mkv") == tmp_path / "talk-2.mkv"
