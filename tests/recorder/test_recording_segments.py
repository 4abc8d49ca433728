"""A recording in many files: where each ends, what it is called, when it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
from msgspec.structs import replace

from pexrtc_py.recorder.file_series import SegmentRules
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, read
from tests.support.waiting import until


async def test_segments_lose_no_frame_and_play_alone(tmp_path: Path) -> None:
    """Every file begins with a key frame; together they hold each packet once, late sound included."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(400, start=START, ntp_offset=1.0)
    late = [replace(frame, time=frame.time - 0.1) for frame in sound]  # comes 100 ms after pictures of the same time
    pictures = vp8_frames(240, start=START, ntp_offset=1.0, key_interval=30)
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=2.0)))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        recording.add_chapter("beginning", at=START)
        recording.add_chapter("middle", at=START + 3.0)
        feed = sorted(
            [(a.time, Role.AUDIO, b) for a, b in zip(sound, late, strict=True)]
            + [(f.time, Role.VIDEO, f) for f in pictures],
            key=lambda entry: entry[0],
        )
        for at, role, frame in feed:
            scene.clock.now = at
            scene.streams[role].push(frame)
            recording._check()
    files = recording.result.files
    assert [file.name for file in files] == [f"talk.00{n}.mkv" for n in range(1, len(files) + 1)]
    assert len(files) == 3  # the first key frame after 2 s each
    assert [data for file in files for _, data in read(file)["opus"]] == [frame.data for frame in sound]
    assert [data for file in files for _, data in read(file)["vp8"]] == [frame.data for frame in pictures]
    chapters: list[list[str]] = []
    for file in files:
        with av.open(file) as container:
            assert next(container.demux(video=0)).is_keyframe
            chapters.append([chapter["metadata"]["title"] for chapter in container.chapters()])
    assert chapters == [["beginning"], ["beginning", "middle"], ["middle"]]


async def test_a_segment_whose_name_is_taken_takes_the_next(tmp_path: Path) -> None:
    """A file of an earlier recording once ended this one; neither that nor one under way is touched."""
    path = tmp_path / "talk.mkv"
    (tmp_path / "talk.002.mkv").write_bytes(b"of last week")
    (tmp_path / "talk.004.part.mkv").write_bytes(b"of somebody")
    sound = opus_frames(400, start=START, ntp_offset=1.0)
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=2.0)))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        await scene.play(audio=sound)
    assert recording.result.error is None
    assert [file.name for file in recording.result.files] == [f"talk.00{n}.mkv" for n in (1, 3, 5, 6)]
    assert [data for file in recording.result.files for _, data in read(file)["opus"]] == [one.data for one in sound]
    assert (tmp_path / "talk.002.mkv").read_bytes() == b"of last week"
    assert (tmp_path / "talk.004.part.mkv").read_bytes() == b"of somebody"


async def test_segments_of_the_past_cost_nothing(tmp_path: Path) -> None:
    """A day of minutes once took longer to look at with each, and 23 s of the event loop to be closed."""
    path = tmp_path / "talk.mkv"
    told: list[Path] = []
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.0)))
    async with scene.recording as recording:
        recording.on_file_closed = told.append
        scene.attach(Role.AUDIO)
        for second in range(20):
            recording.add_chapter(f"chapter {second}", at=START + second)
            await scene.play(audio=opus_frames(50, start=START + second, ntp_offset=1.0))
            async with asyncio.timeout(10):
                while len(recording._main._files) > 3:  # the one before is open for late sound, one closes
                    await asyncio.sleep(0)
                    recording._check()
        assert len(recording._main._files) <= 3, "closed ones are gone over by nobody"
    result = recording.result
    assert told == list(result.files)
    assert len(result.files) > 12
    assert result.bytes == recording.size_bytes == sum(file.stat().st_size for file in result.files)
    start_s, end_s = (stream.file_start_s for stream in result.streams[10:12])
    with av.open(result.files[10]) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    assert titles == [f"chapter {second}" for second in range(20) if second < end_s and second + 1 > start_s]


async def test_segments_by_size(tmp_path: Path) -> None:
    """A file that has so many bytes ends at the next key frame; none of its packets is missing."""
    path = tmp_path / "talk.mkv"
    pictures = vp8_frames(240, start=START, ntp_offset=1.0, key_interval=30)
    limit = sum(len(frame.data) for frame in pictures) // 3
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(size_bytes=limit)))
    async with scene.recording as recording:
        scene.attach(Role.VIDEO)
        for number, frame in enumerate(pictures):
            scene.clock.now = frame.time
            scene.streams[Role.VIDEO].push(frame)
            if number % 30 == 10 and recording._main._open is not None:
                await recording._main._open.writer.flush()
            recording._check()
    files = recording.result.files
    assert len(files) >= 2
    assert [data for file in files for _, data in read(file)["vp8"]] == [frame.data for frame in pictures]
    assert all(file.stat().st_size >= limit for file in files[:-1])


async def test_each_file_is_told_once_it_is_complete(tmp_path: Path) -> None:
    """Segments while the recording goes on, the last ones and the slides at its end; each once, under its own name."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.0)))
    told: list[str] = []
    scene.recording.on_file_closed = lambda file: told.append(file.name if file.stat().st_size else "empty")
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES)
        await scene.play(
            audio=opus_frames(200, start=START, ntp_offset=1e9),
            video=vp8_frames(120, start=START, ntp_offset=1e9, key_interval=15),
            slides=vp8_frames(20, start=START + 1.0, ntp_offset=1e9),
        )
        await until(lambda: len(told) >= 2)  # the recording looks five times a second
        assert told[:2] == ["talk.001.mkv", "talk.002.mkv"]
    assert sorted(told) == sorted(file.name for file in recording.result.files)
    assert "talk.slides.mkv" in told
