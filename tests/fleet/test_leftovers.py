"""Files that a killed run left are made whole and uploaded; those in use, or of somebody else, are not touched."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from pathlib import Path

import av
import pytest

from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.jobs import FleetFile, parse_jobs
from pexrtc_py.fleet.leftovers import Leftovers
from pexrtc_py.fleet.messages import Ended, Outcome
from pexrtc_py.fleet.supervisor import JobEnded
from pexrtc_py.fleet.world import World
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.containers import CONTAINERS
from pexrtc_py.media.writers.target import is_being_written, part_path
from pexrtc_py.media.writers.tracks import TrackSpec
from pexrtc_py.service.kept_files import read_note
from tests.support.frames import opus_frames, vp8_frames


async def leave_behind(path: Path, content: Path) -> None:
    """Leave what is in the file of a recording before it is closed."""
    sound, pictures = opus_frames(100), vp8_frames(60)
    specs = [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])]
    async with ContainerWriter(CONTAINERS["mkv"], path, specs, origin=0.0) as writer:
        for index, frames in enumerate((sound, pictures)):
            for frame in frames:
                writer.tracks[index].push(frame)
        await writer.flush()
        assert is_being_written(writer.path)
        shutil.copy(writer.path, content)
    path.unlink()


def packets(path: Path) -> dict[str, int]:
    """Count those of each kind."""
    with av.open(path) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    return {kind: kinds.count(kind) for kind in kinds}


def put_part(path: Path, content: Path | bytes) -> Path:
    """Put down what a kill a while ago left of a file; return where."""
    part = part_path(path)
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    os.utime(part, (time.time() - 60, time.time() - 60))
    return part


def jobs(folder: Path, *aliases: str, more: str = "") -> FleetFile:
    """A list of recordings that all go to one folder."""
    entries = [
        f'[[record]]\nalias = "{alias}"\nnode = "http://127.0.0.1:1"\noutput = "{folder}/{{alias}}.mkv"\n'
        for alias in aliases
    ]
    return parse_jobs(more + "".join(entries))


SAID = {"at_s": 0.5, "event": "message_received", "data": {"origin": "A", "uuid": "a", "payload": "hi"}}


@pytest.mark.slow
async def test_what_was_killed_is_mended_noted_and_uploaded(tmp_path: Path) -> None:
    """With every frame it had, under the name it would have had, and with what its events tell beside; no disk has it
    twice."""
    folder, target = tmp_path / "recordings", tmp_path / "target"
    target.mkdir()
    ours, theirs, young = (folder / f"{name}.mkv" for name in ("board-3", "holiday", "board-4"))
    file = jobs(folder, "other", "board", more=f'[upload]\nto = "{target}"\n')
    await leave_behind(ours, tmp_path / "content")
    put_part(ours, tmp_path / "content")
    put_part(theirs.with_suffix(".mp4"), tmp_path / "content")
    hopeless = put_part(folder / "board-9.mkv", b"no recording")
    shutil.copy(tmp_path / "content", part_path(folder / "board-8.mkv"))  # written just now, by who knows whom
    (folder / "board-3.events.jsonl").write_text(json.dumps(SAID) + "\n")
    async with ContainerWriter(CONTAINERS["mkv"], young, [TrackSpec.of(opus_frames(1)[0])], origin=0.0):
        os.utime(part_path(young), (0, 0))
        async with World(file) as world:
            await world.mend_leftovers()
            before = sorted(folder.iterdir())
            await world.mend_leftovers()
            assert sorted(folder.iterdir()) == before, "once is enough"
            assert world.uploads is not None
            async with asyncio.timeout(10):
                await world.uploads.finished()
        assert part_path(young).exists()
        assert not young.exists()
    assert not theirs.with_suffix(".mp4").exists()
    assert not (folder / "board-8.mkv").exists()
    assert hopeless.read_bytes() == b"no recording"
    assert packets(ours) == packets(tmp_path / "content") == {"audio": 100, "video": 60}
    assert not part_path(ours).exists(), "everything of it is in the file that was made of it"
    assert read_note(ours).job == "record:board", "that of its alias, not the first of its template"
    assert {path.name for path in target.iterdir()} == {
        "board-3.mkv",
        "board-3.events.jsonl",
        "board-3.roster.json",
        "board-3.speakers.vtt",
        "board-3.chat.vtt",
    }
    assert (target / "board-3.mkv").read_bytes() == ours.read_bytes()
    assert "hi</v>" in (target / "board-3.chat.vtt").read_text()


@pytest.mark.slow
async def test_what_lies_behind_damage_is_not_thrown_away(tmp_path: Path) -> None:
    """A leftover of which more than its torn end cannot be read stays, under a name that says so; it is mended once."""
    await leave_behind(tmp_path / "talk.mkv", tmp_path / "content")
    content = (tmp_path / "content").read_bytes()
    folder = tmp_path / "recordings"
    damaged = content[: len(content) // 2] + bytes(3 << 20) + content[len(content) // 2 :]
    put_part(folder / "board.mkv", damaged)
    async with World(jobs(folder, "board")) as world:
        await world.mend_leftovers()
        assert {path.name for path in folder.iterdir()} == {"board.mkv", "board.damaged.mkv"}
        assert (folder / "board.damaged.mkv").read_bytes() == damaged
        assert 0 < sum(packets(folder / "board.mkv").values()) < 160
        (folder / "board.mkv").unlink()  # uploaded, and removed
        await world.mend_leftovers()
    assert {path.name for path in folder.iterdir()} == {"board.damaged.mkv"}


@pytest.mark.slow
async def test_a_mending_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Half a copy is made anew; a whole one is looked at and kept, and its leftover removed only if it is the same."""
    folder = tmp_path / "recordings"
    await leave_behind(tmp_path / "talk.mkv", tmp_path / "content")
    for name in ("half", "whole", "another"):
        put_part(folder / f"{name}.mkv", tmp_path / "content")
    (folder / "half.repairing.mkv").write_bytes(b"half of it")
    for name, last in (("whole", None), ("another", 50)):
        sound, pictures = opus_frames(100)[:last], vp8_frames(60)
        specs = [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])]
        async with ContainerWriter(CONTAINERS["mkv"], tmp_path / f"{name}.mkv", specs, origin=0.0) as writer:
            for index, frames in enumerate((sound, pictures)):
                for frame in frames:
                    writer.tracks[index].push(frame)
        (tmp_path / f"{name}.mkv").rename(folder / f"{name}.mkv")
    async with World(jobs(folder, "x", more="[upload]\nkeep_days = 9\n")) as world:
        await world.mend_leftovers()
    assert {path.name for path in folder.iterdir()} == {
        *("half.mkv", "half.mkv.upload.json", "whole.mkv", "whole.mkv.upload.json"),
        *("another.mkv", "another.part.mkv"),
    }
    assert packets(folder / "half.mkv") == packets(folder / "whole.mkv") == {"audio": 100, "video": 60}


@pytest.mark.slow
async def test_the_last_segment_and_the_slides_of_a_killed_recording(tmp_path: Path) -> None:
    """They are mended, and what the events of the whole recording tell is written beside it, under its name."""
    folder = tmp_path / "recordings"
    await leave_behind(tmp_path / "talk.mkv", tmp_path / "content")
    for name in ("board.003.mkv", "board.slides.mkv"):
        put_part(folder / name, tmp_path / "content")
    (folder / "board.events.jsonl").write_text(json.dumps({**SAID, "at_s": 62.5}) + "\n")
    file = jobs(folder, "board")
    async with World(file) as world:
        await world.mend_leftovers()
    names = ("003.mkv", "slides.mkv", "events.jsonl", "roster.json", "speakers.vtt", "chat.vtt")
    assert {path.name for path in folder.iterdir()} == {f"board.{name}" for name in names}
    assert "00:01:02.500" in (folder / "board.chat.vtt").read_text()


@pytest.mark.slow
async def test_what_could_not_be_mended_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It once stayed as it was until the next start, though the disk was only full for an hour; it is told of once."""
    await leave_behind(tmp_path / "talk.mkv", tmp_path / "content")
    folder, now = tmp_path / "recordings", 0.0
    put_part(folder / "board.mkv", tmp_path / "content")
    (folder / "board.repairing.mkv").mkdir()  # in the way, as a full disk is
    leftovers = Leftovers(clock=lambda: now)
    entries = [job for job in jobs(folder, "board").jobs if isinstance(job, RecordJobEntry)]
    for moment in (0.0, 599.0, 600.0, 1799.0):
        now = moment
        assert [path async for _, path in leftovers.mend(entries)] == []
    assert caplog.text.count("stays as it is") == 1
    (folder / "board.repairing.mkv").rmdir()
    assert [path async for _, path in leftovers.mend(entries)] == []
    now = 1800.0
    assert [path async for _, path in leftovers.mend(entries)] == [folder / "board.mkv"]
    assert packets(folder / "board.mkv") == {"audio": 100, "video": 60}


async def test_what_was_half_made_of_complete_recordings(tmp_path: Path) -> None:
    """Another form, slides being joined: removed, unless it may be all there is, or somebody else's."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a.mkv", "b.mkv"):
        (folder / name).write_bytes(b"a recording")
    halves = [put_part(folder / name, b"half") for name in ("a.mp4", "a.joined.mkv")]
    others = [put_part(folder / name, b"half") for name in ("b.m4a", "gone.mp4", "gone.joined.mkv")]
    others.append(part_path(folder / "b.mp4"))
    others[-1].write_bytes(b"written just now")
    text = (
        f'[[record]]\nalias = "a"\nnode = "http://127.0.0.1:1"\noutput = "{folder}/{{alias}}.mkv"\ntranscode = "mp4"\n'
    )
    entries = [job for job in parse_jobs(text).jobs if isinstance(job, RecordJobEntry)]
    assert [path async for _, path in Leftovers().mend(entries)] == []
    assert [path.exists() for path in halves] == [False, False]
    assert all(path.exists() for path in others)


async def test_a_process_that_dies_is_news() -> None:
    """Leftovers were looked for each ten minutes only; an end that left nothing is none."""
    file = jobs(Path("/nowhere"), "a")
    async with World(file) as world:
        world.note(JobEnded(job=file.jobs[0], ended=ended(Outcome.FAILED)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await world.recording_lost()
        world.note(JobEnded(job=file.jobs[0], ended=ended(Outcome.LOST)))
        async with asyncio.timeout(1):
            await world.recording_lost()


def ended(outcome: Outcome) -> Ended:
    """What a process, or its end, says of a run."""
    return Ended(job_id="record:a", number=1, outcome=outcome, reason="so")


@pytest.mark.slow
async def test_jobs_that_came_later_count(tmp_path: Path) -> None:
    """What SIGHUP brought had its leftovers mended with the next start only."""
    await leave_behind(tmp_path / "talk.mkv", tmp_path / "content")
    put_part(tmp_path / "b" / "b.mkv", tmp_path / "content")
    async with World(jobs(tmp_path / "a", "a")) as world:
        await world.mend_leftovers()
        world.apply(jobs(tmp_path / "b", "b"))
        await world.mend_leftovers()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["b.mkv"]
