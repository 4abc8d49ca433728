"""A recording kept going: where to, until when, and which of its files are complete."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ..endpoint.conference import Conference
from ..media.writers.container import WriterConfig
from ..media.writers.target import part_path
from ..recorder.file_series import SegmentRules
from ..recorder.job import Recorded, RecordJob, record
from ..recorder.naming import expand_template, role_path, segment_path
from ..recorder.recording import Recording, RecordingConfig
from ..recorder.roles import Role
from ..recorder.stopping import Ended, StopRules
from ..signalling import SessionConfig
from ..tasks import task_owner
from .active_run import ActiveRun
from .jobs import RecordJobEntry
from .joining import peer_of
from .messages import FileClosed, Outcome

__all__ = ["closed_files", "free_path", "run_recording"]

_FILES_EVERY_S = 1.0
_ALONE_S = 30.0
"""A recording that waits for people ends when they have been gone for so long, unless the job says otherwise."""


async def run_recording(
    active: ActiveRun, job: RecordJobEntry, session: SessionConfig
) -> tuple[Outcome, str, dict[str, object]]:
    """Record once; return how it ended, why, and figures. Cancelling closes the files and leaves.

    Raises:
        PexrtcError: nothing could be recorded, or the disk failed.
    """
    path = free_path(expand_template(job.output, {"alias": session.alias}, datetime.now(job.zone).astimezone(job.zone)))
    config = RecordingConfig(
        path=path,
        stop=StopRules(
            duration_s=job.duration_s,
            size_bytes=job.size_bytes,
            silence_s=job.silence_s,
            alone_s=job.alone_s or (_ALONE_S if active.run.conference_only else None),
            no_media_s=job.no_media_s,
        ),
        segments=SegmentRules(duration_s=job.segment_s, size_bytes=job.segment_bytes),
        writer=WriterConfig(min_free_bytes=job.min_free_bytes, fsync_interval_s=job.fsync_s),
    )

    def note(recording: Recording, conference: Conference) -> None:
        del conference
        active.progress = lambda: {"seconds": recording.position(), "bytes": float(recording.size_bytes)}
        active.started(path)

    told: set[Path] = set()
    try:
        async with task_owner() as tasks:
            tasks.start(_tell_files(active, path, told), name="pexrtc closed files")
            recorded = await record(
                RecordJob(session=session, recording=config, slides=job.slides, peer=peer_of(job)),
                stopping=active.until_stopped,
                on_recording=note,
            )
    finally:
        _tell_closed(active, path, told)
    failed = recorded.result.ended is Ended.REMOVED
    return Outcome.FAILED if failed else Outcome.DONE, recorded.reason, _figures_of(recorded)


def _figures_of(recorded: Recorded) -> dict[str, object]:
    result = recorded.result
    return {
        "files": [str(path) for path in result.files],
        "duration_s": round(result.duration_s, 3),
        "bytes": result.bytes,
        "packets": sum(stream.packets for stream in result.streams),
        "gaps": sum(stream.gaps for stream in result.streams),
        "lost_packets": sum(stream.lost_packets for stream in result.streams),
        "dropped": sum(stream.dropped for stream in result.streams),
        "holes_s": round(sum(hole.end_s - hole.start_s for hole in result.holes), 3),
        "ended": str(result.ended),
    }


async def _tell_files(active: ActiveRun, path: Path, told: set[Path]) -> None:
    while True:
        await asyncio.sleep(_FILES_EVERY_S)
        _tell_closed(active, path, told)


def _tell_closed(active: ActiveRun, path: Path, told: set[Path]) -> None:
    run = active.run
    for file in closed_files(path):
        if file not in told:
            told.add(file)
            with suppress(OSError):
                size = file.stat().st_size
                active.tell(FileClosed(job_id=run.job.id, number=run.number, path=str(file), bytes=size))


def closed_files(path: Path) -> list[Path]:
    """Return the complete files of a recording, in order: its own, its segments, those of its slides.

    A file has its name without `.part` only when it is complete.
    """
    ours = re.compile(rf"{re.escape(path.stem)}(\.slides)?(\.\d{{3,}})?{re.escape(path.suffix)}")
    try:
        return sorted(file for file in path.parent.iterdir() if ours.fullmatch(file.name))
    except OSError:
        return []


def free_path(path: Path) -> Path:
    """Return `path`, or with a number the first of which no file of a recording exists: a crash leaves one behind."""

    def taken(one: Path) -> bool:
        names = (one, segment_path(one, 1), role_path(one, Role.SLIDES))
        return any(name.exists() or part_path(name).exists() for name in names)

    def tries() -> Iterator[Path]:
        yield path
        for number in range(2, 100_000):
            yield path.with_name(f"{path.stem}-{number}{path.suffix}")

    return next((one for one in tries() if not taken(one)), path)
