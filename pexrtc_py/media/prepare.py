"""Ready once: any media in the form it is sent in, so that a thousand rooms cost no encoding.

The wire form is Matroska with Opus of 20 ms and VP8 or H.264 without B-frames, a key frame every second, its loudness
set. What is that already is left as it is, track by track; a file that is that as a whole is not even copied. Results
are kept by content: the same file under another name, or asked for by another process, is not made twice.

`prepare` does the work in a child process, because it takes a core for a while, and because decoding what somebody sent
is done apart from what must not fail. `prepare_here` is what the child runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ..errors import PexrtcError, SourceError, UsageError, WriteError
from .frames import Codec, EncodedFrame, Kind, Source
from .loudness import PEAK_DBTP, TARGET_LUFS, Levelled, levelling
from .sources.encoded import EncodeConfig, EncodedSource
from .sources.file import FileTrack, open_file, open_raw_file, probe_file
from .sources.raw import Picture, RawSource, Sound
from .writers.matroska import MATROSKA
from .writers.target import Target, part_path
from .writers.tracks import TrackSpec

__all__ = ["PrepareConfig", "Prepared", "Progress", "cache_key", "prepare", "prepare_here"]

# Part of every cache key: a change of what is made here must not find what was made before.
_FORM: Final = b"pexrtc_py wire form 2"
_KEY_INTERVAL_S: Final = 1.0
_KEY_TOLERANCE_S: Final = 0.1
_HASH_PIECE: Final = 1 << 20
_AS_IT_IS: Final = ".ready"  # an empty file of this suffix says that nothing has to be done to a content
_TELL_EVERY_S: Final = 0.5

Progress: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and how many seconds of the file that has been done to."""


class PrepareConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is made of a file."""

    target_lufs: float | None = TARGET_LUFS
    """Integrated loudness, LUFS; None: as it is."""
    peak_dbtp: float = PEAK_DBTP
    """Highest true peak, dBTP."""
    video_codec: Codec = Codec.VP8
    """VP8 or H264."""
    video_bps: int | None = None
    """Bits per second of video that has to be encoded; None: by its size and rate."""
    largest: tuple[int, int] = (1920, 1080)
    """Width and height that no picture goes beyond."""
    frame_rate: float = 30.0
    """Most pictures per second."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A file in its wire form."""

    path: Path
    """Where it is; the given file itself when nothing had to be done."""
    cached: bool
    """Whether it had been made before."""
    gain_db: float
    """By how much its sound was made louder; 0 when it was left alone, or when it was made before."""
    encoded: frozenset[Kind]
    """The tracks that were encoded; none when all were taken as they are."""


async def prepare(
    path: Path, cache_dir: Path, config: PrepareConfig | None = None, *, on_progress: Progress | None = None
) -> Prepared:
    """Bring a file into its wire form, in a child process. Safe to cancel: the child is ended, nothing half is left.

    What has been prepared, or been found ready as it is, costs no child the next time.

    Args:
        path: the file.
        cache_dir: where results are kept; made when missing.
        config: what is wanted.
        on_progress: told what is being done and how many seconds of the file that has been done to, twice a second.

    Raises:
        SourceError: the file cannot be read, or there is nothing to play in it.
        WriteError: the cache cannot be written.
        UsageError: the cache is no folder that can be used.
    """
    config = config or PrepareConfig()
    made = await asyncio.to_thread(_made_path, path, cache_dir, config)
    as_it_is = made.with_suffix(_AS_IT_IS)
    if made.exists():
        return Prepared(path=made, cached=True, gain_db=0.0, encoded=frozenset())
    if as_it_is.exists():
        return Prepared(path=path, cached=True, gain_db=0.0, encoded=frozenset())
    answer = await _ask_child(msgspec.json.encode((path, cache_dir, config), enc_hook=str), path, made, on_progress)
    prepared = _answered(answer)
    if not prepared.encoded and not prepared.cached:
        with suppress(OSError):  # a cache that cannot be written costs another look the next time, and no more
            cache_dir.mkdir(parents=True, exist_ok=True)
            as_it_is.touch()
    return prepared


def _made_path(path: Path, cache_dir: Path, config: PrepareConfig) -> Path:
    return cache_dir / f"{cache_key(path, config)}{MATROSKA.suffix}"


async def _ask_child(
    order: bytes, name: object, made: Path, on_progress: Progress | None, *, module: str = "pexrtc_py.media.prepare"
) -> bytes:
    """Have a child make a file; returns its last line, those before being progress."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if child.stdin is None or child.stdout is None:
        raise AssertionError("pipes were asked for")
    answer = b""
    try:
        child.stdin.write(order)
        child.stdin.close()
        async for line in child.stdout:
            if not line.startswith(b"{"):
                answer = line
            elif on_progress is not None:
                told = msgspec.json.decode(line, type=_Told)
                on_progress(told.doing, told.done_s)
        await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        if not answer:  # it was killed, by us or by what ran out of memory, and could not tidy up
            own = _own_path(made, child.pid)
            for left in (part_path(own), own):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
    if not answer:
        raise SourceError(f"{name}: its preparation ended without a result (exit code {child.returncode})")
    return answer


def prepare_here(
    path: Path, cache_dir: Path, config: PrepareConfig | None = None, *, on_progress: Progress | None = None
) -> Prepared:
    """Bring a file into its wire form, in this process and thread.

    Args:
        path: the file.
        cache_dir: where results are kept; made when missing.
        config: what is wanted.
        on_progress: told what is being done and how many seconds of the file that has been done to.

    Raises:
        SourceError: the file cannot be read, or there is nothing to play in it.
        WriteError: the cache cannot be written.
        UsageError: the cache is no folder that can be used.
    """
    config = config or PrepareConfig()
    tracks = probe_file(path)
    made = _made_path(path, cache_dir, config)
    if made.exists():
        return Prepared(path=made, cached=True, gain_db=0.0, encoded=frozenset())
    gain = 0.0
    if Kind.AUDIO in tracks:
        gain = _gain(lambda: open_raw_file(path, kinds=(Kind.AUDIO,)), config, on_progress)
    encoded = frozenset(kind for kind, track in tracks.items() if _must_encode(kind, track, gain, config))
    if not encoded:
        return Prepared(path=path, cached=False, gain_db=0.0, encoded=encoded)
    sources = [_source(path, kind, gain, config, encode=kind in encoded) for kind in tracks]
    try:
        _write(sources, made, on_progress)
    finally:
        for source in sources:
            source.close()
    return Prepared(path=made, cached=False, gain_db=gain, encoded=encoded)


def cache_key(path: Path, config: PrepareConfig) -> str:
    """Return the name of what is made of a file: of its content and of what is wanted, not of its name.

    Raises:
        SourceError: the file cannot be read.
    """
    digest = hashlib.sha256(_FORM + msgspec.json.encode(config))
    try:
        with path.open("rb") as file:
            while piece := file.read(_HASH_PIECE):
                digest.update(piece)
    except OSError as exc:
        raise SourceError(f"{path}: cannot read: {(exc.strerror or str(exc)).lower()}") from exc
    return digest.hexdigest()[:32]


def _must_encode(kind: Kind, track: FileTrack, gain: float, config: PrepareConfig) -> bool:
    if kind is Kind.AUDIO:
        return gain != 0.0 or track.codec is not Codec.OPUS
    fits = track.width <= config.largest[0] and track.height <= config.largest[1]
    fits = fits and track.frame_rate <= config.frame_rate + 0.5
    return (
        track.codec is not config.video_codec or track.key_interval_s > _KEY_INTERVAL_S + _KEY_TOLERANCE_S or not fits
    )


def _gain(opener: Callable[[], RawSource], config: PrepareConfig, on_progress: Progress | None) -> float:
    """Return by how much the sound has to be made louder, decibels."""
    if config.target_lufs is None:
        return 0.0
    gain, _ = levelling(
        lambda: _Watched(opener(), "measuring", on_progress),
        target_lufs=config.target_lufs,
        peak_dbtp=config.peak_dbtp,
    )
    return gain


def _source(path: Path, kind: Kind, gain: float, config: PrepareConfig, *, encode: bool) -> Source:
    """Open one track of the file, encoded or as it is."""
    codec = Codec.OPUS if kind is Kind.AUDIO else config.video_codec
    accept = {kind: (codec,)}
    if not encode:
        return open_file(path, accept=accept)
    return _encoding(open_raw_file(path, kinds=(kind,), largest=config.largest), kind, gain, config)


def _encoding(raw: RawSource, kind: Kind, gain: float, config: PrepareConfig) -> Source:
    """Encode one track of what is not encoded."""
    if kind is Kind.AUDIO and gain != 0.0:
        raw = Levelled(raw, gain, peak_dbtp=config.peak_dbtp)
    how = EncodeConfig(
        video_bps=config.video_bps,
        largest=config.largest,
        frame_rate=config.frame_rate,
        key_interval_s=_KEY_INTERVAL_S,
    )
    codec = Codec.OPUS if kind is Kind.AUDIO else config.video_codec
    return EncodedSource(raw, accept={kind: (codec,)}, config=how)


class _Watched:
    """A `RawSource` that tells how far it has been read."""

    def __init__(self, part: RawSource, doing: str, on_progress: Progress | None) -> None:
        self._part = part
        self._doing = doing
        self._on_progress = on_progress
        self.live = part.live
        self.formats = part.formats

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None at the end."""
        item = self._part.pull()
        if item is not None and self._on_progress is not None:
            self._on_progress(self._doing, item.time)
        return item

    def close(self) -> None:
        """Close the source. Idempotent."""
        self._part.close()


@dataclass(slots=True)
class _Track:
    """A track on its way into the file."""

    source: Source
    head: EncodedFrame | None
    last: int = -1


def _write(sources: list[Source], path: Path, on_progress: Progress | None) -> None:
    """Write tracks, each from its own source, in order of time, under a name of our own until they are complete."""
    heads = [(source, source.pull()) for source in sources]
    tracks = [_Track(source=source, head=head) for source, head in heads if head is not None]
    if not tracks:
        raise SourceError(f"{path}: there was nothing to prepare")
    target = Target(_own_path(path, os.getpid()))
    try:
        muxer = MATROSKA.muxer()
        muxer.begin(target, [TrackSpec.of(head) for _, head in heads if head is not None], {})
        while any(track.head is not None for track in tracks):
            index = min(range(len(tracks)), key=lambda number: _time(tracks[number].head))
            track = tracks[index]
            if (frame := track.head) is None:
                break
            ticks = muxer.ticks_per_s(index)
            if on_progress is not None:
                on_progress("writing", frame.time)
            at = max(round(frame.time * ticks), track.last + 1)
            muxer.write(index, frame, at, round(frame.duration / frame.codec.clock_rate * ticks))
            track.last, track.head = at, track.source.pull()
        muxer.finish(())
    except BaseException:
        target.discard()
        raise
    written = target.close()
    if target.error is not None:
        written.unlink(missing_ok=True)
        raise target.error
    written.replace(path)


def _own_path(path: Path, pid: int) -> Path:
    """Return what a process calls its result until it is complete: several may make the same one."""
    return path.with_stem(f"{path.stem}-{pid}")


def _time(frame: EncodedFrame | None) -> float:
    return math.inf if frame is None else frame.time


# The child.


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """A line of progress; an object, while the answer is an array."""

    doing: str
    done_s: float


_Order: TypeAlias = tuple[Path, Path, PrepareConfig]
_Answer: TypeAlias = tuple[tuple[str, str] | None, Prepared | None]
_ERRORS: Final[Mapping[str, type[PexrtcError]]] = {
    kind.__name__: kind for kind in (SourceError, UsageError, WriteError)
}


def _path(kind: type[object], value: object) -> Path:
    """Read the one type of ours that JSON has no word for."""
    return Path(str(value))


def _answered(answer: bytes) -> Prepared:
    decoded: _Answer = msgspec.json.decode(answer, type=_Answer, dec_hook=_path)
    error, prepared = decoded
    if prepared is not None:
        return prepared
    name, line = error or ("SourceError", "a preparation said nothing")
    raise _ERRORS.get(name, SourceError)(line)


def _main() -> None:
    path, cache_dir, config = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order, dec_hook=_path)
    _answer_for(lambda tell: prepare_here(path, cache_dir, config, on_progress=tell))


def _answer_for(work: Callable[[Progress], Prepared]) -> None:
    """Do a child's work, and tell the parent how it goes and what came of it."""
    os.nice(10)  # what is being sent into rooms goes first
    told = 0.0

    def tell(doing: str, done_s: float) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= _TELL_EVERY_S:
            told = now
            sys.stdout.buffer.write(msgspec.json.encode(_Told(doing=doing, done_s=round(done_s, 2))) + b"\n")
            sys.stdout.buffer.flush()

    try:
        answer: _Answer = (None, work(tell))
    except PexrtcError as exc:
        answer = ((type(exc).__name__, str(exc)), None)
    sys.stdout.buffer.write(msgspec.json.encode(answer, enc_hook=str) + b"\n")


if __name__ == "__main__":
    _main()
