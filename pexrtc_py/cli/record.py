"""`pexrtc record`: conferences into files."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated

import typer

from ..announcer.readiness import cache_folder
from ..endpoint.conference import Conference
from ..endpoint.presentation import PresentationWay
from ..errors import LocalProtocolError, PexrtcError
from ..recorder.job import Recorded, RecordJob, record
from ..recorder.recording import Recording
from ..recorder.results import RecordingResult
from ..recorder.stopping import Ended
from ..tasks import task_owner
from . import record_options as wish
from .exits import ExitCode, exit_code_of, told
from .joining import RECORDER_TAG, WayIn, find_session, peer_config
from .options import (
    CaFile,
    Extension,
    Insecure,
    Json,
    MediaAddress,
    MediaPorts,
    Name,
    Node,
    PinFile,
    Proxy,
    Quiet,
    Verbose,
    configure_logging,
)
from .record_wishes import Wishes
from .running import Stopping, obeying, run
from .screen import Screen
from .stats_dumping import Dumped, StatsDumpFile, with_stats_dump

__all__ = ["record_command", "recorded_as_result"]

logger = logging.getLogger(__name__)

_SHOW_EVERY_S = 0.5


def record_command(
    aliases: Annotated[list[str], typer.Argument(metavar="ALIAS...", help="The conferences; one file each.")],
    node: Node = None,
    output: wish.Output = None,
    container: wish.ContainerName = None,
    audio_only: wish.AudioOnly = False,
    no_slides: wish.NoSlides = False,
    slides: wish.Slides = "file",
    slides_by: wish.SlidesBy = PresentationWay.AUTO,
    thumbnails: wish.Thumbnails = False,
    transcode: wish.Transcode = None,
    no_sidecars: wish.NoSidecars = False,
    segment_duration: wish.SegmentDuration = None,
    segment_size: wish.SegmentSize = None,
    min_free: wish.MinFree = 256,
    fsync: wish.Fsync = None,
    duration: wish.Duration = None,
    until: wish.Until = None,
    max_size: wish.MaxSize = None,
    stop_after_silence: wish.StopAfterSilence = None,
    stop_when_alone: wish.StopWhenAlone = 60,
    stop_when_nobody_comes: wish.StopWhenNobodyComes = 900,
    stop_when_no_media: wish.StopWhenNoMedia = None,
    rejoin_for: wish.RejoinFor = 300,
    wait_for: wish.WaitFor = 0,
    notice: wish.Notice = None,
    announce: wish.Announce = None,
    chat_control: wish.ChatControl = False,
    digit_control: wish.DigitControl = False,
    stats_dump: StatsDumpFile = None,
    name: Name = "Recorder",
    pin_file: PinFile = None,
    extension: Extension = None,
    media_address: MediaAddress = None,
    media_ports: MediaPorts = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Record conferences as they are sent, without decoding: sound and picture in FILE, presentations beside it.

        pexrtc record --node http://127.0.0.1:8080 meet.alice -o talk.mkv --duration 60

    The recording is called NAME.part.mkv until it is closed, and plays at any time. Presentations become
    NAME.slides.mkv; NAME.html shows all of it. It leaves a minute after the last person, so that it keeps no meeting
    alive. SIGUSR1 pauses, SIGUSR2 resumes. Ctrl-C finishes the file and leaves the conference; a second one stops now.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    if slides not in ("file", "track"):
        raise typer.BadParameter(f"{slides!r} is neither `file` nor `track`", param_hint="--slides")
    wishes = Wishes(
        output=output,
        container=container,
        duration_s=duration,
        until=until,
        max_size_mb=max_size,
        silence_s=stop_after_silence,
        alone_s=stop_when_alone,
        nobody_comes_s=stop_when_nobody_comes,
        no_media_s=stop_when_no_media,
        segment_s=segment_duration,
        segment_mb=segment_size,
        min_free_mb=min_free,
        fsync_s=fsync,
        rejoin_for_s=rejoin_for,
        wait_for_s=wait_for,
    )

    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)

    async def work(stopping: Stopping, dumped: Dumped) -> ExitCode:
        sessions = [await find_session(alias, way, name=name, tag=RECORDER_TAG) for alias in aliases]
        known = [session.alias for session in sessions]  # a join link says more, and some of it is secret
        recordings = wishes.recordings(known, datetime.now().astimezone())
        jobs = [
            RecordJob(
                session=session,
                recording=recording,
                video=not audio_only,
                slides=not (no_slides or audio_only),
                slides_by=slides_by,
                peer=dumped(peer_config(media_address, media_ports)),
                stay=wishes.stay,
                sidecars=not no_sidecars,
                notice=notice,
                announcement=announce,
                announcement_cache=cache_folder(),
                slides_as_track=slides == "track",
                thumbnails=thumbnails,
                transcode=transcode,
                chat_control=chat_control,
                digit_control=digit_control,
            )
            for session, recording in zip(sessions, recordings, strict=True)
        ]
        running = _Running()
        outcomes = await _record_all(jobs, running, stopping, screen)
        return _report(known, outcomes, running, screen)

    raise typer.Exit(run(with_stats_dump(stats_dump, work), screen))


@dataclass(slots=True)
class _Running:
    """What is being recorded, by the number of its job."""

    recordings: dict[int, Recording] = field(default_factory=dict)
    conferences: dict[int, Conference] = field(default_factory=dict)
    is_paused: bool = False

    def add(self, number: int, recording: Recording, conference: Conference) -> bool:
        """Take one in; whether it is new, and not there again."""
        is_new = number not in self.recordings
        self.recordings[number] = recording
        self.conferences[number] = conference
        if is_new and self.is_paused:
            recording.pause()
        return is_new

    def pause(self) -> None:
        """Pause all, those to come too."""
        self.is_paused = True
        for recording in self.recordings.values():
            recording.pause()

    def resume(self) -> None:
        """Let all go on."""
        self.is_paused = False
        for recording in self.recordings.values():
            recording.resume()


def _obeying_pauses(running: _Running, screen: Screen) -> AbstractContextManager[None]:
    def pause() -> None:
        running.pause()
        screen.note("paused")

    def resume() -> None:
        running.resume()
        screen.note("resumed")

    return obeying({signal.SIGUSR1: pause, signal.SIGUSR2: resume})


async def _record_all(
    jobs: list[RecordJob], running: _Running, stopping: Stopping, screen: Screen
) -> list[Recorded | Exception]:
    """Record all of them in this process; what goes wrong in one ends no other."""

    async def one(number: int, job: RecordJob) -> Recorded | Exception:
        def note(recording: Recording, conference: Conference) -> None:
            is_new = running.add(number, recording, conference)
            screen.note(
                f"joined {job.session.alias}, recording to {job.recording.path}"
                if is_new
                else f"joined {job.session.alias} again, the recording goes on"
            )

        try:
            return await record(job, stopping=stopping.wait, on_recording=note)
        except PexrtcError as exc:
            return exc
        except Exception as exc:  # of ours, and no reason to end the others
            logger.exception("! bug in the recording of %s", job.session.alias)
            return exc

    async def show() -> None:
        with screen.live() as live:
            while True:
                if screen.is_terminal:
                    rows = {jobs[n].session.alias: _progress(running, n) for n in running.recordings}
                    live.update(screen.rows(rows), refresh=True)
                await asyncio.sleep(_SHOW_EVERY_S)

    with _obeying_pauses(running, screen):
        async with task_owner() as tasks:
            tasks.start(show(), name="pexrtc progress")
            return list(await asyncio.gather(*(one(number, job) for number, job in enumerate(jobs))))


def _progress(running: _Running, number: int) -> str:
    recording, conference = running.recordings[number], running.conferences[number]
    speaking = ", ".join(person.display_name for person in conference.roster.speaking) or "nobody"
    position, size = recording.position(), recording.size_bytes
    rate = f"{size * 8 / position / 1000:.0f} kbit/s" if position > 1 else "-"
    state = "paused" if recording.is_paused else f"speaking: {speaking}"
    return f"{position:7.1f} s  {size / 1e6:8.2f} MB  {rate:>12}  {state}"


def _report(aliases: list[str], outcomes: list[Recorded | Exception], running: _Running, screen: Screen) -> ExitCode:
    code = ExitCode.DONE
    results: list[dict[str, object]] = []
    for number, (alias, outcome) in enumerate(zip(aliases, outcomes, strict=True)):
        if isinstance(outcome, Exception):
            screen.error(f"{alias}: {told(outcome)}" if len(aliases) > 1 else told(outcome))
            code = code or exit_code_of(outcome)
            results.append({"alias": alias, "error": str(outcome), **_kept(running.recordings.get(number))})
            continue
        result = outcome.result
        if result.file is None:
            screen.note(f"{alias}: no media came, nothing was recorded ({outcome.reason})")
        else:
            screen.note(f"{alias}: {result.duration_s:.1f} s in {result.file} ({outcome.reason})")
        missing = sum(hole.end_s - hole.start_s for hole in result.holes)
        if outcome.interruptions:
            screen.note(f"{alias}: interrupted {len(outcome.interruptions)} times, {missing:.1f} s are missing")
        if result.ended is Ended.REMOVED:
            code = code or ExitCode.REMOVED
        results.append({"alias": alias, **recorded_as_result(outcome)})
    screen.result(results[0] if len(results) == 1 else {"recordings": results})
    return code


def _kept(recording: Recording | None) -> dict[str, object]:
    """What is there of a recording that failed."""
    if recording is None:
        return {}
    try:
        return _files_as_result(recording.result)
    except LocalProtocolError:
        return {}


def recorded_as_result(recorded: Recorded) -> dict[str, object]:
    """Return what `--json` prints of one recording."""
    return {
        **_files_as_result(recorded.result),
        "interruptions": [asdict(one) for one in recorded.interruptions],
        "sidecars": [str(path) for path in recorded.sidecars],
        "made": [str(path) for path in recorded.made],
        "join": recorded.join_ms,
        "reason": recorded.reason,
    }


def _files_as_result(result: RecordingResult) -> dict[str, object]:
    return {
        "file": str(result.file) if result.file is not None else None,
        "files": [str(path) for path in result.files],
        "duration_s": round(result.duration_s, 3),
        "bytes": result.bytes,
        "streams": [
            {
                "role": str(stream.role),
                "codec": str(stream.codec),
                "file": str(stream.file),
                "packets": stream.packets,
                "key_frames": stream.key_frames,
                "bytes": stream.bytes,
                "gaps": stream.gaps,
                "lost_packets": stream.lost_packets,
                "dropped": stream.dropped,
                "start_s": stream.start_s,
                "end_s": stream.end_s,
            }
            for stream in result.streams
        ],
        "holes": [{"start_s": hole.start_s, "end_s": hole.end_s} for hole in result.holes],
        "datagrams_overflowed": result.datagrams_overflowed,
        "ended": str(result.ended),
    }
