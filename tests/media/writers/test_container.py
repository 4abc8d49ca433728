"""Files on real disks: full, slow, gone; and what the names promise."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import av
import pytest

from pexrtc_py.errors import UsageError, WriteError
from pexrtc_py.media.writers.container import ContainerWriter, WriterConfig
from pexrtc_py.media.writers.containers import container_for
from pexrtc_py.media.writers.matroska import MATROSKA, MatroskaWriter
from pexrtc_py.media.writers.target import Target
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.support.frames import merged, opus_frames, vp8_frames
from tests.support.held_disk import HeldDisk

SOUND = opus_frames(100)
SPECS = [TrackSpec.of(SOUND[0])]


def count(path: Path) -> int:
    """Count the packets of a file."""
    with av.open(path) as container:
        return sum(1 for packet in container.demux() if packet.size)


async def test_file_and_directories_are_for_their_owner_only(tmp_path: Path) -> None:
    """Recordings are private: 0600 in 0700, while they are written and after."""
    path = tmp_path / "2026" / "november" / "out.mkv"
    async with MatroskaWriter(path, SPECS, origin=0.0) as writer:
        assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [stat.S_IMODE(path.parents[n].stat().st_mode) for n in (0, 1)] == [0o700, 0o700]


@pytest.mark.parametrize("taken", ["out.mkv", "out.part.mkv"])
async def test_an_existing_file_is_never_touched(tmp_path: Path, taken: str) -> None:
    """Neither the name of the recording nor that of its making is taken from another file, or a dangling link."""
    (tmp_path / taken).symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=f"{taken} exists already, and a recording never overwrites"):
        MatroskaWriter(tmp_path / "out.mkv", SPECS, origin=0.0)
    assert [entry.name for entry in tmp_path.iterdir()] == [taken]


async def test_a_name_taken_in_the_meantime_gives_a_number(tmp_path: Path) -> None:
    """Who took the name while we recorded keeps it; the recording says where it is."""
    path = tmp_path / "out.mkv"
    writer = MatroskaWriter(path, SPECS, origin=0.0)
    writer.tracks[0].push(SOUND[0])
    path.write_text("theirs")
    (tmp_path / "out-2.mkv").write_text("theirs too")
    result = await writer.aclose()
    assert result.path == tmp_path / "out-3.mkv"
    assert result.error is None
    assert path.read_text() == "theirs"
    assert count(result.path) == 1
    assert not (tmp_path / "out.part.mkv").exists()


async def test_a_target_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    """A directory that is a file, and a file system that refuses, are told at the start."""
    (tmp_path / "file").write_text("")
    for path, reason in [
        (tmp_path / "file" / "out.mkv", "not a directory"),
        (Path("/proc/out.mkv"), "no such file or"),
    ]:
        with pytest.raises(UsageError, match=f"^{path} cannot be written: {reason}"):
            MatroskaWriter(path, SPECS, origin=0.0)


def test_an_ending_that_says_no_container_is_a_usage_error() -> None:
    """The message names the endings that are known."""
    with pytest.raises(UsageError, match=r"out.avi: the ending says no container that is known \(.mkv, .webm"):
        container_for(Path("out.avi"))
    assert container_for(Path("OUT.MKV")) is MATROSKA


async def test_a_cancelled_recording_is_closed_all_the_same(tmp_path: Path) -> None:
    """Leaving the writer by an exception, or cancelling the wait for its end, leaves a complete file."""
    path = tmp_path / "out.mkv"

    async def fail() -> None:
        async with MatroskaWriter(path, SPECS, origin=0.0) as writer:
            for frame in SOUND:
                writer.tracks[0].push(frame)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert count(path) == 100
    writer = MatroskaWriter(tmp_path / "two.mkv", SPECS, origin=0.0)
    writer.tracks[0].push(SOUND[0])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await writer.aclose()
    result = await writer.aclose()
    assert result.path == tmp_path / "two.mkv"
    assert (await writer.aclose()) is result


async def test_a_disk_that_knows_the_file_no_more(tmp_path: Path) -> None:
    """fstat and close that fail, as on NFS, once let those wait for ever who wait for the end."""
    writer = MatroskaWriter(tmp_path / "out.mkv", SPECS, origin=0.0)
    writer.tracks[0].push(SOUND[0])
    await writer.flush()
    [number] = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink() and is_of(fd, writer.path)]
    os.close(number)
    async with asyncio.timeout(5):
        result = await writer.aclose()
    assert result.path == tmp_path / "out.part.mkv"
    assert str(result.error) == (
        f"{tmp_path / 'out.mkv'}: failed: [Errno 9] Bad file descriptor; what was written is kept in {result.path}"
    )
    assert result.bytes == writer.bytes_written > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.part.mkv"]


class BrokenTarget(Target):
    """A file with a defect of ours in its end."""

    def close(self) -> Path:
        raise ArithmeticError("a defect")


async def test_a_defect_at_the_end_holds_nobody(tmp_path: Path) -> None:
    """Whatever goes wrong when a file is closed, who waits for it is told."""
    writer = ContainerWriter(MATROSKA, BrokenTarget(tmp_path / "out.mkv"), SPECS, origin=0.0)
    writer.tracks[0].push(SOUND[0])
    async with asyncio.timeout(5):
        result = await writer.aclose()
    assert "failed: a defect; what was written is kept" in str(result.error)
    assert result.path == tmp_path / "out.part.mkv"


def is_of(fd: Path, path: Path) -> bool:
    """Whether an open file is that one."""
    try:
        return fd.readlink() == path
    except OSError:
        return False  # the directory that is being read


async def test_a_file_deleted_during_the_recording_is_put_back(tmp_path: Path) -> None:
    """Nothing written is lost, the directory is made again, and the error says what happened in one line."""
    path = tmp_path / "here" / "out.mkv"
    writer = MatroskaWriter(path, SPECS, origin=0.0)
    for frame in SOUND[:50]:
        writer.tracks[0].push(frame)
    await writer.flush()
    writer.path.unlink()
    path.parent.rmdir()
    result = await writer.wait_closed()
    assert str(result.error) == f"{path}: deleted during the recording; what was written is kept"
    assert result.path == path
    assert count(path) == 50


async def test_little_space_left_ends_the_file_well(tmp_path: Path) -> None:
    """The guard closes a complete file before the disk is full."""
    path = tmp_path / "out.mkv"
    config = WriterConfig(min_free_bytes=1 << 60)

    async def record() -> None:
        async with MatroskaWriter(path, SPECS, origin=0.0, config=config) as writer:
            for frame in SOUND:
                writer.tracks[0].push(frame)
            await writer.wait_closed()

    with pytest.raises(WriteError, match=r"out.mkv: less than \d+ bytes free on its disk; the file was ended, and is"):
        await record()
    assert count(path) == 100


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """When the system refuses a write in the middle, the file plays up to there, and the error is one line."""
    program = textwrap.dedent("""
        import asyncio, resource, sys
        from pathlib import Path
        from pexrtc_py.media.writers.matroska import MatroskaWriter
        from pexrtc_py.media.writers.tracks import TrackSpec
        from tests.support.frames import opus_frames

        async def main():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            sound = opus_frames(400)
            writer = MatroskaWriter(Path(sys.argv[1]), [TrackSpec.of(sound[0])], origin=0.0)
            for frame in sound:
                writer.tracks[0].push(frame)
                if writer.pending_bytes > 2000:
                    await writer.flush()
            result = await writer.aclose()
            sys.stdout.write(f"{result.error}|{result.path}|{result.bytes}")

        asyncio.run(main())
    """)
    path = tmp_path / "out.mkv"
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    error, kept, size = done.stdout.split("|")
    part = tmp_path / "out.part.mkv"
    assert error == f"{path}: file too large; what was written is kept in {part}"
    assert Path(kept) == part
    assert int(size) <= 20_000
    assert count(part) > 80
    assert not path.exists()


async def test_a_slow_disk_costs_pictures_and_not_sound(tmp_path: Path) -> None:
    """Memory is bounded: rests of groups of pictures are dropped and counted, sound is kept, and the file decodes."""
    sound, pictures = opus_frames(300), vp8_frames(180, key_interval=30)
    limit = sum(len(frame.data) for frame in pictures) // 2
    config = WriterConfig(max_pending_bytes=limit)
    specs = [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])]
    asked: list[None] = []
    feed = merged(sound, pictures)
    most = 0
    with HeldDisk() as disk:
        await disk.hold()
        writer = ContainerWriter(MATROSKA, tmp_path / "out.mkv", specs, origin=0.0, config=config)
        writer.tracks[1].on_key_frame_needed = lambda: asked.append(None)
        for index, frame in feed[:380]:
            writer.tracks[index].push(frame)
            most = max(most, writer.pending_bytes)
    assert most <= limit + sum(len(frame.data) for frame in sound)
    await writer.flush()
    for index, frame in feed[380:]:
        writer.tracks[index].push(frame)
    result = await writer.aclose()
    assert (result.tracks[0].frames, result.tracks[0].dropped) == (300, 0)
    assert result.tracks[1].dropped > 30
    assert result.tracks[1].dropped + result.tracks[1].frames == 180
    assert result.tracks[1].undecodable == 0
    assert asked
    with av.open(result.path) as container:
        left = [packet for packet in container.demux(video=0) if packet.size]
    kept = [bytes(packet) for packet in left]
    expected = [frame.data for frame in pictures]
    first_lost = next(n for n, data in enumerate(expected) if data not in kept)
    again = expected.index(kept[first_lost])
    assert again % 30 == 0, "pictures go on with a key frame"
    assert kept == expected[:first_lost] + expected[again:]


async def test_the_thread_ends_with_the_last_file(tmp_path: Path) -> None:
    """No recording, no thread; all recordings, one thread."""
    writers = [MatroskaWriter(tmp_path / f"{n}.mkv", SPECS, origin=0.0) for n in range(3)]
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("pexrtc-shared-writer") == 1
    for writer in writers:
        writer.tracks[0].push(SOUND[0])
        await writer.aclose()
    for thread in threading.enumerate():
        if thread.name == "pexrtc-shared-writer":
            await asyncio.to_thread(thread.join, 5)
    assert "pexrtc-shared-writer" not in [thread.name for thread in threading.enumerate()]


async def test_sync_to_disk_is_possible(tmp_path: Path) -> None:
    """With an interval, data is synchronised; a disk that refuses it ends the file with the reason."""
    config = WriterConfig(fsync_interval_s=0.0)
    async with MatroskaWriter(tmp_path / "out.mkv", SPECS, origin=0.0, config=config) as writer:
        writer.tracks[0].push(SOUND[0])
    assert count(tmp_path / "out.mkv") == 1
