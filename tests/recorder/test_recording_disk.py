"""Recordings on disks that are full, slow, or not to be written."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import av
import pytest

from pexrtc_py.errors import UsageError, WriteError
from pexrtc_py.media.writers.container import WriterConfig
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.stopping import Ended
from tests.support.frames import opus_frames, vp8_frames
from tests.support.held_disk import HeldDisk
from tests.support.recording_scene import START, Scene, packets_and_gaps


async def test_a_disk_that_fills_up_ends_it_with_the_error(tmp_path: Path) -> None:
    """The error is raised on leaving, and the result is there all the same."""
    margin = 256 << 20
    disk = os.statvfs(tmp_path)
    guard = WriterConfig(min_free_bytes=disk.f_bavail * disk.f_frsize - margin)
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", writer=guard))
    filler = tmp_path / "filler"

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0))
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 2 * margin)
            async with asyncio.timeout(10):
                assert await recording.wait_ended() is Ended.DISK

    try:
        with pytest.raises(WriteError, match="bytes free on its disk"):
            await record()
    finally:
        filler.unlink()
    assert scene.recording.result.ended is Ended.DISK
    assert packets_and_gaps(scene.recording.result, Role.AUDIO)[0] == 50


async def test_a_slow_disk_costs_pictures_and_not_sound(tmp_path: Path) -> None:
    """What waits is bounded, what was left out is counted in the result, and the file is whole otherwise."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(300, start=START, ntp_offset=1e9)
    pictures = vp8_frames(180, start=START, ntp_offset=1e9, key_interval=30)
    limit = sum(len(frame.data) for frame in pictures) // 2
    scene = Scene(path, RecordingConfig(path=path, writer=WriterConfig(max_pending_bytes=limit)))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound[:10], video=pictures[:6])
        with HeldDisk() as disk:
            await disk.hold()
            await scene.play(audio=sound[10:250], video=pictures[6:150])
        await scene.play(audio=sound[250:], video=pictures[150:])
    heard, seen = recording.result.streams
    assert (heard.packets, heard.dropped) == (300, 0)
    assert seen.dropped > 30
    assert seen.packets + seen.dropped == 180
    assert recording.result.error is None
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == seen.packets


async def test_a_disk_too_full_to_begin(tmp_path: Path) -> None:
    """Where less is left than must stay free nothing is begun, and no file is left."""
    config = RecordingConfig(path=tmp_path / "talk.mkv", writer=WriterConfig(min_free_bytes=1 << 60))
    with pytest.raises(UsageError, match="are to stay free"):
        await Recording(config).__aenter__()
    assert list(tmp_path.iterdir()) == []


async def test_a_place_that_cannot_be_written() -> None:
    """What is read-only is told before anything is begun, to the superuser too."""
    with pytest.raises(UsageError, match=r"/proc/talk\.mkv cannot be written"):
        await Recording(RecordingConfig(path=Path("/proc/talk.mkv"))).__aenter__()
