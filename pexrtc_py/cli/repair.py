"""`pexrtc repair`: a whole file out of one that a power cut or a kill left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..media.child import in_child
from ..media.repair import repaired_path, repairing_path
from ..recorder.sidecars import events_beside, rewrite_sidecars
from ..tasks import first_of
from .exits import ExitCode
from .options import Json, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen
from .verify import Deadline, check_readable

__all__ = ["repair_command"]


class _Repaired(msgspec.Struct):
    file: str
    packets: int
    duration_s: float
    bytes: int
    unread_bytes: int


def repair_command(
    file: Annotated[Path, typer.Argument(help="What was left. It stays as it is.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The mended file. Default: NAME.part.mkv becomes NAME.mkv, any other NAME.repaired.mkv.",
        ),
    ] = None,
    deadline: Deadline = 600,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Copy every packet that can be read of a damaged recording to a new file, with index and length.

        pexrtc repair talk.part.mkv

    Recordings play without it; some players seek better after. Nothing is decoded, and no file is overwritten. Where
    events lie beside it, roster, speakers and chat are written that a kill had left unwritten.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)

    async def work(stopping: Stopping) -> ExitCode:
        check_readable(file)
        half = repairing_path(output if output is not None else repaired_path(file))
        is_ours = not half.exists()
        repairing = in_child("repair", file, *([output] if output is not None else []), deadline_s=deadline)
        first, raw = await first_of(repaired=repairing, stop=stopping.wait())
        if first == "stop":
            if is_ours:
                half.unlink(missing_ok=True)
            return ExitCode.INTERRUPTED
        made = msgspec.convert(raw, _Repaired)
        screen.note(f"{made.file}: {made.packets} packets, {made.duration_s:.1f} s")
        if made.unread_bytes:
            screen.note(f"{made.unread_bytes} bytes of {file} could not be read, and are only there")
        beside: tuple[Path, ...] = ()
        events = events_beside(file)
        if events is not None:
            beside = await asyncio.to_thread(rewrite_sidecars, events, made.duration_s)
            screen.note(f"out of its events: {', '.join(path.name for path in beside) or 'nothing that was not there'}")
        screen.result({**msgspec.to_builtins(made), "sidecars": [str(path) for path in beside]})
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))
