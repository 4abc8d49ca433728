"""The writer thread's side of a track: its frames on the file's clock, and the count of them."""

from __future__ import annotations

from dataclasses import dataclass

from ..frames import EncodedFrame, Kind
from .tracks import HOLE_S, TrackSpec, frame_duration
from .writer_track import WriterTrack

__all__ = ["TrackHole", "TrackOutput", "TrackResult"]

_MOST_HOLES = 1000
"""Of one track that are told one by one; the rest is a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackHole:
    """Time without a frame."""

    start_s: float
    """End of the frame before, seconds of the file."""
    end_s: float
    """Start of the one after, or end of the file."""
    is_lost: bool
    """Whether something was sent that is missing; else nothing was: a camera was off, a microphone muted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackResult:
    """What became of a track."""

    spec: TrackSpec
    """As it was declared."""
    frames: int
    """Frames written."""
    bytes: int
    """Their bytes, without the container's."""
    key_frames: int
    """How many of them are key frames; all of them for audio."""
    first_s: float | None
    """Start of the first frame in seconds of the file; None when nothing was written."""
    last_s: float | None
    """Start of the last one."""
    gaps: int
    """Times that media was lost on its way."""
    lost_packets: int
    """RTP packets lost in these gaps."""
    dropped: int
    """Frames not written because the disk did not keep up."""
    undecodable: int
    """Frames not written because their key frame was lost, or never came."""
    unfit: int
    """Frames not written because they have another codec than the track."""
    adjusted: int
    """Frames whose time stepped back or lies before the origin: pictures move right behind the one before, as sound
    does, but sound before the origin is left out."""
    sizes: tuple[tuple[float, int, int], ...]
    """Picture sizes in order: seconds of the file, width, height."""
    holes: tuple[TrackHole, ...]
    """Time without a frame between the first and the last, or to the end of the file where frames are missing there."""
    more_holes: int
    """How many there are beyond these, of which nothing is kept."""


class TrackOutput:
    """Places the frames of one track on the file's clock. Used by the writer thread only."""

    def __init__(self, spec: TrackSpec, origin: float, ticks_per_s: float) -> None:
        """Take what was declared, `EncodedFrame.time` of the file's 0, and the resolution of the file's times."""
        self._spec = spec
        self._origin = origin
        self._ticks_per_s = ticks_per_s
        self._first: int | None = None
        self._last: int | None = None
        self._end = 0
        self._frames = 0
        self._bytes = 0
        self._key_frames = 0
        self._adjusted = 0
        self._sizes: list[tuple[float, int, int]] = []
        self._hole_ticks = HOLE_S[spec.kind] * ticks_per_s
        self._holes: list[TrackHole] = []
        self._more_holes = 0

    @property
    def end_s(self) -> float:
        """End of the last frame in seconds of the file."""
        return self._end / self._ticks_per_s

    def place(self, frame: EncodedFrame, *, follows_loss: bool) -> tuple[int, int] | None:
        """Return start and duration in ticks of the file, or None for sound from before the origin.

        Args:
            frame: the next one.
            follows_loss: whether something is missing between it and the one before.
        """
        at = round((frame.time - self._origin) * self._ticks_per_s)
        if at < 0 and self._spec.kind is Kind.AUDIO:
            self._adjusted += 1
            return None
        earliest = 0 if self._last is None else self._last + 1  # readers want times to increase
        if at < earliest:
            self._adjusted += 1
            at = earliest
        if self._first is not None and at - self._end > self._hole_ticks:
            self._note_hole(at, is_lost=follows_loss)
        if self._first is None:
            self._first = at
        self._last = at
        duration = round(frame_duration(frame) / frame.codec.clock_rate * self._ticks_per_s)
        self._end = max(self._end, at + duration)
        self._count(frame, at)
        return at, duration

    def _count(self, frame: EncodedFrame, at: int) -> None:
        self._frames += 1
        self._bytes += len(frame.data)
        if frame.key:
            self._key_frames += 1
            size = (frame.width, frame.height)
            if self._spec.kind is Kind.VIDEO and frame.width and (not self._sizes or self._sizes[-1][1:] != size):
                self._sizes.append((at / self._ticks_per_s, *size))

    def _note_hole(self, at: int, *, is_lost: bool) -> None:
        if len(self._holes) == _MOST_HOLES:
            self._more_holes += 1
            return
        start_s, end_s = self._end / self._ticks_per_s, at / self._ticks_per_s
        self._holes.append(TrackHole(start_s=start_s, end_s=end_s, is_lost=is_lost))

    def result(self, track: WriterTrack, *, end_s: float) -> TrackResult:
        """Sum up, with what `track` counted on its side, a file that lasts until `end_s`."""
        end = round(end_s * self._ticks_per_s)
        if self._first is not None and track.misses and end - self._end > self._hole_ticks:
            self._note_hole(end, is_lost=True)
        return TrackResult(
            spec=self._spec,
            frames=self._frames,
            bytes=self._bytes,
            key_frames=self._key_frames,
            first_s=None if self._first is None else self._first / self._ticks_per_s,
            last_s=None if self._last is None else self._last / self._ticks_per_s,
            gaps=track.gaps,
            lost_packets=track.lost_packets,
            dropped=track.dropped,
            undecodable=track.undecodable,
            unfit=track.unfit,
            adjusted=self._adjusted,
            sizes=tuple(self._sizes),
            holes=tuple(self._holes),
            more_holes=self._more_holes,
        )
