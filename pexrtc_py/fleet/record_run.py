"""A recording kept going: where to, until when, and which of its files are complete."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ..announcer.readiness import cache_folder
from ..endpoint.conference import Conference
from ..errors import SessionClosedError, WriteError
from ..media.writers.container import WriterConfig
from ..media.writers.target import part_path
from ..recorder.file_series import SegmentRules
from ..recorder.finishing import other_forms
from ..recorder.job import Recorded, RecordJob, record
from ..recorder.naming import expand_template, role_path, segment_path
from ..recorder.persistence import StayRules, is_final
from ..recorder.recording import Recording
from ..recorder.recording_config import RecordingConfig
from ..recorder.roles import Role
from ..recorder.sidecars import SIDECAR_ENDINGS, sidecar_path
from ..recorder.stopping import Ended, StopRules
from ..service.kept_files import note_of, remember
from ..signalling import SessionConfig
from .active_run import ActiveRun
from .entries import RecordJobEntry
from .joining import peer_of
from .messages import FileClosed, Outcome, Report, Run

__all__ = ["free_path", "note_file", "run_recording"]

logger = logging.getLogger(__name__)

_ALONE_S = 30.0
"""A recording that waits for people ends when they have been gone for so long, unless the job says otherwise."""

_MOST_FILES = 1000
"""Of a run that are told by name when it ends, in status and webhooks; each was told when it was complete."""


async def run_recording(
    active: ActiveRun, job: RecordJobEntry, session: SessionConfig
) -> tuple[Outcome, str, dict[str, object]]:
    """Record once; return how it ended, why, and figures. Cancelling closes the files and leaves.

    Other forms of it are left to `active.afterwards`: encoding an hour takes a while, and the conference goes on.

    Raises:
        PexrtcError: nothing could be recorded, or the disk failed.
    """
    path = free_path(expand_template(job.output, {"alias": session.alias}, datetime.now(job.zone).astimezone(job.zone)))
    told: set[str] = set()  # a recording of weeks has as many as minutes
    held_back: list[Path] = []
    is_ours = False  # before that, what has such a name may be another's

    def note(recording: Recording, conference: Conference) -> None:
        nonlocal is_ours
        del conference
        is_ours = True
        recording.on_file_closed = closed
        active.progress = lambda: {"seconds": recording.position(), "bytes": float(recording.size_bytes)}
        active.started(path)

    def closed(file: Path) -> None:
        if job.slides == "track":  # it may change once more
            held_back.append(file)
        else:
            tell(file)

    def tell(file: Path) -> None:
        if str(file) not in told:
            told.add(str(file))
            _tell_one(active.run, file, active.tell)

    wanted = _record_job(job, session, path, conference_only=active.run.conference_only)
    try:
        recorded = await record(
            replace(wanted, transcode=None),
            stopping=active.until_stopped,
            on_recording=note,
            late=active.late.wait,
        )
    except BaseException:
        for file in (*held_back, *(_beside(path) if is_ours else ())):
            tell(file)
        raise
    for file in (*recorded.result.files, *recorded.made, *_beside(path)):
        tell(file)

    async def make_other_forms() -> None:
        for file in await other_forms(wanted, recorded.result):
            tell(file)

    if wanted.transcode is not None and recorded.result.file is not None:
        active.afterwards = make_other_forms
    return _outcome_of(recorded), recorded.reason, _figures_of(recorded)


def _record_job(job: RecordJobEntry, session: SessionConfig, path: Path, *, conference_only: bool) -> RecordJob:
    """Say what the entry says, as `pexrtc record` says it."""
    recording = RecordingConfig(
        path=path,
        stop=StopRules(
            duration_s=job.duration_s,
            size_bytes=job.size_bytes,
            silence_s=job.silence_s,
            alone_s=job.alone_s or (_ALONE_S if conference_only else None),
            deserted_s=job.deserted_s,
            no_media_s=job.no_media_s,
        ),
        segments=SegmentRules(duration_s=job.segment_s, size_bytes=job.segment_bytes),
        writer=WriterConfig(min_free_bytes=job.min_free_bytes, fsync_interval_s=job.fsync_s),
    )
    return RecordJob(
        session=session,
        recording=recording,
        audio=job.audio,
        video=job.video,
        slides=bool(job.slides),
        slides_by=job.slides_by,
        peer=peer_of(job),
        stay=StayRules(rejoin_for_s=job.rejoin_for_s),
        sidecars=job.sidecars,
        notice=job.notice,
        announcement=Path(job.announce).expanduser() if job.announce is not None else None,
        announcement_cache=cache_folder(),
        slides_as_track=job.slides == "track",
        thumbnails=job.thumbnails,
        transcode=job.transcode,
        chat_control=job.chat_control,
        digit_control=job.digit_control,
    )


def _outcome_of(recorded: Recorded) -> Outcome:
    if recorded.result.ended is not Ended.REMOVED:
        return Outcome.DONE
    put_out = is_final(SessionClosedError(recorded.reason, by_us=False))
    return Outcome.REMOVED if put_out else Outcome.FAILED


def _figures_of(recorded: Recorded) -> dict[str, object]:
    result = recorded.result
    return {
        "files": [str(path) for path in result.files[:_MOST_FILES]],
        "duration_s": round(result.duration_s, 3),
        "bytes": result.bytes,
        "packets": sum(stream.packets for stream in result.streams),
        "gaps": sum(stream.gaps for stream in result.streams),
        "lost_packets": sum(stream.lost_packets for stream in result.streams),
        "dropped": sum(stream.dropped for stream in result.streams),
        "holes_s": round(sum(hole.end_s - hole.start_s for hole in result.holes), 3),
        "ended": str(result.ended),
    }


def _beside(path: Path) -> tuple[Path, ...]:
    """Return what lies beside a recording that has ended, well or not."""
    return tuple(one for ending in SIDECAR_ENDINGS if (one := sidecar_path(path, ending)).exists())


def _tell_one(run: Run, file: Path, tell: Callable[[Report], None]) -> None:
    job = run.job
    if run.note_files and isinstance(job, RecordJobEntry):
        note_file(job, file)
    with suppress(OSError):
        tell(FileClosed(job_id=job.id, number=run.number, path=str(file), bytes=file.stat().st_size))


def note_file(job: RecordJobEntry, file: Path) -> None:
    """Note that a file of a job is complete, for uploads and retention."""
    key = file.absolute().relative_to(job.folder).as_posix()
    try:
        remember(file, job=job.id, key=key, now=time.time())
    except WriteError as exc:
        logger.warning("! %s", exc)


def free_path(path: Path) -> Path:
    """Return `path`, or with a number the first of which there is no file of a recording: a crash leaves one behind.

    A note counts as the file it speaks of, which was uploaded and removed: it tells where that is, and stays.
    """

    def taken(one: Path) -> bool:
        names = (one, segment_path(one, 1), role_path(one, Role.SLIDES))
        beside = [sidecar_path(one, ending) for ending in SIDECAR_ENDINGS]
        return any(
            os.path.lexists(there)
            for there in (*(there for name in names for there in (name, part_path(name), note_of(name))), *beside)
        )

    def tries() -> Iterator[Path]:
        yield path
        for number in range(2, 100_000):
            yield path.with_name(f"{path.stem}-{number}{path.suffix}")

    return next((one for one in tries() if not taken(one)), path)
