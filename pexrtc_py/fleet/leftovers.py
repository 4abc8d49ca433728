"""What a killed run left: files that were never closed, made whole and kept like any other recording.

A leftover is an incomplete file that nobody writes (`is_being_written`) and whose name a job's `output` could have
made; what else lies in the folder is nobody's to touch. A child copies what can be read of it to the name it would have
had, another reads the copy, and what the run's events tell is written beside. The leftover goes when the copy is whole
and on the disk, and nothing lies in the leftover but what was being written when the kill came. Else it stays, as
`NAME.damaged.mkv`: what lies behind damage is only there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import string
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import PexrtcError, SourceError
from ..media.child import in_child
from ..media.repair import repaired_path, repairing_path, unread_bytes
from ..media.writers.target import is_being_written, part_path
from ..recorder.naming import expand_home, safe_component
from ..recorder.sidecars import events_beside, rewrite_sidecars
from .entries import RecordJobEntry

__all__ = ["Leftovers", "damaged_path"]

logger = logging.getLogger(__name__)

_LEAST_S = 60.0
_BYTES_PER_S = 2_000_000
"""Slower than this no disk copies."""
_QUIET_S = 5.0
"""A file that was written so lately may have a writer that is about to lock it."""
_HALF_JOINED = ".joined.part"
"""What slides were being put into: all of it is in two files that are complete."""
_TORN_BYTES = 1_000_000
"""Half a second, which is written at once, of all that a node sends at most (16 Mbit/s)."""


class _Mended(msgspec.Struct):
    bytes: int
    duration_s: float
    unread_bytes: int


class _Stream(msgspec.Struct):
    packets: int
    bytes: int


class _Verified(msgspec.Struct):
    ending: str
    duration_s: float
    streams: list[_Stream]

    @property
    def bytes(self) -> int:
        """Of all packets."""
        return sum(stream.bytes for stream in self.streams)


@dataclass(frozen=True, slots=True)
class _Left:
    job: RecordJobEntry
    part: Path

    @property
    def deadline_s(self) -> float:
        """How long a child may read it."""
        return _LEAST_S + self.part.stat().st_size / _BYTES_PER_S


def damaged_path(part: Path) -> Path:
    """Return what a leftover is called that holds more than could be read: `talk.part.mkv`, `talk.damaged.mkv`."""
    return part.with_name(f"{part.stem.removesuffix('.part')}.damaged{part.suffix}")


class Leftovers:
    """Finds and mends them; one that cannot be mended is told of once."""

    def __init__(self) -> None:
        self._hopeless: set[Path] = set()

    async def mend(self, jobs: Iterable[RecordJobEntry]) -> AsyncIterator[tuple[RecordJobEntry, Path]]:
        """Yield each file that is made whole, and those beside it, with the job they are of.

        Cancelling is safe: where it was cancelled, or killed, the next goes on.
        """
        for left in await asyncio.to_thread(_find, tuple(jobs)):
            if left.part in self._hopeless:
                continue
            whole = repaired_path(left.part)
            try:
                mended = await _mend(left, whole)
                logger.info("= %s is made of what a run left: %.1f s", whole, mended.duration_s)
                yield left.job, whole
                for one in await _beside(whole, mended.duration_s):
                    yield left.job, one
                # Only now: who is killed before finds it again.
                await asyncio.to_thread(_put_away, left.part, mended.unread_bytes)
            except (PexrtcError, OSError) as exc:
                self._hopeless.add(left.part)
                logger.warning("! %s, which a run left, stays as it is: %s", left.part, exc)
                await asyncio.to_thread(_remove_half, whole)


async def _mend(left: _Left, whole: Path) -> _Mended:
    """Make a whole file of a leftover, unless that was done before, and read it to its end.

    Raises:
        SourceError: that cannot be done, or what came out is not what was read.
        OSError: the leftover is gone.
    """
    if whole.exists():  # somebody was killed in the middle, or mended it by hand
        before = msgspec.convert(await in_child("verify", left.part, deadline_s=left.deadline_s), _Verified)
        packets = sum(stream.packets for stream in before.streams)
        unread = unread_bytes(left.part.stat().st_size, packets=packets, in_packets=before.bytes)
        mended = _Mended(bytes=before.bytes, duration_s=before.duration_s, unread_bytes=unread)
    else:
        await asyncio.to_thread(_remove_half, whole)
        mended = msgspec.convert(await in_child("repair", left.part, deadline_s=left.deadline_s), _Mended)
    found = msgspec.convert(await in_child("verify", whole, deadline_s=left.deadline_s), _Verified)
    if found.ending != "closed" or found.bytes != mended.bytes:
        raise SourceError(f"{whole} has {found.bytes} of {mended.bytes} bytes, {found.ending}")
    return mended


def _remove_half(whole: Path) -> None:
    """Remove what a kill left of a mending; all of it is in the leftover."""
    half = repairing_path(whole)
    if half.exists() and not is_being_written(half):
        with suppress(OSError):
            half.unlink()


async def _beside(path: Path, duration_s: float) -> tuple[Path, ...]:
    events = events_beside(path)
    if events is None:
        return ()
    try:
        return (*await asyncio.to_thread(rewrite_sidecars, events, duration_s), events)
    except PexrtcError as exc:
        logger.warning("! %s", exc)
        return (events,)


def _put_away(part: Path, unread: int) -> None:
    """Remove a leftover of which everything is elsewhere; else give it a name that says what it is.

    Raises:
        OSError: that cannot be done.
    """
    if unread <= _TORN_BYTES:
        part.unlink()
        return
    damaged = damaged_path(part)
    if os.path.lexists(damaged):
        raise FileExistsError(f"{damaged} exists already")
    part.rename(damaged)
    logger.warning("! %d bytes of %s could not be read: it stays, nobody but you removes it", unread, damaged)


def _find(jobs: tuple[RecordJobEntry, ...]) -> list[_Left]:
    parts = [
        Path(where, name)
        for folder in {job.folder for job in jobs}
        for where, _, names in os.walk(folder)
        for name in names
        if ".part." in name
    ]
    # Those of a job's own alias first: jobs may share a folder and a template.
    patterns = [(_pattern(job, has_alias=has_alias), job) for has_alias in (True, False) for job in jobs]
    found: list[_Left] = []
    for part in sorted(set(parts)):
        if part.stem.endswith(_HALF_JOINED):
            continue
        whole = repaired_path(part)
        job = next((job for pattern, job in patterns if pattern.fullmatch(str(whole))), None)
        if job is not None and part == part_path(whole) and _is_left(part):
            found.append(_Left(job, part))
    return found


def _is_left(part: Path) -> bool:
    try:
        quiet_s = time.time() - part.stat().st_mtime
    except OSError:
        return False
    return quiet_s > _QUIET_S and not is_being_written(part)


def _pattern(job: RecordJobEntry, *, has_alias: bool) -> re.Pattern[str]:
    """Return what the paths of a job's files look like: numbered when taken, of a role, in segments."""
    output = Path(expand_home(job.output)).absolute()
    stem, suffix = str(output.with_suffix("")), output.suffix
    parts: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(stem):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(re.escape(safe_component(job.alias)) if name == "alias" and has_alias else "[^/]+")
    return re.compile("".join(parts) + r"(-\d+)?(\.slides)?(\.\d{3,})?" + re.escape(suffix))
