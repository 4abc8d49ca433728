"""The manifest of a recording: what it is, where it came from, and by which hashes one knows it again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

from ..errors import SourceError
from ..media.frames import Kind
from .chapters import chapters_from
from .results import RecordingResult
from .roles import Role
from .story import Story

__all__ = ["FileSum", "KnownHole", "KnownStream", "changed_files", "known_streams", "make_manifest", "sum_of"]

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSum:
    """By what one knows a file again."""

    bytes: int
    """Its size, as it was read."""
    sha256: str
    """Of what it holds."""


def make_manifest(
    result: RecordingResult,
    story: Story,
    *,
    began_at: str | None,
    chapters: Sequence[tuple[float, str]],
    sums: Mapping[Path, FileSum],
    about: Mapping[str, object],
) -> bytes:
    """Return the manifest as JSON.

    Args:
        result: what was recorded.
        story: what happened.
        began_at: moment of the recording's 0, ISO 8601; None when no media came.
        chapters: second and title of each.
        sums: those of the files, as far as they could be read. No file is looked at: it may be gone by now.
        about: what the caller knows beside: conference, node, phases of joining. No secrets.
    """
    streams = [{**asdict(stream), "file": stream.file.name} for stream in result.streams]
    content = {
        "format": "pexrtc_py recording 1",
        "about": dict(about),
        "began_at": began_at,
        "duration_s": result.duration_s,
        "ended": result.ended,
        "error": None if result.error is None else str(result.error),
        "files": [
            {"name": path.name, "bytes": found.bytes, "sha256": found.sha256}
            for path in result.files
            if (found := sums.get(path)) is not None
        ],
        "streams": streams,
        "holes": [asdict(hole) for hole in result.holes],
        "quality": {
            "lost_packets": sum(stream.lost_packets for stream in result.streams),
            "gaps": sum(stream.gaps for stream in result.streams),
            "dropped": sum(stream.dropped for stream in result.streams),
            "undecodable": sum(stream.undecodable for stream in result.streams),
            "datagrams_overflowed": result.datagrams_overflowed,
            "missing_s": sum(hole.end_s - hole.start_s for hole in result.holes),
        },
        "chapters": [asdict(chapter) for chapter in chapters_from(chapters, result.duration_s)],
        "people": [asdict(one) for one in story.attendance()],
        "speakers": [asdict(one) for one in story.speeches(result.duration_s)],
        "presentations": [asdict(one) for one in story.presentations(result.duration_s)],
        "chat": [asdict(one) for one in story.messages],
        "left_out": story.left_out,
        "made_with": {"pexrtc_py": _version("pexrtc_py"), "python": platform.python_version()},
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2)


def sum_of(path: Path, *, is_over: Callable[[], bool] = lambda: False) -> FileSum:
    """Return size and SHA-256 of a file; reads all of it, so not in the event loop.

    Args:
        path: the file.
        is_over: asked between pieces, whether nobody wants to know any more; what is returned then says nothing.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    read, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while (piece := file.read(_PIECE)) and not is_over():
            read.update(piece)
            size += len(piece)
    return FileSum(bytes=size, sha256=read.hexdigest())


def changed_files(manifest: Path, *, only: str | None = None, is_over: Callable[[], bool] = lambda: False) -> list[str]:
    """Return the names of a manifest's files that are gone or hold something else; reads them all.

    Args:
        manifest: where it is.
        only: the name of the one file to look at; None: all.
        is_over: see `sum_of`.

    Raises:
        SourceError: it is no manifest.
    """
    content = _read(manifest)
    changed: list[str] = []
    for file in content.files:
        if only not in (None, file.name):
            continue
        path = manifest.with_name(Path(file.name).name)  # a manifest from elsewhere must not lead out of its directory
        if not _holds(path, file.sha256, is_over):
            changed.append(file.name)
    return changed


class KnownHole(msgspec.Struct, frozen=True):
    """Time without a frame, seconds of the recording."""

    start_s: float
    end_s: float
    is_lost: bool


class KnownStream(msgspec.Struct, frozen=True):
    """A stream in a file, as its recorder knew it."""

    role: Role
    file: str
    file_start_s: float
    holes: tuple[KnownHole, ...] | None = None
    """None in a manifest from before they were told."""
    more_holes: int = 0
    """How many there are beyond these."""

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self.role.kind


def known_streams(manifest: Path, name: str) -> tuple[KnownStream, ...]:
    """Return what a manifest tells of the streams in one of its files; nothing of one whose hash it does not have.

    Raises:
        SourceError: it is no manifest.
    """
    content = _read(manifest)
    if all(file.name != name for file in content.files):
        return ()
    return tuple(stream for stream in content.streams if stream.file == name)


def _read(manifest: Path) -> _Manifest:
    try:
        return msgspec.json.decode(manifest.read_bytes(), type=_Manifest)
    except (OSError, msgspec.MsgspecError) as exc:
        raise SourceError(f"{manifest}: not the manifest of a recording: {exc}") from exc


def _holds(path: Path, sha256: str, is_over: Callable[[], bool]) -> bool:
    try:
        return path.is_file() and sum_of(path, is_over=is_over).sha256 == sha256
    except OSError:  # it went just now, or is nobody's to read
        return False


class _File(msgspec.Struct):
    name: str
    sha256: str


class _Manifest(msgspec.Struct):
    files: list[_File]
    streams: tuple[KnownStream, ...] = ()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
