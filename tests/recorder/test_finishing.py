"""What is made of a recording when it is complete: slides as a track, another form, and what fails at it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import pytest

from pexrtc_py.media.frames import EncodedFrame
from pexrtc_py.media.writers.target import part_path
from pexrtc_py.recorder.finishing import finish, other_forms
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.roles import Role
from pexrtc_py.tasks import task_owner
from tests.recorder.beacon import job_of
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, expected, read
from tests.support.waiting import until


def sound() -> list[EncodedFrame]:
    """Four seconds of it."""
    return opus_frames(200, start=START, ntp_offset=1e9)


def pictures() -> list[EncodedFrame]:
    """Four seconds of them."""
    return vp8_frames(120, start=START, ntp_offset=1e9)


def slides() -> list[EncodedFrame]:
    """A second of them, in the middle."""
    return vp8_frames(30, start=START + 1.5, ntp_offset=1e9, width=320, height=240)


async def recorded(path: Path) -> RecordingResult:
    """Record sound, picture and slides."""
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES)
        await scene.play(audio=sound(), video=pictures(), slides=slides())
    return recording.result


@pytest.mark.slow
async def test_slides_become_a_track_of_the_complete_file(tmp_path: Path) -> None:
    """One file under the recording's name with every packet of all three, and the result says so."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    assert [one.name for one in before.files] == ["talk.mkv", "talk.slides.mkv"]
    finished = await finish(replace(job_of("http://node", path), slides_as_track=True), before)
    assert [one.name for one in tmp_path.iterdir()] == ["talk.mkv"]
    assert finished.result.files == (path,)
    assert {stream.file for stream in finished.result.streams} == {path}
    assert finished.result.bytes == path.stat().st_size
    content = read(path)
    assert content["opus"] == expected(sound())
    assert sorted(content["vp8"]) == sorted(expected(pictures()) + expected(slides()))
    with av.open(path) as container:
        assert [(one.type, one.metadata["title"]) for one in container.streams] == [
            ("audio", "audio"),
            ("video", "video"),
            ("video", "slides"),
        ]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_slides_that_cannot_be_joined_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The recording is as it was, and one line says why."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    [_, apart] = before.files
    apart.write_bytes(b"broken")
    whole = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        finished = await finish(replace(job_of("http://node", path), slides_as_track=True), before)
    assert finished.result == before
    assert path.read_bytes() == whole
    assert "the slides stay in their own file" in caplog.text
    assert {one.name for one in tmp_path.iterdir()} == {"talk.mkv", "talk.slides.mkv"}


@pytest.mark.slow
async def test_another_form_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each file but that of the slides is transcoded; a name that is taken costs the copy alone."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    whole = path.read_bytes()
    job = replace(job_of("http://node", path), transcode="small")
    assert await other_forms(job, before) == (tmp_path / "talk.mp4",)
    assert path.read_bytes() == whole
    with av.open(tmp_path / "talk.mp4") as container:
        assert [one.codec_context.name for one in container.streams] == ["aac", "h264"]
        assert len(list(container.decode(video=0))) == 120
    with caplog.at_level(logging.WARNING):
        assert await other_forms(job, before) == ()
    assert "talk.mp4 exists already" in caplog.text
    assert not part_path(tmp_path / "talk.mp4").exists()


@pytest.mark.slow
async def test_a_form_that_is_not_waited_for(tmp_path: Path) -> None:
    """A fleet that drains, for example: the child ends, and leaves nothing half; the recording is whole."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    async with task_owner() as tasks:
        making = tasks.start(other_forms(replace(job_of("http://node", path), transcode="mp4"), before), name="forms")
        await until(part_path(tmp_path / "talk.mp4").exists, within_s=20, every_s=0.001)
        making.cancel()
    assert {one.name for one in tmp_path.iterdir()} == {"talk.mkv", "talk.slides.mkv"}
    assert child_with("transcode") is None


@pytest.mark.slow
async def test_a_form_whose_recorder_was_killed(tmp_path: Path) -> None:
    """The child ends with it, and takes along what it has half made: `talk.part.mp4` once stayed for ever."""
    path, target = tmp_path / "talk.mkv", tmp_path / "talk.mp4"
    await recorded(path)
    program = (
        "import asyncio; from pexrtc_py.media.child import in_child; "
        f"asyncio.run(in_child('transcode', {str(path)!r}, {str(target)!r}, 'mp4', deadline_s=60))"
    )
    recorder = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await until(part_path(target).exists, within_s=30, every_s=0.001)
    recorder.kill()
    await recorder.wait()
    await until(lambda: not part_path(target).exists())
    assert {one.name for one in tmp_path.iterdir()} == {"talk.mkv", "talk.slides.mkv"}


@pytest.mark.slow
async def test_many_that_end_at_once_are_made_one_after_the_other(tmp_path: Path) -> None:
    """Fifty meetings that ended at the full hour were once encoded at the same time, until their memory or time ran
    out."""
    results = [await recorded(tmp_path / f"talk{number}.mkv") for number in range(3)]
    most = 0

    async def count() -> None:
        nonlocal most
        while True:
            most = max(most, len(children_with("transcode")))
            await asyncio.sleep(0.01)

    async with task_owner() as tasks:
        tasks.start(count(), name="count")
        jobs = [replace(job_of("http://node", tmp_path / f"talk{n}.mkv"), transcode="m4a") for n in range(3)]
        made = await asyncio.gather(*(other_forms(job, result) for job, result in zip(jobs, results, strict=True)))
    assert made == [(tmp_path / f"talk{number}.m4a",) for number in range(3)]
    assert most == 1


async def test_pictures_that_cannot_be_made_leave_no_folder(tmp_path: Path) -> None:
    """One that was there before is nobody's to remove."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    (tmp_path / "talk.slides.mkv").write_bytes(b"broken")
    job = replace(job_of("http://node", path), thumbnails=True)
    assert [one.name for one in (await finish(job, before)).made] == ["talk.jpg"]
    assert {one.name for one in tmp_path.iterdir()} == {"talk.mkv", "talk.jpg", "talk.slides.mkv"}
    (tmp_path / "talk.slides").mkdir()
    await finish(job, before)
    assert (tmp_path / "talk.slides").is_dir()


@pytest.mark.slow
async def test_pictures_of_it(tmp_path: Path) -> None:
    """One of the whole and one of each slide, decoded from key frames; slides that join the file had theirs before."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    finished = await finish(replace(job_of("http://node", path), thumbnails=True, slides_as_track=True), before)
    assert [one.relative_to(tmp_path).as_posix() for one in finished.made] == [
        "talk.jpg",
        "talk.slides/slide-001.jpg",
    ]
    sizes = []
    for made in finished.made:
        with av.open(made) as picture:
            sizes.append((picture.streams.video[0].width, picture.streams.video[0].height))
    assert sizes == [(pictures()[0].width, pictures()[0].height), (320, 240)]
    assert {one.name for one in tmp_path.iterdir()} == {"talk.mkv", "talk.jpg", "talk.slides"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are looked for in /proc")
async def test_a_child_that_is_killed_costs_a_picture_and_no_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While another recording goes on in the process, it misses nothing; the next child does its work."""
    path = tmp_path / "talk.mkv"
    before = await recorded(path)
    whole = path.read_bytes()
    scene = Scene(tmp_path / "next.mkv")

    async def kill() -> None:
        os.kill(await until(lambda: child_with("thumbnail"), every_s=0.005), signal.SIGKILL)

    with caplog.at_level(logging.WARNING):
        async with scene.recording as recording, asyncio.TaskGroup() as group:
            scene.attach(Role.AUDIO, Role.VIDEO)
            finishing = group.create_task(finish(replace(job_of("http://node", path), thumbnails=True), before))
            group.create_task(kill())
            await scene.play(audio=sound(), video=pictures())
            finished = await finishing
    assert [one.name for one in finished.made] == ["slide-001.jpg"]
    assert "no picture of it: thumbnail: died with status -9" in caplog.text
    assert not (tmp_path / "talk.jpg").exists()
    assert path.read_bytes() == whole
    assert read(tmp_path / "next.mkv") == {"opus": expected(sound()), "vp8": expected(pictures())}
    assert recording.result.error is None


def child_with(word: str) -> int | None:
    """Return a process of ours whose command line has a word."""
    return next(iter(children_with(word)), None)


def children_with(word: str) -> list[int]:
    """Return the processes of ours whose command line has a word."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and word.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
