"""What a recording leaves behind, as one value: for `--json`, the manifest and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PexrtcError
from ..media.frames import Codec
from ..media.writers.container import TrackResult
from .closed_files import FileResult
from .roles import Role
from .stopping import Ended

__all__ = ["Hole", "RecordingResult", "StreamHole", "StreamResult", "sum_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Time without a frame of any stream: a cut of the network, a rejoin."""

    start_s: float
    """Seconds of the recording; the last frame before it."""
    end_s: float
    """The first frame after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHole:
    """Time without a frame of one stream."""

    start_s: float
    """Seconds of the recording; the end of the frame before it."""
    end_s: float
    """The first frame after it."""
    is_lost: bool
    """Whether something was sent and is missing; else nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """One stream in one file."""

    role: Role
    """What it is."""
    codec: Codec
    """What it is encoded with."""
    file: Path
    """The file it is in."""
    file_start_s: float
    """Seconds of the recording at which that file's 0 lies."""
    packets: int
    """Encoded frames in the file; of sound, each was one RTP packet."""
    key_frames: int
    """How many of them decoding can begin with."""
    bytes: int
    """Their size."""
    gaps: int
    """Times that media was lost on its way to us."""
    lost_packets: int
    """RTP packets lost in these gaps."""
    dropped: int
    """Frames left out because the disk did not keep up."""
    undecodable: int
    """Pictures left out because their key frame was lost, or had not come yet."""
    start_s: float | None
    """Seconds of the recording at its first frame, None without one."""
    end_s: float | None
    """Seconds of the recording at its last frame."""
    sizes: tuple[tuple[float, int, int], ...]
    """Picture sizes: seconds of the recording from when, width, height."""
    holes: tuple[StreamHole, ...] = ()
    """Between its first frame and its last in this file; the first thousand."""
    more_holes: int = 0
    """How many there are beyond these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResult:
    """What was recorded."""

    file: Path | None
    """The first file of sound and picture; None when no media came."""
    files: tuple[Path, ...]
    """All files, the slides' last."""
    began_at: float | None
    """The recording's 0 on the wall clock, seconds since the epoch; None when no media came."""
    duration_s: float
    """Seconds of the recording, pauses not counted."""
    bytes: int
    """Size of all files."""
    streams: tuple[StreamResult, ...]
    """What is in them."""
    holes: tuple[Hole, ...]
    """Where nothing came."""
    datagrams_overflowed: int
    """Datagrams that came and found no room in a socket: lost on this machine, not in the network. All that came to the
    calls counts, paused or not."""
    ended: Ended
    """Why it ended."""
    error: PexrtcError | None
    """What went wrong, None if nothing did."""


def sum_up(
    main: Iterable[FileResult],
    slides: Iterable[FileResult],
    *,
    began_at: float | None,
    ended: Ended,
    holes: Sequence[Hole],
    datagrams_overflowed: int,
    error: PexrtcError | None,
) -> RecordingResult:
    """Make the result of a recording from those of its files; one that its disk took nothing of is none."""
    first: Path | None = None
    paths: list[Path] = []
    streams: list[StreamResult] = []
    duration_s, size = 0.0, 0
    for is_main, files in ((True, main), (False, slides)):
        for file in files:
            written = file.written
            if written.error is not None and not written.bytes:
                continue
            first = first or (written.path if is_main else None)
            paths.append(written.path)
            streams += [_stream(role, track, file) for role, track in file.tracks.items()]
            duration_s = max(duration_s, file.start_s + written.duration_s)
            size += written.bytes
    return RecordingResult(
        file=first,
        files=tuple(paths),
        began_at=began_at,
        duration_s=duration_s,
        bytes=size,
        streams=tuple(streams),
        holes=tuple(holes),
        datagrams_overflowed=datagrams_overflowed,
        ended=ended,
        error=error,
    )


def _stream(role: Role, track: TrackResult, file: FileResult) -> StreamResult:
    return StreamResult(
        role=role,
        codec=track.spec.codec,
        file=file.written.path,
        file_start_s=file.start_s,
        packets=track.frames,
        key_frames=track.key_frames,
        bytes=track.bytes,
        gaps=track.gaps,
        lost_packets=track.lost_packets,
        dropped=track.dropped,
        undecodable=track.undecodable,
        start_s=None if track.first_s is None else file.start_s + track.first_s,
        end_s=None if track.last_s is None else file.start_s + track.last_s,
        sizes=tuple((file.start_s + at, width, height) for at, width, height in track.sizes),
        holes=tuple(
            StreamHole(start_s=file.start_s + one.start_s, end_s=file.start_s + one.end_s, is_lost=one.is_lost)
            for one in track.holes
        ),
        more_holes=track.more_holes,
    )
