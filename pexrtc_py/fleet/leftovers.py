"""What a killed run left: files that were never closed, made whole and kept like any other recording.

A leftover is an incomplete file that nobody writes (`is_being_written`) and whose name a job's `output` could have
made; what else lies in the folder is nobody's to touch. A child copies what can be read of it to the name it would have
had, another reads the copy, and what the run's events tell is written beside. The leftover goes when the copy is whole
and on the disk, and nothing lies in the leftover but what was being written when the kill came. Else it stays, as
`NAME.damaged.mkv`: what lies behind damage is only there. What was half made of a complete recording is removed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import string
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import PexrtcError, SourceError
from ..media.child import in_child
from ..media.repair import repaired_path, repairing_path, unread_bytes
from ..media.transcoding import preset_named, transcoded_path
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
_AGAIN_S = 600.0
_LONGEST_S = 86_400.0
"""What cannot be mended is tried again, the later the more often: the disk may have been full, or the machine busy."""
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
    """Finds and mends them; one that cannot be mended is told of once, and tried again."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Go by `clock`, in seconds."""
        self._clock = clock
        self._hopeless: dict[Path, tuple[float, float]] = {}
        """When to try again, and how long that was waited for."""

    async def mend(self, jobs: Iterable[RecordJobEntry]) -> AsyncIterator[tuple[RecordJobEntry, Path]]:
        """Yield each file that is made whole, and those beside it, with the job they are of.

        Cancelling is safe: where it was cancelled, or killed, the next goes on.
        """
        found, halves = await asyncio.to_thread(_find, tuple(jobs))
        await asyncio.to_thread(_remove, halves)
        self._hopeless = {left.part: self._hopeless[left.part] for left in found if left.part in self._hopeless}
        for left in found:
            again_at, waited_s = self._hopeless.get(left.part, (0.0, 0.0))
            if waited_s and self._clock() < again_at:
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
                wait_s = min(2 * waited_s or _AGAIN_S, _LONGEST_S)
                self._hopeless[left.part] = (self._clock() + wait_s, wait_s)
                level = logging.DEBUG if waited_s else logging.WARNING
                logger.log(level, "! %s, which a run left, stays as it is: %s", left.part, exc)
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


def _remove(halves: Iterable[Path]) -> None:
    for half in halves:
        with suppress(OSError):
            half.unlink()
            logger.info("= %s, which was never finished, is removed: all that it was made of is there", half)


def _find(jobs: tuple[RecordJobEntry, ...]) -> tuple[list[_Left], list[Path]]:
    """Return what killed runs left, and what was half made of recordings that are complete."""
    parts = [
        Path(where, name)
        for folder in {job.folder for job in jobs}
        for where, _, names in os.walk(folder)
        for name in names
        if ".part." in name
    ]
    # Those of a job's own alias first: jobs may share a folder and a template.
    patterns = [(_pattern(job, has_alias=has_alias), job) for has_alias in (True, False) for job in jobs]

    def job_of(whole: Path) -> RecordJobEntry | None:
        return next((job for pattern, job in patterns if pattern.fullmatch(str(whole))), None)

    found: list[_Left] = []
    halves: list[Path] = []
    for part in sorted(set(parts)):
        if part.stem.endswith(_HALF_JOINED):
            whole = part.with_name(part.stem.removesuffix(_HALF_JOINED) + part.suffix)
            if job_of(whole) is not None and whole.exists() and _is_left(part):
                halves.append(part)
            continue
        whole = repaired_path(part)
        if part != part_path(whole):
            continue
        if (job := job_of(whole)) is not None:
            if _is_left(part):
                found.append(_Left(job, part))
        elif any(job_of(one) is not None and one.exists() for one in _transcoded_from(whole, jobs)) and _is_left(part):
            halves.append(part)
    return found, halves


def _transcoded_from(made: Path, jobs: tuple[RecordJobEntry, ...]) -> set[Path]:
    """Return the recordings that jobs would make such a file of."""
    sources = {made.with_suffix(Path(job.output).suffix): job.transcode for job in jobs if job.transcode is not None}
    return {source for source, preset in sources.items() if transcoded_path(source, preset_named(preset)) == made}


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
