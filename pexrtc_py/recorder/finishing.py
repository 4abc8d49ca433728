"""What is made of a recording once it is complete: pictures of it, slides put into its file, another form of it.

All of it is done by children with a deadline; one that fails costs what it was to make, and nothing of the recording.
Meetings end together, at the full hour: a process has so many children of a kind at once and no more, the others wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import msgspec

from ..errors import PexrtcError
from ..media.child import in_child
from ..media.thumbnails import Thumbnail
from ..media.transcoding import preset_named, transcoded_path
from ..media.writers.target import part_path
from .record_job import RecordJob
from .results import RecordingResult
from .roles import Role

__all__ = ["Finished", "finish", "other_forms"]

logger = logging.getLogger(__name__)

_LEAST_S = 60.0
_BYTES_PER_S = 2_000_000
"""Slower than this no disk copies."""
_PER_SECOND = 4.0
"""Seconds that a second of a recording may take to be encoded."""
_AT_ONCE = {"transcode": 1}
"""Children that encode have all of a core, and some hundred megabytes; a fleet has a process per core."""
_OTHERS_AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What there is in the end."""

    result: RecordingResult
    """What was recorded, in the files it is in now."""
    made: tuple[Path, ...]
    """Pictures of it."""


async def finish(job: RecordJob, result: RecordingResult) -> Finished:
    """Make pictures, and put slides into the file, as far as that is asked for. Cancelling leaves the recording."""
    made = await _pictures_of(result) if job.thumbnails else []
    if job.slides_as_track:
        result = await _with_slides(result)
    return Finished(result=result, made=tuple(made))


async def other_forms(job: RecordJob, result: RecordingResult) -> tuple[Path, ...]:
    """Make other forms of the files, but for the slides' own, if that is asked for; return what was made.

    It may take as long as the recording did. Cancelling leaves the recording, and nothing half.
    """
    if job.transcode is None:
        return ()
    preset = preset_named(job.transcode)
    slides = _files_of(result, Role.SLIDES) - _files_of(result, Role.AUDIO, Role.VIDEO)
    made: list[Path] = []
    for path in result.files:
        if path in slides:
            continue
        target = transcoded_path(path, preset)
        deadline_s = _LEAST_S + _PER_SECOND * result.duration_s
        try:
            with _nothing_half(target):
                await _made("transcode", path, target, preset.name, deadline_s=deadline_s)
        except PexrtcError as exc:
            logger.warning("! %s is not made: %s", target, exc)
            continue
        made.append(target)
    return tuple(made)


@contextmanager
def _nothing_half(target: Path) -> Iterator[None]:
    """Remove the target of a child that did not get to its end, unless it was there before."""
    half = part_path(target)
    was_there = half.exists()
    try:
        yield
    except BaseException:
        if not was_there:
            with suppress(OSError):
                half.unlink()
        raise


async def _made(job: str, *arguments: str | Path, deadline_s: float) -> object:
    """Run a child when it is its turn; see `in_child`. The deadline counts from then on."""
    kind = job if job in _AT_ONCE else ""
    turns = _turns.setdefault(asyncio.get_running_loop(), {})
    async with turns.setdefault(kind, asyncio.Semaphore(_AT_ONCE.get(job, _OTHERS_AT_ONCE))):
        return await in_child(job, *arguments, deadline_s=deadline_s)


async def _pictures_of(result: RecordingResult) -> list[Path]:
    """Make a picture of the whole and one of each slide, from key frames alone; return them."""
    pictures: list[Path] = []
    for role, job in ((Role.VIDEO, "thumbnail"), (Role.SLIDES, "slides")):
        for path in sorted(_files_of(result, role) - (_files_of(result, Role.VIDEO) if role is Role.SLIDES else set())):
            folder: Path | None = None
            try:
                if job == "thumbnail":
                    target = path.with_suffix(".jpg")
                else:
                    target = path.with_suffix("")
                    await asyncio.to_thread(target.mkdir, 0o700)
                    folder = target
                answer = await _made(job, path, target, deadline_s=_LEAST_S + result.bytes / _BYTES_PER_S)
            except (PexrtcError, OSError) as exc:
                logger.warning("! %s: no picture of it: %s", path, exc)
                if folder is not None:
                    with suppress(OSError):  # pictures that were made before it failed stay
                        folder.rmdir()
                continue
            found = msgspec.convert(answer if isinstance(answer, list) else [answer], list[Thumbnail])
            pictures += [Path(one.file) for one in found]
    return pictures


async def _with_slides(result: RecordingResult) -> RecordingResult:
    """Put the slides' own file into that of the rest, whose name the joined one takes at once."""
    mains, slides = _files_of(result, Role.AUDIO, Role.VIDEO), _files_of(result, Role.SLIDES)
    slides -= mains
    if not slides:
        return result
    if len(mains) != 1 or len(slides) != 1:
        logger.warning("! %s: of several files, the slides stay in their own", result.file)
        return result
    [main], [beside] = mains, slides
    joined = main.with_name(f"{main.stem}.joined{main.suffix}")
    try:
        with _nothing_half(joined):
            await _made("join", joined, main, beside, deadline_s=_LEAST_S + result.bytes / _BYTES_PER_S)
        size = joined.stat().st_size
        await asyncio.to_thread(joined.replace, main)
    except (PexrtcError, OSError) as exc:
        logger.warning("! %s: the slides stay in their own file: %s", main, exc)
        with suppress(OSError):
            joined.unlink()
        return result
    with suppress(OSError):
        beside.unlink()
    streams = tuple(replace(one, file=main) if one.file == beside else one for one in result.streams)
    return replace(result, files=(main,), streams=streams, bytes=size)


def _files_of(result: RecordingResult, *roles: Role) -> set[Path]:
    return {stream.file for stream in result.streams if stream.role in roles and stream.packets}
