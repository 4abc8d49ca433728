"""`pexrtc prepare`: bring files into the form they are sent in, before they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..announcer.readiness import cache_folder
from ..errors import SourceError, UsageError
from ..media.frames import Codec
from ..media.prepare import PrepareConfig, Prepared, prepare
from ..tasks import first_of
from .announce_options import Loudness, read_loudness
from .exits import ExitCode
from .options import Json, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["prepare_command"]


def prepare_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Any media file that FFmpeg reads.")],
    loudness: Loudness = "-20",
    codec: Annotated[str, typer.Option("--codec", metavar="NAME", help="VP8 or H264.")] = "VP8",
    output: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FOLDER", help="Where to keep it. Default: XDG_CACHE_HOME."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Make files ready to be announced: Opus and VP8 or H.264, a key frame each second, loudness set.

    What is that already stays as it is. The result is kept by content, so `pexrtc announce` finds it, under whatever
    name the file comes: sending it to any number of conferences then encodes nothing.

    \b
        pexrtc prepare media/announcement.mp4
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    level = read_loudness(loudness)
    try:
        video_codec = {codec.casefold(): codec for codec in (Codec.VP8, Codec.H264)}[codec.casefold()]
    except KeyError:
        raise UsageError(f"--codec {codec}: say VP8 or H264") from None
    config = PrepareConfig(target_lufs=level, video_codec=video_codec)
    results: list[dict[str, object]] = []

    async def prepare_all() -> None:
        for path in files:
            with screen.live() as live:

                def told(doing: str, done_s: float, path: Path = path) -> None:
                    if screen.is_terminal:
                        live.update(screen.rows({str(path): f"{doing}, {done_s:.0f} s done"}), refresh=True)

                try:
                    prepared = await prepare(path, output or cache_folder(), config, on_progress=told)
                except SourceError as exc:
                    raise UsageError(str(exc)) from exc
            screen.note(f"{path}: {_told(prepared, path)}")
            results.append(_as_result(prepared, path))

    async def work(stopping: Stopping) -> ExitCode:
        await first_of(prepared=prepare_all(), stop=stopping.wait())
        screen.result(results[0] if len(results) == 1 else {"files": results})
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))


def _told(prepared: Prepared, path: Path) -> str:
    if prepared.path == path:
        return "ready as it is"
    if prepared.cached:
        return f"was ready: {prepared.path}"
    encoded = " and ".join(sorted(str(kind) for kind in prepared.encoded))
    return f"{encoded} encoded, {prepared.gain_db:+.1f} dB: {prepared.path}"


def _as_result(prepared: Prepared, path: Path) -> dict[str, object]:
    return {
        "file": str(path),
        "ready": str(prepared.path),
        "cached": prepared.cached,
        "gain_db": round(prepared.gain_db, 2),
        "encoded": sorted(str(kind) for kind in prepared.encoded),
    }
