"""Recording one conference: join without sending anything, record what is heard, seen and presented, leave.

The target is made before the node is asked, so that a disk that cannot take the recording costs nobody a licence. The
recording outlives what goes wrong in the conference: whatever was received is closed properly in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..endpoint.call import AUDIO_CODECS, VIDEO_CODECS, Call, CallConfig
from ..endpoint.conference import Conference, is_bot, open_conference
from ..errors import MediaError, PexrtcError, SessionClosed, SessionClosedError
from ..media.frames import Codec
from ..protocol.models import Present
from ..protocol.sdp import Direction
from ..signalling import SessionConfig
from ..tasks import first_of, task_owner
from ..webrtc.line import Line
from ..webrtc.peer import PeerConfig
from .recording import Recording, RecordingConfig
from .results import RecordingResult
from .roles import Role
from .stopping import Ended

__all__ = ["RecordJob", "Recorded", "record"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordJob:
    """What to record and how."""

    session: SessionConfig
    """Which conference, as whom."""
    recording: RecordingConfig
    """Where to, and when to stop."""
    slides: bool = True
    """Whether to record presentations."""
    audio_codecs: tuple[Codec, ...] = AUDIO_CODECS
    """In order of preference; what the container takes as it is goes first."""
    video_codecs: tuple[Codec, ...] = VIDEO_CODECS
    """Likewise."""
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports, TURN, impairment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a job."""

    result: RecordingResult
    """Files and streams."""
    join_ms: dict[str, float]
    """Milestones of joining, milliseconds since the start."""
    reason: str
    """Why it ended, in the node's words where it gave any."""


async def record(
    job: RecordJob,
    *,
    stopping: Callable[[], Awaitable[object]] | None = None,
    on_recording: Callable[[Recording, Conference], None] | None = None,
) -> Recorded:
    """Record until a stop rule, `stopping` or the conference ends it.

    Cancelling closes the files, leaves the conference and gives the token back.

    Args:
        job: what to record and how.
        stopping: waits for whatever shall end the recording; none: only the rules of the job and the node do.
        on_recording: told the recording and the conference once both are there, to show progress or to control it.

    Raises:
        UsageError: the target cannot be made.
        RefusedError: the node will not have us.
        WriteError: the target failed in the middle; what was written is kept.
        PexrtcError: no node, or no media, before anything was recorded.
    """
    async with Recording(job.recording) as recording:
        try:
            join_ms, reason = await _attend(job, recording, stopping, on_recording)
        except (SessionClosedError, MediaError) as exc:
            if not recording.has_started:
                raise
            # There is a recording: the end of the conference for us is its end, and no failure of it.
            recording.stop(Ended.REMOVED)
            join_ms, reason = {}, str(exc)
    return Recorded(result=recording.result, join_ms=join_ms, reason=reason)


async def _attend(
    job: RecordJob,
    recording: Recording,
    stopping: Callable[[], Awaitable[object]] | None,
    on_recording: Callable[[Recording, Conference], None] | None,
) -> tuple[dict[str, float], str]:
    async with open_conference(job.session) as conference:
        # A waiting room has a picture of its own, which nobody wants in a recording.
        waited, _ = await first_of(inside=conference.session.wait_in_conference(), asked=_asked(stopping, conference))
        if waited == "asked":
            return {}, str(Ended.STOPPED)
        return await _record_call(job, recording, conference, stopping, on_recording)


async def _record_call(
    job: RecordJob,
    recording: Recording,
    conference: Conference,
    stopping: Callable[[], Awaitable[object]] | None,
    on_recording: Callable[[Recording, Conference], None] | None,
) -> tuple[dict[str, float], str]:
    async with conference.call(_main_call(job)) as call:
        for role, line in ((Role.AUDIO, call.audio), (Role.VIDEO, call.video)):
            _attach(recording, role, line)
        if on_recording is not None:
            on_recording(recording, conference)
        await call.connected()
        async with task_owner() as tasks:
            tasks.start(_note_people(recording, conference), name="pexrtc people")
            if job.slides:
                tasks.start(_follow_slides(recording, conference, job), name="pexrtc slides")
            reason = await _wait_for_the_end(recording, conference, call, stopping)
        return conference.phases.as_ms(), reason


async def _wait_for_the_end(
    recording: Recording, conference: Conference, call: Call, stopping: Callable[[], Awaitable[object]] | None
) -> str:
    name, what = await first_of(
        recording=recording.wait_ended(),
        conference=conference.ended(),
        call=call.ended(),
        asked=_asked(stopping, conference),
    )
    closed = conference.session.closed
    if name == "recording":
        return str(what)
    if closed is not None:
        recording.stop(Ended.REMOVED if isinstance(closed, SessionClosedError) else Ended.CONFERENCE_OVER)
        return closed.reason
    if name == "call":
        recording.stop(Ended.REMOVED)
        return str(what)
    recording.stop(Ended.STOPPED)
    return str(Ended.STOPPED)


async def _asked(stopping: Callable[[], Awaitable[object]] | None, conference: Conference) -> None:
    """Wait until somebody asks for the end; without anybody who could, until there is one."""
    if stopping is None:
        await conference.ended()
    else:
        await stopping()


def _main_call(job: RecordJob) -> CallConfig:
    return CallConfig(
        audio=Direction.RECVONLY,
        video=Direction.RECVONLY,
        audio_codecs=job.audio_codecs,
        video_codecs=job.video_codecs,
        peer=job.peer,
    )


def _attach(recording: Recording, role: Role, line: Line | None) -> None:
    if line is not None and line.receiver is not None:
        recording.attach(role, line.receiver, codec=line.codec)


async def _note_people(recording: Recording, conference: Conference) -> None:
    """Tell the recording who is there and whether anybody is heard, for the rules that stop it."""
    try:
        events = conference.events()
        while True:
            others = [
                person
                for uuid, person in conference.participants.items()
                if uuid != conference.participant_uuid and not is_bot(person)
            ]
            recording.note_people(len(others))
            if conference.roster.speaking:
                recording.note_voice()
            await anext(events)
    except (StopAsyncIteration, SessionClosed):
        return


async def _follow_slides(recording: Recording, conference: Conference, job: RecordJob) -> None:
    """Receive every presentation in a call of its own (guide: calls, `present`), and record it."""
    config = CallConfig(
        audio=Direction.INACTIVE,
        video=Direction.RECVONLY,
        present=Present.RECEIVE,
        video_codecs=job.video_codecs,
        peer=job.peer,
    )
    try:
        while True:
            await conference.session.wait_for(lambda _: conference.presentation is not None)
            try:
                await _receive_slides(recording, conference, config)
            except SessionClosed:
                raise
            except PexrtcError as exc:
                # The main recording goes on; the next presentation is tried again.
                logger.warning("! the presentation could not be received: %s", exc)
                await conference.session.wait_for(lambda _: conference.presentation is None)
    except SessionClosed:
        return


async def _receive_slides(recording: Recording, conference: Conference, config: CallConfig) -> None:
    try:
        async with conference.call(config) as call:
            _attach(recording, Role.SLIDES, call.video)
            await call.connected()
            await first_of(
                stopped=conference.session.wait_for(lambda _: conference.presentation is None), call=call.ended()
            )
    finally:
        recording.detach(Role.SLIDES)
