"""`pexrtc demo`: the main job for real, on this machine alone, and what came of it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ..announcer.announcement import Played, play_with_slides
from ..announcer.material import announcement_of_files, presentation_of
from ..endpoint.conference import BOT_TAG, RECORDER_TAG, Conference, open_conference
from ..media.clip_comparison import ClipComparison, compare_with_clip
from ..media.clips import clip_path
from ..node.server import Node
from ..recorder.job import Recorded, RecordJob, record
from ..recorder.naming import expand_template
from ..recorder.recording import Recording
from ..recorder.recording_config import RecordingConfig
from ..signalling import SessionConfig
from ..tasks import task_owner
from .exits import ExitCode
from .options import Json, Quiet, Verbose, configure_logging
from .record import recorded_as_result
from .running import Stopping, run
from .screen import Screen

__all__ = ["demo"]

_ALIAS = "meet.alice"
_CLIP = "announcement.mkv"
_SLIDE = "slide-1.png"
_TAIL_S = 0.5
"""What is still on its way through the mix and the recorder's buffers when the announcer has finished."""


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The recording; {date} and {time} are filled in.")
    ] = "recordings/demo-{date}-{time}.mkv",
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Play a clip into a conference of an embedded node, record it there, and compare both.

    Three participants' worth of the real thing on 127.0.0.1: a node, an announcer with a clip and a slide, a recorder.
    Nothing is installed, nothing leaves the machine. It ends by itself within half a minute.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)

    async def work(stopping: Stopping) -> ExitCode:
        path = expand_template(output, {}, datetime.now().astimezone())
        async with Node() as node:
            screen.note(f"a node listens on {node.url}")
            recorded, played = await _record_while_playing(node.url, path, stopping, screen)
        if recorded.result.file is None:
            screen.error("nothing was recorded")
            return ExitCode.FAILED
        screen.note("comparing what came out with what went in")
        came_out = await asyncio.to_thread(compare_with_clip, recorded.result.file, clip_path(_CLIP))
        _tell(recorded, played, came_out, screen)
        screen.result({**recorded_as_result(recorded), "compared": _as_result(came_out)})
        whole = came_out.pictures.lost == 0 and came_out.sound is not None and not came_out.sound.missing
        return ExitCode.DONE if whole or stopping.is_set else ExitCode.THRESHOLD_MISSED

    raise typer.Exit(run(work, screen))


async def _record_while_playing(
    node_url: str, path: Path, stopping: Stopping, screen: Screen
) -> tuple[Recorded, Played | None]:
    """Record from before the first picture until after the last."""
    joined, over = asyncio.Event(), asyncio.Event()

    def note(recording: Recording, conference: Conference) -> None:
        del conference
        screen.note(f"a recorder has joined {_ALIAS} and writes {recording.config.path}")
        joined.set()

    async def until_over() -> None:
        await over.wait()

    job = RecordJob(session=_session(node_url, "Recorder", RECORDER_TAG), recording=RecordingConfig(path=path))
    async with task_owner() as tasks:
        recording = tasks.start(record(job, stopping=until_over, on_recording=note), name="demo recorder")
        await joined.wait()
        playing = tasks.start(_announce(node_url, screen), name="demo announcer")
        stop = tasks.start(stopping.wait(), name="demo stop")
        await asyncio.wait((playing, stop), return_when=asyncio.FIRST_COMPLETED)
        over.set()
        recorded = await recording
        return recorded, playing.result() if playing.done() else None


async def _announce(node_url: str, screen: Screen) -> Played:
    main = await asyncio.to_thread(announcement_of_files, [clip_path(_CLIP)], hold=False)
    slides = await asyncio.to_thread(presentation_of, clip_path(_SLIDE))
    async with open_conference(_session(node_url, "Announcer")) as conference:
        screen.note(f"an announcer has joined {_ALIAS} and plays {_CLIP}, with {_SLIDE} as presentation")
        played = await play_with_slides(conference, main, slides)
        await asyncio.sleep(_TAIL_S)
        return played


def _session(node_url: str, name: str, tag: str = BOT_TAG) -> SessionConfig:
    return SessionConfig(node_url=node_url, alias=_ALIAS, display_name=name, call_tag=tag)


def _tell(recorded: Recorded, played: Played | None, came_out: ClipComparison, screen: Screen) -> None:
    result, pictures, sound = recorded.result, came_out.pictures, came_out.sound
    join = recorded.join_ms
    rows = {
        "joined in": f"{join.get('dtls', 0.0):.0f} ms, first sound after {join.get('first_audio', 0.0):.0f} ms",
        "played": f"{played.duration_s:.1f} s" if played is not None else "stopped",
        "recorded": f"{result.duration_s:.1f} s, {result.bytes / 1e6:.2f} MB, nothing decoded or encoded",
        "pictures": f"{pictures.seen} of {pictures.sent}, {pictures.repeated} repeated, SSIM {pictures.ssim:.4f}",
        "sound": "not found"
        if sound is None
        else f"{sound.heard * 100:.0f} % heard, {sound.level_db:+.1f} dB, {sound.missing_s:.1f} s missing",
        "picture after sound": f"{came_out.av_offset_s * 1000:+.0f} ms",
    }
    for stream in result.streams:
        rows[str(stream.role)] = (
            f"{stream.codec}, {stream.packets} frames, {stream.gaps} gaps, {stream.lost_packets} packets lost"
        )
    rows["files"] = "  ".join(str(path) for path in result.files)
    screen.table(rows)


def _as_result(came_out: ClipComparison) -> dict[str, object]:
    pictures, sound = came_out.pictures, came_out.sound
    return {
        "frames_sent": pictures.sent,
        "frames_lost": pictures.lost,
        "frames_repeated": pictures.repeated,
        "ssim": round(pictures.ssim, 4),
        "sound_heard": round(sound.heard, 3) if sound is not None else 0.0,
        "sound_level_db": round(sound.level_db, 2) if sound is not None else None,
        "av_offset_ms": round(came_out.av_offset_s * 1000, 1) if sound is not None else None,
    }
