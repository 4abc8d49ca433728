"""One source after the other as if they were one: loops and playlists, without a seam.

The next begins where the last frame of the one before ends: pictures go on by their durations, sound stays on its grid
of 20 ms, so that RTP time never jumps, steps back or stands still at a joint.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from ...errors import SourceError
from ..frames import EncodedFrame, Kind, Source, TrackFormat
from .packets import PacketGrid
from .raw import FRAME_S, Interruptible, SoundTuning, Tunable

__all__ = ["Sequence"]

# Sound and picture of one file end this close together: then the picture says where the next begins.
_SAME_END_S = 0.1


class Sequence:
    """Plays sources one after the other.

    Args:
        openers: each opens the next source when its turn comes; may be endless. All must have the formats of the
            first: what differs is an error, what is missing a pause.

    Raises:
        SourceError: the first cannot be opened.
    """

    def __init__(self, openers: Iterable[Callable[[], Source]]) -> None:
        self._openers: Iterator[Callable[[], Source]] = iter(openers)
        first = next(self._openers, None)
        if first is None:
            raise SourceError("a playlist is empty")
        self._current: Source | None = first()
        self._formats = self._current.formats
        self._grid = PacketGrid(self._formats[Kind.AUDIO].codec) if Kind.AUDIO in self._formats else None
        # Placing sound on its grid moves it by up to two packets, so frames wait that long to come out in order.
        self._placed: list[tuple[float, int, EncodedFrame]] = []
        self._count = 0
        self._settled = 0.0  # seconds: nothing before this is still to come
        self._base = 0  # 90 kHz ticks: where the current one began
        self._ends: dict[Kind, float] = {}  # seconds, relative to `_base`
        self._bitrate_bps: int | None = None
        self._tuning: SoundTuning | None = None
        self.begun = 1
        """How many sources have been opened so far."""

    @property
    def live(self) -> bool:
        """Whether the current source makes its own pace."""
        return self._current is not None and self._current.live

    @property
    def encodes(self) -> bool:
        """Whether the current source encodes its pictures."""
        return self._current is not None and self._current.encodes

    @property
    def passes_pictures(self) -> bool:
        """Whether the current source sends pictures as they came."""
        return bool(getattr(self._current, "passes_pictures", False))

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        """The tracks of the first source."""
        return self._formats

    def pull(self) -> EncodedFrame | None:
        """Return the next frame in order of time; None after the last of the last source.

        Raises:
            SourceError: a source broke, could not be opened, gave nothing, or has other formats than the first.
        """
        while not self._placed or self._placed[0][0] > self._settled:
            current = self._current
            if current is None:
                return heapq.heappop(self._placed)[2] if self._placed else None
            frame = current.pull()
            if frame is None:
                current.close()
                self._step()
            elif frame.kind in self._formats:
                moved = 0.0 if self._grid is None else 2 * FRAME_S
                self._settled = max(self._settled, self._base / 90000 + frame.time - moved)
                try:
                    self._place(frame)
                except ValueError as exc:
                    name = getattr(current, "name", "a source in a row of sources")
                    raise SourceError(f"{name}: {exc}") from exc
        return heapq.heappop(self._placed)[2]

    def request_key_frame(self) -> None:
        """Pass it on to the current source. Thread-safe."""
        if (current := self._current) is not None:
            current.request_key_frame()

    def set_bitrate(self, video_bps: int) -> None:
        """Pass it on to the current source and those after it. Thread-safe."""
        self._bitrate_bps = video_bps
        if (current := self._current) is not None:
            current.set_bitrate(video_bps)

    def tune_sound(self, tuning: SoundTuning) -> None:
        """Pass it on to the current source and those after it, see `Tunable`. Thread-safe."""
        self._tuning = tuning
        if isinstance(current := self._current, Tunable):
            current.tune_sound(tuning)

    def interrupt(self) -> None:
        """Pass it on to the current source, and open no other. Thread-safe."""
        self._openers = iter(())
        if isinstance(current := self._current, Interruptible):
            current.interrupt()

    def close(self) -> None:
        """Close the current source. Idempotent."""
        if (current := self._current) is not None:
            self._current = None
            current.close()

    def _place(self, frame: EncodedFrame) -> None:
        self._ends[frame.kind] = frame.time + frame.duration / frame.codec.clock_rate
        if frame.kind is Kind.AUDIO and self._grid is not None:
            self._put(self._grid.place(self._base / 90000 + frame.time, frame.data))
        else:
            rtp_time = self._base + frame.rtp_time
            if self._grid is not None:
                # Sound that is to come is not before this picture: where there is none, it is silence.
                self._put(self._grid.fill(rtp_time / 90000 - 2 * FRAME_S))
            self._put((replace(frame, rtp_time=rtp_time, time=rtp_time / 90000, arrival=rtp_time / 90000),))

    def _put(self, frames: Iterable[EncodedFrame]) -> None:
        for frame in frames:
            self._count += 1  # keeps heapq from comparing frames
            heapq.heappush(self._placed, (frame.time, self._count, frame))

    def _step(self) -> None:
        """Go on to the next source."""
        if not self._ends:
            raise SourceError("a source in a row of sources gave nothing to play")
        ends = self._ends
        video = ends.get(Kind.VIDEO)
        end = max(ends.values())
        if video is not None and end - video <= _SAME_END_S:
            end = video
        self._base += round(end * 90000)
        if self._grid is not None:
            self._put(self._grid.fill(self._base / 90000))
        opener = next(self._openers, None)
        self._current = opener() if opener is not None else None
        if self._current is None:
            return
        self.begun += 1
        if self._bitrate_bps is not None:
            self._current.set_bitrate(self._bitrate_bps)
        if self._tuning is not None and isinstance(self._current, Tunable):
            self._current.tune_sound(self._tuning)
        self._ends = {}
        for kind, form in self._current.formats.items():
            mine = self._formats.get(kind)
            if mine is not None and mine.codec is not form.codec:
                raise SourceError(f"a source in a row of sources has {form.codec}, the first had {mine.codec}")
