"""`pexrtc verify`: whether recordings are whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ..errors import PexrtcError, SourceError, UsageError
from ..media.child import in_child
from ..media.frames import Kind
from ..recorder.manifest import KnownStream, changed_files, known_streams
from ..recorder.naming import recording_paths
from ..recorder.sidecars import sidecar_path
from ..recorder.verdict import FoundHole, FoundStream, judge
from ..tasks import first_of
from .exits import ExitCode, exit_code_of
from .options import Json, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["Deadline", "check_readable", "verify_command"]

Deadline = Annotated[
    float, typer.Option("--deadline", min=1, metavar="S", help="Give a file up after S seconds: it may be hostile.")
]


class _Hole(msgspec.Struct):
    start_s: float
    end_s: float


class _Stream(msgspec.Struct):
    kind: Kind
    codec: str
    packets: int
    key_frames: int
    undecodable: int
    holes: list[_Hole]


class _Integrity(msgspec.Struct):
    """What the child found, as far as it is told to people."""

    duration_s: float
    start_offset_s: float | None
    end_offset_s: float | None
    problems: list[str]
    streams: list[_Stream]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What lies beside a file says of it."""

    is_changed: bool = False
    unreadable: str = ""
    """Why the manifest is none: a kill, or a full disk, left half of it."""
    streams: tuple[KnownStream, ...] | None = None


_SAYS_OF_A_HOLE = {True: ": lost", False: ": nothing was sent", None: ""}


def verify_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, whoever made them.")],
    decode: Annotated[bool, typer.Option("--decode", help="Decode every frame as well; takes a while.")] = False,
    deadline: Deadline = 600,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Read recordings from beginning to end and tell what is wrong with them.

    Told are holes, missing key frames, times that step back, sound and picture apart, files cut off or not closed, and,
    where a manifest lies beside, files that are not what was recorded. Exit code 1 when something is wrong. By the
    manifest a hole that the sender left (a camera switched off, a microphone muted) is told from one in which something
    is missing, and is not wrong; without one every hole is. Each file is read by a process of its own.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    results: list[Mapping[str, object]] = []

    async def work(stopping: Stopping) -> ExitCode:
        first, code = await first_of(verified=verify_all(), stop=stopping.wait())
        if results:
            screen.result(results[0] if len(files) == 1 else {"files": results})
        return code if isinstance(code, ExitCode) and first == "verified" else ExitCode.INTERRUPTED

    async def verify_all() -> ExitCode:
        code = ExitCode.DONE
        for path in files:
            try:
                found, result = await _verify(path, decode=decode, deadline_s=deadline, screen=screen)
            except PexrtcError as exc:
                screen.error(str(exc))
                code = code if code > ExitCode.THRESHOLD_MISSED else exit_code_of(exc)
                results.append({"file": str(path), "error": str(exc)})
                continue
            results.append(result)
            if found:
                code = code or ExitCode.THRESHOLD_MISSED
        return code

    raise typer.Exit(run(work, screen))


def check_readable(path: Path) -> None:
    """Look at a file that was named before anything is started for it.

    Raises:
        UsageError: there is none.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file")
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a file")


async def _verify(path: Path, *, decode: bool, deadline_s: float, screen: Screen) -> tuple[bool, Mapping[str, object]]:
    check_readable(path)
    raw = await in_child("verify", path, *(["decode"] if decode else []), deadline_s=deadline_s)
    found = msgspec.convert(raw, _Integrity)
    known = await _known_of(path)
    streams = [
        FoundStream(kind=one.kind, holes=[FoundHole(start_s=hole.start_s, end_s=hole.end_s) for hole in one.holes])
        for one in found.streams
    ]
    verdict = judge(found.problems, streams, None if known.is_changed else known.streams)
    problems = list(verdict.problems)
    if known.is_changed:
        problems.append("not what the manifest beside it says was recorded")
    if known.unreadable:
        problems.append("the manifest beside it cannot be read")
    kinds = ", ".join(f"{stream.codec} {stream.packets} packets" for stream in found.streams)
    screen.note(
        f"{path}: {', '.join(problems) if problems else 'whole'}; {found.duration_s:.1f} s, {kinds or 'nothing'}"
    )
    if known.unreadable:
        screen.note(f"  {known.unreadable}")
    if verdict.remarks:
        screen.note(f"  as it was sent: {', '.join(verdict.remarks)}")
    for stream, lost in zip(found.streams, verdict.lost, strict=True):
        for hole, is_lost in zip(stream.holes, lost, strict=True):
            says = _SAYS_OF_A_HOLE[is_lost]
            screen.note(f"  {stream.kind}: nothing from {hole.start_s:.2f} to {hole.end_s:.2f} s{says}")
        if stream.undecodable:
            screen.note(f"  {stream.kind}: {stream.undecodable} packets do not decode")
    if found.start_offset_s is not None and found.end_offset_s is not None:
        screen.note(
            f"  the picture begins {found.start_offset_s * 1000:+.0f} ms after the sound, "
            f"and ends {found.end_offset_s * 1000:+.0f} ms after it"
        )
    result: dict[str, object] = {
        **(raw if isinstance(raw, dict) else {}),
        "file": str(path),
        "problems": problems,
        "remarks": list(verdict.remarks),
        "lost": [list(one) for one in verdict.lost],
    }
    return bool(problems), result


async def _known_of(path: Path) -> _Known:
    """Look into the manifest beside the recording that this file is of, a segment or its slides perhaps."""
    is_over = threading.Event()  # a thread cannot be cancelled, and the program would wait for it
    try:
        return await asyncio.to_thread(_look_up, path, is_over)
    finally:
        is_over.set()


def _look_up(path: Path, is_over: threading.Event) -> _Known:
    for recording in recording_paths(path):
        manifest = sidecar_path(recording, "manifest.json")
        if manifest.is_file():
            try:
                is_changed = bool(changed_files(manifest, only=path.name, is_over=is_over.is_set))
                return _Known(is_changed=is_changed, streams=known_streams(manifest, path.name))
            except SourceError as exc:
                return _Known(unreadable=str(exc))
    return _Known()
