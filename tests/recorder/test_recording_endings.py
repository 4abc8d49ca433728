"""What ends a recording: a rule, or who cancels it; its files are complete all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.stopping import Ended, StopRules
from tests.support.frames import opus_frames, vp8_frames
from tests.support.held_disk import HeldDisk
from tests.support.recording_scene import START, Frames, Scene, expected, packets_and_gaps, read
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("rules", "ended"),
    [
        (StopRules(duration_s=1.0), Ended.DURATION),
        (StopRules(size_bytes=2000), Ended.SIZE),
        (StopRules(silence_s=1.0), Ended.SILENCE),
        (StopRules(alone_s=1.0), Ended.ALONE),
    ],
)
async def test_a_rule_ends_it(tmp_path: Path, rules: StopRules, ended: Ended) -> None:
    """Whoever waits learns why, and nothing is written after."""
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", stop=rules))
    sound = opus_frames(300, start=START, ntp_offset=1.0)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        recording.watch.note_people(0)
        recording.watch.note_voice()
        await scene.play(audio=sound)
        async with asyncio.timeout(5):
            assert await recording.wait_ended() is ended
    assert recording.ended is ended
    if ended is not Ended.SIZE:  # the disk is behind frames that come faster than real time
        assert packets_and_gaps(recording.result, Role.AUDIO)[0] < 70


async def test_company_and_voices_keep_it_going(tmp_path: Path) -> None:
    """Nobody is alone with others there, and a voice now and then is no silence."""
    rules = StopRules(alone_s=1.0, silence_s=1.0)
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", stop=rules))
    sound = opus_frames(150, start=START, ntp_offset=1.0)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        recording.watch.note_people(1)
        for n in range(0, 150, 30):
            recording.watch.note_voice()
            await scene.play(audio=sound[n : n + 30])
        assert recording.ended is None


async def record(scene: Scene, playing: asyncio.Event, disk: HeldDisk | None = None, **frames: Frames) -> None:
    """Record these frames, tell that they have come, on a disk that then takes no more if there is one, and go on."""
    async with scene.recording as recording:
        scene.attach(*(Role(role) for role in frames))
        await scene.play(**frames)
        if disk is not None:
            await disk.hold()
        playing.set()
        await recording.wait_ended()


async def test_a_second_cancel_leaves_no_file_open(tmp_path: Path) -> None:
    """The slides were closed only after the wait for the main file, so who cancelled that wait left them incomplete."""
    scene = Scene(tmp_path / "talk.mkv")
    sound, slides = opus_frames(50, start=START, ntp_offset=1.0), vp8_frames(30, start=START, ntp_offset=1.0)
    playing = asyncio.Event()
    with HeldDisk() as disk:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(record(scene, playing, disk, audio=sound, slides=slides))
            await playing.wait()
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
        assert task.cancelled()
        assert not scene.recording.has_result
    await until(lambda: not any(".part" in entry.name for entry in tmp_path.iterdir()))
    assert {entry.name for entry in tmp_path.iterdir()} == {"talk.mkv", "talk.slides.mkv"}
    assert list(read(tmp_path / "talk.mkv").values()) == [expected(sound)]
    assert list(read(tmp_path / "talk.slides.mkv").values()) == [expected(slides)]


async def test_a_cancelled_recording_is_complete(tmp_path: Path) -> None:
    """Cancelling the task that records leaves a closed file."""
    scene = Scene(tmp_path / "talk.mkv")
    sound = opus_frames(50, start=START, ntp_offset=1.0)
    playing = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(record(scene, playing, audio=sound))
        await playing.wait()
        task.cancel()
    assert task.cancelled()
    assert list(read(tmp_path / "talk.mkv").values()) == [expected(sound)]
