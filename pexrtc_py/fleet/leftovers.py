"""What a killed run left: files that were never closed, made whole and kept like any other recording.

A leftover is an incomplete file that nobody writes (`is_being_written`) and whose name a job's `output` could have
made; what else lies in the folder is nobody's to touch. A child copies what can be read of it to the name it would have
had, and what the run's events tell is written beside. The incomplete file stays: what lies behind damage is only there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import string
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec

from ..errors import PexrtcError
from ..media.child import in_child
from ..media.repair import repaired_path
from ..media.writers.target import is_being_written
from ..recorder.naming import safe_component
from ..recorder.sidecars import rewrite_sidecars, sidecar_path
from .entries import RecordJobEntry

__all__ = ["Leftovers"]

logger = logging.getLogger(__name__)

_LEAST_S = 60.0
_BYTES_PER_S = 2_000_000
"""Slower than this no disk copies."""


class _Mended(msgspec.Struct):
    file: str
    duration_s: float


class Leftovers:
    """Finds and mends them; one that cannot be mended is told of once."""

    def __init__(self) -> None:
        self._hopeless: set[Path] = set()

    async def mend(self, jobs: Iterable[RecordJobEntry]) -> AsyncIterator[tuple[RecordJobEntry, Path]]:
        """Yield each file that is made whole, and those beside it, with the job they are of. Cancelling is safe."""
        for job, part in await asyncio.to_thread(_find, tuple(jobs)):
            if part in self._hopeless:
                continue
            try:
                size = part.stat().st_size
                raw = await in_child("repair", part, deadline_s=_LEAST_S + size / _BYTES_PER_S)
                mended = msgspec.convert(raw, _Mended)
            except (PexrtcError, OSError) as exc:
                self._hopeless.add(part)
                logger.warning("! %s, which a run left, stays as it is: %s", part, exc)
                continue
            path = Path(mended.file)
            logger.info("= %s is made of what a run left: %.1f s", path, mended.duration_s)
            yield job, path
            events = sidecar_path(path, "events.jsonl")
            if not events.exists():
                continue
            try:
                beside = await asyncio.to_thread(rewrite_sidecars, path, mended.duration_s)
            except PexrtcError as exc:
                logger.warning("! %s", exc)
                beside = ()
            for one in (*beside, events):
                yield job, one


def _find(jobs: tuple[RecordJobEntry, ...]) -> list[tuple[RecordJobEntry, Path]]:
    found: dict[Path, RecordJobEntry] = {}
    # Those of a job's own alias first: jobs may share a folder and a template.
    for has_alias in (True, False):
        for job in jobs:
            pattern = _pattern(job, has_alias=has_alias)
            for where, _, names in os.walk(job.folder):
                for name in names:
                    part = Path(where, name)
                    whole = repaired_path(part)
                    if part.stem.endswith(".part") and pattern.fullmatch(str(whole)) and part not in found:
                        found[part] = job
    return [
        (job, part)
        for part, job in sorted(found.items())
        if not repaired_path(part).exists() and not is_being_written(part)
    ]


def _pattern(job: RecordJobEntry, *, has_alias: bool) -> re.Pattern[str]:
    """Return what the paths of a job's files look like: numbered when taken, of a role, in segments."""
    output = Path(job.output).expanduser().absolute()
    stem, suffix = str(output.with_suffix("")), output.suffix
    parts: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(stem):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(re.escape(safe_component(job.alias)) if name == "alias" and has_alias else "[^/]+")
    return re.compile("".join(parts) + r"(-\d+)?(\.slides)?(\.\d{3,})?" + re.escape(suffix))
