"""Recording one conference: join without sending anything, record what is heard, seen and presented, leave.

The target is made before the node is asked, so that a disk that cannot take the recording costs nobody a licence. The
recording outlives what goes wrong in the conference: whatever was received is closed properly in any case.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from ..endpoint.conference import Conference
from ..errors import PexrtcError, UsageError, WriteError
from ..media.prepare import prepare
from ..media.transcoding import preset_named
from ..protocol.events import Event
from ..tasks import first_of
from .finishing import Finished, finish, other_forms
from .persistence import Interruption
from .record_job import RecordJob
from .recording import Recording
from .results import RecordingResult
from .sidecars import Sidecars
from .stopping import Ended
from .story import Story
from .visits import Visits

__all__ = ["RecordJob", "Recorded", "record"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a job."""

    result: RecordingResult
    """Files and streams."""
    join_ms: dict[str, float]
    """Milestones of joining, milliseconds since the start."""
    reason: str
    """Why it ended, in the node's words where it gave any."""
    interruptions: tuple[Interruption, ...] = ()
    """What was lost on the way, and what was done about it."""
    sidecars: tuple[Path, ...] = ()
    """Files beside the recording, that of the events left out."""
    made: tuple[Path, ...] = ()
    """Pictures of the recording, and it in another form, as far as that was asked for and could be made."""


async def record(
    job: RecordJob,
    *,
    stopping: Callable[[], Awaitable[object]] | None = None,
    on_recording: Callable[[Recording, Conference], None] | None = None,
    late: Callable[[], Awaitable[object]] | None = None,
) -> Recorded:
    """Record until a stop rule, `stopping` or the conference ends it.

    Cancelling closes the files, leaves the conference and gives the token back; of what is beside the recording only
    the events are there then, of which the rest can be made.

    Args:
        job: what to record and how.
        stopping: waits for whatever shall end the recording; none: only the rules of the job and the node do.
        on_recording: told the recording and the conference once both are there, to show progress or to control it;
            again after joining anew.
        late: waits for the moment by which all should be done; what is made of the recording, pictures and hashes, is
            left out then where it is not. None: it takes as long as it does.

    Raises:
        UsageError: the target cannot be made, or there is no such preset.
        SourceError: the announcement cannot be played.
        RefusedError: the node will not have us.
        WriteError: the target failed in the middle; what was written is kept.
        PexrtcError: no node, or no media, before anything was recorded.
    """
    recording = Recording(job.recording)
    _check(job, recording)
    async with AsyncExitStack() as beside:
        job = await _ready_to_announce(job, beside)
        sidecars: Sidecars | None = None
        visits: Visits | None = None
        error: PexrtcError | None = None
        reason = ""
        try:
            async with recording:
                if job.sidecars:
                    sidecars = await beside.enter_async_context(Sidecars(recording, job.recording.path))
                    recording.file_listeners.append(sidecars.note_file)
                note = sidecars.note if sidecars is not None else _chapters_only(recording)
                visits = Visits(job, recording, note=note, on_recording=on_recording)
                reason = await _until_over(recording, visits, stopping)
        except PexrtcError as exc:
            if not recording.has_result:  # there is no file to write anything beside
                raise
            error = exc
        except BaseException:
            # Cancelled once more while the disk took its time, it has no result; what came is kept, and so are events.
            if sidecars is not None and recording.has_result and recording.result.file is None:
                sidecars.discard()
            raise
        written: tuple[Path, ...] = ()
        finished = Finished(result=recording.result, made=())
        if error is None and finished.result.file is not None:
            finished = await _finish(job, finished.result, late or _never)
        if sidecars is not None and visits is not None:
            if finished.result.file is None:
                sidecars.discard()
            else:
                written = await _write(sidecars, finished.result, _about(job, visits, reason), error, late or _never)
        if error is not None:
            raise error
        others = await other_forms(job, finished.result)  # last, for it may take long; all else is there by now
    assert visits is not None
    return Recorded(
        result=finished.result,
        made=(*finished.made, *others),
        join_ms=visits.join_ms,
        reason=reason,
        interruptions=tuple(visits.interruptions),
        sidecars=written,
    )


async def _ready_to_announce(job: RecordJob, beside: AsyncExitStack) -> RecordJob:
    """Return the job with an announcement that can be played as it is, in a folder that lasts as long as the stack."""
    if job.announcement is None:
        return job
    if job.announcement_cache is not None:
        try:
            prepared = await prepare(job.announcement, job.announcement_cache)
            return replace(job, announcement=prepared.path)
        except (WriteError, UsageError) as exc:
            logger.info("- %s: nothing is kept: %s", job.announcement, exc)
    folder = beside.enter_context(TemporaryDirectory(prefix="pexrtc-"))
    prepared = await prepare(job.announcement, Path(folder))
    return replace(job, announcement=prepared.path)


async def _until_over(recording: Recording, visits: Visits, stopping: Callable[[], Awaitable[object]] | None) -> str:
    async def asked() -> None:
        if stopping is None:
            await asyncio.Event().wait()
        else:
            await stopping()

    # Who attends knows best why it ended.
    name, what = await first_of(visits=visits.attend(), recording=recording.wait_ended(), asked=asked())
    if name == "asked":
        recording.stop(Ended.STOPPED)
    return str(Ended.STOPPED if name == "asked" else what)


async def _finish(job: RecordJob, result: RecordingResult, late: Callable[[], Awaitable[object]]) -> Finished:
    """Make what is asked for of a recording; nothing of it where there is no time."""

    async def until_late() -> None:
        await late()

    _, made = await first_of(made=finish(job, result), late=until_late())
    if isinstance(made, Finished):
        return made
    logger.warning("! %s: no pictures are made, and no files joined: there is no time", job.recording.path)
    return Finished(result=result, made=())


async def _never() -> None:
    await asyncio.Event().wait()


def _check(job: RecordJob, recording: Recording) -> None:
    if job.transcode is not None:
        preset_named(job.transcode)
    takes = recording.container.codecs
    if not (job.audio and takes & {*job.audio_codecs}) and not (job.video and takes & {*job.video_codecs}):
        raise UsageError(f"{job.recording.path}: {recording.container.name} takes nothing of what is to be recorded")


def _chapters_only(recording: Recording) -> Callable[[Event], None]:
    story = Story()

    def note(event: Event) -> None:
        if title := story.apply(event, recording.position()):
            recording.add_chapter(title)

    return note


async def _write(
    sidecars: Sidecars,
    result: RecordingResult,
    about: Mapping[str, object],
    error: PexrtcError | None,
    late: Callable[[], Awaitable[object]],
) -> tuple[Path, ...]:
    """Write what is beside the recording, and tell what cannot be; a full disk has been told of already."""
    written = await sidecars.write(result, about, late=late)
    if error is None and (failures := sidecars.failures):
        more = f"; {len(failures) - 1} more beside it cannot be written or read" if len(failures) > 1 else ""
        logger.warning("! %s%s", failures[0], more)
        for failure in failures[1:]:
            logger.info("! %s", failure)
    return written


def _about(job: RecordJob, visits: Visits, reason: str) -> dict[str, object]:
    """What the manifest tells of where it comes from; no secrets."""
    node = urlsplit(job.session.node_url)
    return {
        "alias": job.session.alias,
        "node": f"{node.scheme}://{node.netloc.rpartition('@')[2]}",
        "recorded_as": job.session.display_name,
        "reason": reason,
        "join_ms": visits.join_ms,
        "interruptions": [asdict(one) for one in visits.interruptions],
    }
