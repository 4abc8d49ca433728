"""A record of what was played where and when: JSON lines, one a play, that other programs read."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from ..errors import UsageError, WriteError

__all__ = ["HeardReport", "PlayEntry", "PlayRecord"]


class HeardReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a second participant heard of it in the room's mix."""

    heard: bool
    """Whether it was recognised."""
    delay_s: float | None = None
    """Seconds from sending its beginning to hearing it."""
    level_db: float | None = None
    """How much louder it came out than it went in."""
    missing_s: float | None = None
    """Seconds of it that were not heard."""
    picture: bool | None = None
    """Whether its pictures were seen; None when it has none."""
    likeness: float | None = None
    """How alike they were, as structural similarity, 1 for the same; None when they were told by their marks."""
    pictures_sent: int | None = None
    """How many different marked pictures were sent; None when they have no marks."""
    pictures_seen: int | None = None
    """How many of those were seen."""


class PlayEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One play in one conference."""

    at: datetime
    """When it began, with time zone."""
    conference: str
    """The alias."""
    source: str
    """What was played; addresses without user, password and query."""
    why: str
    """What asked for it."""
    duration_s: float
    """Seconds that were played."""
    ended: str
    """`finished`, `stopped`, or what went wrong."""
    proof: HeardReport | None = None
    """What was heard of it, when that was asked for."""


class PlayRecord:
    """Appends to a file, a line at once, so that several programs may share it. Blocks: call it in a thread.

    Args:
        path: made when missing, never shortened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make the file, if it is missing, so that one that cannot be written is known before anything is played.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            os.close(self._open())
        except OSError as exc:
            raise UsageError(f"{self.path}: cannot write the record: {(exc.strerror or str(exc)).lower()}") from exc

    def write(self, entry: PlayEntry) -> None:
        """Append a line.

        Raises:
            WriteError: the file cannot be written.
        """
        line = msgspec.json.encode(entry) + b"\n"
        try:
            file = self._open()
            try:
                # One call, so that a line of another program never lands in the middle (POSIX write, O_APPEND).
                written = os.write(file, line)
            finally:
                os.close(file)
        except OSError as exc:
            raise WriteError(f"{self.path}: cannot write the record: {(exc.strerror or str(exc)).lower()}") from exc
        if written != len(line):
            raise WriteError(f"{self.path}: the disk took only a part of a line")

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> list[PlayEntry]:
        """Return all entries; a line cut off by a crash is left out.

        Raises:
            WriteError: the file cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError as exc:
            raise WriteError(f"{self.path}: cannot read the record: {(exc.strerror or str(exc)).lower()}") from exc
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=PlayEntry))
            except msgspec.DecodeError:
                continue
        return found
