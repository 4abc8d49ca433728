"""Making sources ready before they are needed: levelled and in the form they are sent in, once for all conferences.

What can be measured (files, playlists of files, speech, compositions of these that end by themselves) is prepared in a
child and kept by content; what cannot (live sources, generators) is encoded as it goes, live ones with a gain that
follows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from ..errors import SourceError
from ..media.frames import Codec, Kind
from ..media.loudness import TARGET_LUFS
from ..media.prepare import PrepareConfig, Progress, prepare
from ..media.prepare_composed import can_be_prepared, prepare_composed
from ..media.sources.file import probe_file
from ..media.sources.live import is_address
from ..media.sources.playlist import read_m3u
from ..media.sources.speech import SpeechEngine, espeak
from ..media.sources.text import SourceSpec, Way
from .spoken import spoken_file

__all__ = ["Readiness", "Ready", "cache_folder", "make_ready"]

_SOFTER_LU: Final = 12.0
"""How much softer the level is that is played while people speak: heard, and understood beside them."""


def cache_folder() -> Path:
    """Return where prepared media is kept: `pexrtc` in `XDG_CACHE_HOME` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "pexrtc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How sources are made ready."""

    loudness_lufs: float | None = TARGET_LUFS
    """Integrated loudness, LUFS; None: as it is."""
    duck: bool = False
    """Whether a softer level is made too."""
    cache: Path | None = None
    """Where to; None: `cache_folder()`."""
    engine: SpeechEngine = espeak
    """What speaks; see `spoken` for whose speech is kept under which name."""
    on_progress: Callable[[str], None] | None = None
    """Told in a few words what is being done, twice a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A source, ready to be sent."""

    spec: SourceSpec
    """What to open: the prepared files in place of the given ones."""
    soft: SourceSpec | None
    """The same at a softer level; None when there is none."""


async def make_ready(spec: SourceSpec, how: Readiness) -> Sequence[Ready]:
    """Make a source ready; a playlist becomes one for each entry. Safe to cancel.

    Raises:
        SourceError: it cannot be read or spoken.
        WriteError: the cache cannot be written.
        UsageError: a playlist makes no sense.
    """
    if spec.way is Way.PLAYLIST:
        entries = await asyncio.to_thread(read_m3u, Path(spec.value))
        return [ready for entry in entries for ready in await make_ready(_entry(entry, spec.value), how)]
    if spec.parts:
        composed = await asyncio.to_thread(_resolved, spec, how)
        if not can_be_prepared(composed):
            return [Ready(spec=spec, soft=None)]
        return [await _at_levels(partial(_composed, composed, how), how)]
    if spec.way is Way.SPEECH:
        path = await asyncio.to_thread(_spoken, spec.value, how)
    elif spec.way is Way.FILE:
        path = Path(spec.value)
    else:
        return [Ready(spec=spec, soft=None)]
    name = "speech" if spec.way is Way.SPEECH else path.name
    tracks = await asyncio.to_thread(probe_file, path)
    # What is H.264 already and can be sent as it is stays so: every node takes it, and nothing is lost by encoding.
    stays = Kind.VIDEO in tracks and tracks[Kind.VIDEO].codec is Codec.H264
    codec = Codec.H264 if stays else Codec.VP8
    return [await _at_levels(partial(_prepared, path, name, how, codec=codec), how)]


async def _at_levels(make: Callable[[float | None], Awaitable[Path]], how: Readiness) -> Ready:
    """Make the wanted level, and the softer one beside it."""
    path = await make(how.loudness_lufs)
    loud = SourceSpec(way=Way.FILE, value=str(path))
    if not how.duck or how.loudness_lufs is None or Kind.AUDIO not in await asyncio.to_thread(probe_file, path):
        return Ready(spec=loud, soft=None)
    soft = await make(how.loudness_lufs - _SOFTER_LU)
    return Ready(spec=loud, soft=SourceSpec(way=Way.FILE, value=str(soft)))


async def _prepared(path: Path, name: str, how: Readiness, loudness_lufs: float | None, *, codec: Codec) -> Path:
    config = PrepareConfig(target_lufs=loudness_lufs, video_codec=codec)
    done = await prepare(path, how.cache or cache_folder(), config, on_progress=_telling(name, how))
    return done.path


async def _composed(spec: SourceSpec, how: Readiness, loudness_lufs: float | None) -> Path:
    config = PrepareConfig(target_lufs=loudness_lufs)
    done = await prepare_composed(spec, how.cache or cache_folder(), config, on_progress=_telling(spec.way, how))
    return done.path


def _telling(name: str, how: Readiness) -> Progress:
    def told(doing: str, done_s: float) -> None:
        if how.on_progress is not None:
            how.on_progress(f"{name}: {doing}, {done_s:.0f} s done")

    return told


def _resolved(spec: SourceSpec, how: Readiness) -> SourceSpec:
    """Put files in the place of what is spoken and listed within a composition."""
    if spec.way is Way.SPEECH:
        return SourceSpec(way=Way.FILE, value=str(_spoken(spec.value, how)))
    if spec.way is Way.PLAYLIST:
        parts = tuple(_entry(entry, spec.value) for entry in read_m3u(Path(spec.value)))
        return parts[0] if len(parts) == 1 else SourceSpec(way=Way.THEN, parts=parts)
    return replace(spec, parts=tuple(_resolved(part, how) for part in spec.parts))


def _entry(entry: str, playlist: str) -> SourceSpec:
    if "\0" in entry:
        raise SourceError(f"{playlist}: an entry of a playlist cannot have a NUL in it")
    return SourceSpec(way=Way.ADDRESS if is_address(entry) else Way.FILE, value=entry)


def _spoken(text: str, how: Readiness) -> Path:
    return spoken_file(text, how.cache or cache_folder(), engine=how.engine)
