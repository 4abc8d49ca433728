"""What is known of a recorded file, beside it: `talk.mkv.upload.json`. Written when the file is complete.

Uploads are resumed from these notes after a kill, and only files that have one are ever removed: what somebody else put
into the folder is nobody's to delete. A note outlives its file for a while, and tells where it was uploaded to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ..errors import SourceError, WriteError

__all__ = ["KeptFile", "expired", "note_of", "read_note", "read_notes", "remember", "write_note"]

logger = logging.getLogger(__name__)

_ENDING: Final = ".upload.json"


class KeptFile(Struct, frozen=True, kw_only=True):
    """One file."""

    name: str
    """Of the file, which lies beside its note."""
    size: int
    """Bytes."""
    modified_ns: int
    """When it was written last, nanoseconds since the epoch: whether it is still the same file."""
    closed_at: float
    """When it was complete, seconds since the epoch."""
    job: str
    """Who recorded it."""
    key: str
    """What it is called where it is uploaded to."""
    sha256: str | None = None
    """Of the file, once it was read."""
    to: str | None = None
    """Where it was uploaded to."""
    uploaded_at: float | None = None
    """When it had arrived."""
    confirmed: str | None = None
    """How that is known: `size` or `hash`."""

    def is_of(self, found: os.stat_result) -> bool:
        """Tell whether that is the file that was noted, as it was then."""
        return (found.st_size, found.st_mtime_ns) == (self.size, self.modified_ns)


def note_of(path: Path) -> Path:
    """Return the path of a file's note."""
    return path.with_name(path.name + _ENDING)


def remember(path: Path, *, job: str, key: str, now: float) -> None:
    """Note that a file is complete; a note of this very file that is there already stays.

    Raises:
        WriteError: it cannot be written.
    """
    try:
        found = path.stat()
    except OSError as exc:
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
    with suppress(SourceError):
        noted = read_note(path)
        if noted.name == path.name and noted.is_of(found):  # else one of that name was here before, and is gone
            return
    write_note(
        path,
        KeptFile(name=path.name, size=found.st_size, modified_ns=found.st_mtime_ns, closed_at=now, job=job, key=key),
    )


def write_note(path: Path, kept: KeptFile) -> None:
    """Write a file's note, which is whole at any moment.

    Raises:
        WriteError: it cannot be written.
    """
    note = note_of(path)
    draft = note.with_name(f".{note.name}.{os.getpid()}")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
        draft.replace(note)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise WriteError(f"{note}: {(exc.strerror or str(exc)).lower()}") from exc


def read_notes(folder: Path) -> Iterator[tuple[Path, KeptFile]]:
    """Yield the files in a folder and below that have a note, there or not.

    Notes that are none are passed over, and so are folders that cannot be read: the rest is somebody's all the same.
    """
    notes = [
        Path(where, name)
        for where, _, names in os.walk(folder, onerror=_tell_unread)
        for name in names
        if name.endswith(_ENDING)
    ]
    for note in sorted(notes):
        try:
            kept = msgspec.json.decode(note.read_bytes(), type=KeptFile)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if note.name == kept.name + _ENDING:  # a note that speaks of another file is none of ours
            yield note.with_name(kept.name), kept


def _tell_unread(exc: OSError) -> None:
    if not isinstance(exc, FileNotFoundError):  # nothing was recorded there yet
        logger.warning("! %s cannot be read: %s", exc.filename, (exc.strerror or str(exc)).lower())


def read_note(path: Path) -> KeptFile:
    """Return the note of a file.

    Raises:
        SourceError: there is none.
    """
    try:
        return msgspec.json.decode(note_of(path).read_bytes(), type=KeptFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise SourceError(f"{note_of(path)}: {getattr(exc, 'strerror', None) or exc}") from exc


def expired(path: Path, kept: KeptFile, *, now: float, keep_s: float, uploads: bool) -> bool:
    """Tell whether a file is to be removed: old enough, the one that was noted, and uploaded where uploads are made."""
    if now - kept.closed_at < keep_s or (uploads and kept.confirmed is None):
        return False
    try:
        found = path.lstat()
    except OSError:
        return False
    return kept.is_of(found)
