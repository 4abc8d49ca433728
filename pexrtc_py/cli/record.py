"""`pexrtc record`: conferences into files."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..endpoint.conference import Conference
from ..errors import PexrtcError, UsageError
from ..recorder.job import Recorded, RecordJob, record
from ..recorder.naming import expand_template
from ..recorder.recording import Recording, RecordingConfig
from ..recorder.stopping import Ended, StopRules
from ..tasks import task_owner
from .exits import ExitCode, exit_code_of
from .joining import peer_config, session_config
from .options import Insecure, Json, MediaAddress, Name, NodeUrl, PinFile, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["record_command", "recorded_as_result"]

_SHOW_EVERY_S = 0.5


def record_command(
    aliases: Annotated[list[str], typer.Argument(metavar="ALIAS...", help="The conferences; one file each.")],
    node_url: NodeUrl,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; {alias}, {date} and {time} are filled in."),
    ] = "{alias}-{date}-{time}.mkv",
    duration: Annotated[
        float | None,
        typer.Option("--duration", min=0.1, metavar="S", help="Stop after S seconds of recording.", show_default=False),
    ] = None,
    name: Name = "Recorder",
    pin_file: PinFile = None,
    media_address: MediaAddress = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Record conferences as they are sent, without decoding: sound and picture in FILE, presentations beside it.

        pexrtc record --node http://127.0.0.1:8080 meet.alice -o talk.mkv --duration 60

    The recording is called FILE.part until it is closed, and plays at any time. Presentations become NAME.slides.mkv.
    Ctrl-C finishes the file and leaves the conference; a second one stops now.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)

    async def work(stopping: Stopping) -> ExitCode:
        jobs = []
        for alias, path in zip(aliases, _paths(output, aliases), strict=True):
            session = session_config(node_url, alias, name=name, pin_file=pin_file, insecure=insecure)
            recording = RecordingConfig(path=path, stop=StopRules(duration_s=duration))
            jobs.append(RecordJob(session=session, recording=recording, peer=peer_config(media_address)))
        outcomes = await _record_all(jobs, stopping, screen)
        return _report(aliases, outcomes, screen)

    raise typer.Exit(run(work, screen))


def _paths(template: str, aliases: list[str]) -> list[Path]:
    """Fill in the template for each alias.

    Raises:
        UsageError: the template is malformed, or gives two conferences the same file.
    """
    now = datetime.now().astimezone()
    paths = [expand_template(template, {"alias": alias}, now) for alias in aliases]
    if len(set(paths)) < len(paths):
        raise UsageError(f"--output {template}: two conferences would go to one file; use {{alias}} in it")
    return paths


async def _record_all(jobs: list[RecordJob], stopping: Stopping, screen: Screen) -> list[Recorded | PexrtcError]:
    """Record all of them in this process; what goes wrong in one ends no other."""
    running: dict[int, tuple[Recording, Conference]] = {}

    async def one(number: int, job: RecordJob) -> Recorded | PexrtcError:
        def note(recording: Recording, conference: Conference) -> None:
            running[number] = (recording, conference)
            screen.note(f"joined {job.session.alias}, recording to {job.recording.path}")

        try:
            return await record(job, stopping=stopping.wait, on_recording=note)
        except PexrtcError as exc:
            return exc

    async def show() -> None:
        with screen.live() as live:
            while True:
                if screen.is_terminal:
                    rows = {jobs[n].session.alias: _progress(*pair) for n, pair in running.items()}
                    live.update(screen.rows(rows), refresh=True)
                await asyncio.sleep(_SHOW_EVERY_S)

    async with task_owner() as tasks:
        tasks.start(show(), name="pexrtc progress")
        return list(await asyncio.gather(*(one(number, job) for number, job in enumerate(jobs))))


def _progress(recording: Recording, conference: Conference) -> str:
    speaking = ", ".join(person.display_name for person in conference.roster.speaking) or "nobody"
    position, size = recording.position(), recording.size_bytes
    rate = f"{size * 8 / position / 1000:.0f} kbit/s" if position > 1 else "-"
    return f"{position:7.1f} s  {size / 1e6:8.2f} MB  {rate:>12}  speaking: {speaking}"


def _report(aliases: list[str], outcomes: list[Recorded | PexrtcError], screen: Screen) -> ExitCode:
    code = ExitCode.DONE
    results: list[dict[str, object]] = []
    for alias, outcome in zip(aliases, outcomes, strict=True):
        if isinstance(outcome, PexrtcError):
            screen.error(f"{alias}: {outcome}" if len(aliases) > 1 else str(outcome))
            code = code or exit_code_of(outcome)
            results.append({"alias": alias, "error": str(outcome)})
            continue
        result = outcome.result
        if result.file is None:
            screen.note(f"{alias}: no media came, nothing was recorded ({outcome.reason})")
        else:
            screen.note(f"{alias}: {result.duration_s:.1f} s in {result.file} ({outcome.reason})")
        if result.ended is Ended.REMOVED:
            code = code or ExitCode.REMOVED
        results.append({"alias": alias, **recorded_as_result(outcome)})
    screen.result(results[0] if len(results) == 1 else {"recordings": results})
    return code


def recorded_as_result(recorded: Recorded) -> dict[str, object]:
    """Return what `--json` prints of one recording."""
    result = recorded.result
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
        "join": recorded.join_ms,
        "ended": str(result.ended),
        "reason": recorded.reason,
    }
