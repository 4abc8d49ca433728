"""What is kept of closed files: all that is told of them, in little memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from pexrtc_py.errors import WriteError
from pexrtc_py.media.frames import Codec
from pexrtc_py.media.writers.container import TrackHole, TrackResult, WriteResult
from pexrtc_py.media.writers.tracks import TrackSpec
from pexrtc_py.recorder.closed_files import ClosedFiles, FileResult
from pexrtc_py.recorder.results import sum_up
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.stopping import Ended

SEGMENT_S = 60.0


def track(codec: Codec, number: int) -> TrackResult:
    """Make up what became of a stream."""
    spec = TrackSpec(codec=codec, width=1280, height=720, parameter_sets=bytes(range(40)))
    return TrackResult(
        spec=spec,
        frames=3000 - number % 7,
        bytes=400_000 + number * 37 % 10_000,
        key_frames=30,
        first_s=number % 5 / 100,
        last_s=59.9 + number % 11 / 1000,
        gaps=number % 3,
        lost_packets=number % 5,
        dropped=0,
        undecodable=0,
        unfit=0,
        adjusted=0,
        sizes=((0.0, 1280, 720),),
        holes=(TrackHole(start_s=1.0, end_s=2.0, is_lost=True),) if number % 50 == 0 else (),
        more_holes=0,
    )


def results(count: int, error: WriteError | None = None) -> Iterator[FileResult]:
    """Make up so many segments, the last of them with an error."""
    for number in range(count):
        tracks = {Role.AUDIO: track(Codec.OPUS, number), Role.VIDEO: track(Codec.H264, number)}
        written = WriteResult(
            path=Path(f"/srv/recordings/board-2026-11-22-154500.{number + 1:03d}.mkv"),
            duration_s=SEGMENT_S + number % 13 / 1000,
            bytes=20_000_000 + number * 7919 % 1_000_000,
            tracks=tuple(tracks.values()),
            error=error if number == count - 1 else None,
        )
        yield FileResult(start_s=SEGMENT_S * number, written=written, tracks=tracks)


def test_all_is_told_of_each() -> None:
    """In order, before and after they were packed; of an error its cause as well."""
    error = WriteError("disk full")
    error.__cause__ = OSError("no space left on device")
    kept = ClosedFiles()
    for result in results(700, error):
        kept.append(result)
    assert list(kept) == list(kept) == list(results(700, error))
    assert kept.error is error
    told = sum_up(kept, (), began_at=1.0, ended=Ended.DISK, holes=(), datagrams_overflowed=0, error=error)
    assert told.files[0].name == "board-2026-11-22-154500.001.mkv"
    assert len(told.files) == 700
    assert told.duration_s == 699 * SEGMENT_S + 60.0 + 699 % 13 / 1000
    assert told.streams[1].file_start_s == 0.0
    assert [stream.file_start_s for stream in told.streams if stream.role is Role.VIDEO][-1] == 699 * SEGMENT_S


def test_a_month_of_minutes_takes_little_memory() -> None:
    """A segment kept 2.7 kB in memory for as long as its recording lasted."""
    kept = ClosedFiles()
    tracemalloc.start()
    try:
        for result in results(2560):
            kept.append(result)
        gc.collect()  # what packing leaves goes in circles
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / 2560 < 150
