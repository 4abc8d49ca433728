"""Raw sources made of raw sources: one after the other, mixed, laid over, faded, louder and softer.

All work on 20 ms pieces and single pictures, as they pass; nothing is read ahead and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import av
import numpy as np

from ...errors import UsageError
from ..frames import Kind
from ..marks import Plane
from .decoded import fitted_size
from .raw import (
    FRAME_S,
    Interruptible,
    Picture,
    RawFormat,
    RawSource,
    Sound,
    picture_at,
    sound_at,
    with_channels,
)

__all__ = [
    "Changed",
    "Concatenated",
    "Cut",
    "Mixed",
    "Overlaid",
    "concatenate",
    "cut",
    "fade",
    "gain",
    "mix",
    "overlay",
]

_END: Final = float("inf")


class _Composed:
    """What sources made of other sources have in common."""

    def __init__(self, parts: Sequence[RawSource]) -> None:
        if not parts:
            raise UsageError("nothing was given to compose")
        self._parts = list(parts)

    @property
    def live(self) -> bool:
        """Whether any part makes its own pace."""
        return any(part.live for part in self._parts)

    def interrupt(self) -> None:
        """Pass it on. Thread-safe."""
        for part in self._parts:
            if isinstance(part, Interruptible):
                part.interrupt()

    def close(self) -> None:
        """Close all parts. Idempotent."""
        for part in self._parts:
            part.close()


class Concatenated(_Composed):
    """Parts one after the other; formats are those of the first, which the others are fitted to."""

    def __init__(self, parts: Sequence[RawSource]) -> None:
        super().__init__(parts)
        self.formats: Mapping[Kind, RawFormat] = parts[0].formats
        self._waiting = list(parts)
        self._base = 0.0
        self._end = 0.0
        self._pieces = 0
        self._rate = self.formats[Kind.VIDEO].frame_rate or 30.0 if Kind.VIDEO in self.formats else 30.0

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None after the last part."""
        while self._waiting:
            item = self._waiting[0].pull()
            if item is None:
                self._waiting.pop(0).close()
                self._base = self._end
            elif isinstance(item, Picture):
                time = self._base + item.time
                self._end = max(self._end, time + 1 / self._rate)
                if Kind.VIDEO in self.formats:
                    return picture_at(time, item.frame)
            else:
                # Sound goes on without a hole: a part may end up to 20 ms after its last piece began.
                self._end = max(self._end, self._base + item.time + FRAME_S)
                if Kind.AUDIO in self.formats and self._base + item.time > (self._pieces - 1.5) * FRAME_S:
                    self._pieces += 1
                    return sound_at(self._pieces - 1, with_channels(item.samples, self.formats[Kind.AUDIO].channels))
        return None


class Mixed(_Composed):
    """The sound of all parts added up, and the pictures of the first that has any; ends with the longest."""

    def __init__(self, parts: Sequence[RawSource]) -> None:
        super().__init__(parts)
        channels = max((p.formats[Kind.AUDIO].channels for p in parts if Kind.AUDIO in p.formats), default=0)
        shown = next((p for p in parts if Kind.VIDEO in p.formats), None)
        formats = {}
        if channels:
            formats[Kind.AUDIO] = RawFormat(channels=channels)
        if shown is not None:
            formats[Kind.VIDEO] = shown.formats[Kind.VIDEO]
        self.formats: Mapping[Kind, RawFormat] = formats
        self._channels = channels
        self._shown = shown
        self._heads: list[Sound | Picture | None] = []
        self._pieces = 0

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None when all parts are over."""
        if not self._heads:
            self._heads = [part.pull() for part in self._parts]
        while True:
            times = [_END if head is None else head.time for head in self._heads]
            first = int(np.argmin(times))
            head = self._heads[first]
            if head is None:
                return None
            if not isinstance(head, Picture):
                return self._added()
            self._heads[first] = self._parts[first].pull()
            if self._parts[first] is self._shown:
                return head

    def _added(self) -> Sound:
        """Add up the pieces that begin now."""
        total = np.zeros((round(FRAME_S * 48000), self._channels), np.int32)
        due = self._pieces * FRAME_S + FRAME_S / 2
        for number, head in enumerate(self._heads):
            if head is not None and not isinstance(head, Picture) and head.time < due:
                total += with_channels(head.samples, self._channels)
                self._heads[number] = self._parts[number].pull()
        self._pieces += 1
        return sound_at(self._pieces - 1, np.clip(total, -32768, 32767).astype(np.int16))


class Overlaid(_Composed):
    """The pictures and the sound of the first part with the pictures of the second laid over, in a corner or anywhere.

    Args:
        ground: what is below; says when there is a picture.
        top: what is laid over; its last picture stays when it is over.
        place: left and upper edge, in parts of the ground's width and height.
        width: of what is laid over, in parts of the ground's width.
    """

    def __init__(self, ground: RawSource, top: RawSource, *, place: tuple[float, float], width: float) -> None:
        super().__init__((ground, top))
        if Kind.VIDEO not in ground.formats or Kind.VIDEO not in top.formats:
            raise UsageError("overlay: both sources need pictures")
        if not (0 < width <= 1 and 0 <= place[0] < 1 and 0 <= place[1] < 1):
            raise UsageError("overlay: place and width are parts of the picture below, 0 to 1")
        self.formats: Mapping[Kind, RawFormat] = ground.formats
        form, over = ground.formats[Kind.VIDEO], top.formats[Kind.VIDEO]
        self._x, self._y = int(form.width * place[0]) & ~1, int(form.height * place[1]) & ~1
        wanted = max(2, int(form.width * width))
        self._size = fitted_size(
            wanted, max(2, wanted * over.height // over.width), (form.width - self._x, form.height - self._y)
        )
        self._form = form
        self._ahead: Picture | None = None
        self._shown: Plane | None = None
        self._over = False

    def pull(self) -> Sound | Picture | None:
        """Return the next piece of the ground, pictures with what is laid over them; None at its end."""
        item = self._parts[0].pull()
        return self._laid(item) if isinstance(item, Picture) else item

    def _laid(self, item: Picture) -> Picture:
        self._catch_up(item.time)
        if self._shown is None:
            return item
        planes = item.frame.to_ndarray(format="yuv420p").astype(np.uint8)
        places = ((self._x, self._y), (self._x // 2, self._y // 2), (self._x // 2, self._y // 2))
        below, above = _planes(planes, item.frame.width), _planes(self._shown, self._size[0])
        for ground, top, (x, y) in zip(below, above, places, strict=True):
            ground[y : y + top.shape[0], x : x + top.shape[1]] = top
        return picture_at(item.time, av.VideoFrame.from_ndarray(planes, "yuv420p"))

    def _catch_up(self, time: float) -> None:
        """Take the pictures of the top that are due by `time`."""
        while not self._over:
            if self._ahead is not None:
                if self._ahead.time > time:
                    return
                width, height = self._size
                frame = self._ahead.frame.reformat(width=width, height=height, format="yuv420p")
                self._shown, self._ahead = frame.to_ndarray().astype(np.uint8), None
            item = self._parts[1].pull()
            self._over = item is None
            self._ahead = item if isinstance(item, Picture) else None


class Cut(_Composed):
    """One part, and no more of it than so many seconds."""

    def __init__(self, part: RawSource, duration_s: float) -> None:
        super().__init__((part,))
        self.formats: Mapping[Kind, RawFormat] = part.formats
        self.stands_still = bool(getattr(part, "stands_still", False))
        self._until = duration_s - 1e-6

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None when the time or the part is over."""
        item = self._parts[0].pull()
        return item if item is not None and item.time < self._until else None


class Changed(_Composed):
    """One part, its sound multiplied by a factor that depends on time, its pictures darkened likewise.

    Args:
        part: the source.
        loudness: returns the factor of sound at a time in seconds; called once per piece and at its end.
        light: returns the factor of brightness, 0 to 1; None: pictures stay.
    """

    def __init__(
        self, part: RawSource, loudness: Callable[[float], float], light: Callable[[float], float] | None = None
    ) -> None:
        super().__init__((part,))
        self.formats: Mapping[Kind, RawFormat] = part.formats
        self._loudness, self._light = loudness, light

    def pull(self) -> Sound | Picture | None:
        """Return the next piece, changed; None at the end."""
        item = self._parts[0].pull()
        if item is None:
            return None
        if isinstance(item, Picture):
            factor = 1.0 if self._light is None else self._light(item.time)
            return item if factor >= 1 else picture_at(item.time, _darker(item.frame, max(0.0, factor)))
        before, after = self._loudness(item.time), self._loudness(item.time + FRAME_S)
        if before == after == 1.0:
            return item
        slope = np.linspace(before, after, len(item.samples), endpoint=False, dtype=np.float32)[:, None]
        loud = np.clip(np.rint(item.samples * slope), -32768, 32767).astype(np.int16)
        return Sound(samples=loud, rtp_time=item.rtp_time, time=item.time)


def concatenate(*parts: RawSource) -> Concatenated:
    """Return sources one after the other."""
    return Concatenated(parts)


def mix(*parts: RawSource) -> Mixed:
    """Return the sound of all sources added up, with the pictures of the first that has any."""
    return Mixed(parts)


def overlay(
    ground: RawSource, top: RawSource, *, place: tuple[float, float] = (0.7, 0.7), width: float = 0.28
) -> Overlaid:
    """Return a source with another one's pictures laid over its own.

    Raises:
        UsageError: one has no pictures, or the place is outside.
    """
    return Overlaid(ground, top, place=place, width=width)


def cut(part: RawSource, duration_s: float) -> Cut:
    """Return the first so many seconds of a source."""
    return Cut(part, duration_s)


def gain(part: RawSource, db: float) -> Changed:
    """Return a source louder or softer by so many decibels; what would be beyond full scale is clipped."""
    factor = 10 ** (db / 20)
    return Changed(part, lambda time: factor)


def fade(part: RawSource, *, in_s: float = 0.0, out_s: float = 0.0, duration_s: float | None = None) -> Changed:
    """Return a source whose sound and pictures fade in at the start and out at the end.

    Args:
        part: the source.
        in_s: seconds of fading in.
        out_s: seconds of fading out.
        duration_s: when the source ends; needed to fade out.

    Raises:
        UsageError: fading out, and no duration.
    """
    if out_s and duration_s is None:
        raise UsageError("fade: to fade out, say how long the source is")
    end = duration_s if duration_s is not None else _END

    def factor(time: float) -> float:
        rise = time / in_s if in_s else 1.0
        fall = (end - time) / out_s if out_s else 1.0
        return min(1.0, max(0.0, min(rise, fall)))

    return Changed(part, factor, factor)


def _planes(planar: Plane, width: int) -> tuple[Plane, Plane, Plane]:
    """Return views of the three planes of a `yuv420p` picture, as PyAV lays them into one array."""
    flat, height = planar.reshape(-1), planar.size * 2 // 3 // width
    luma = width * height
    half = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + luma // 4].reshape(half),
        flat[luma + luma // 4 :].reshape(half),
    )


def _darker(frame: av.VideoFrame, factor: float) -> av.VideoFrame:
    planes = frame.to_ndarray(format="yuv420p").astype(np.float32)
    rows = frame.height
    planes[:rows] = (planes[:rows] - 16) * factor + 16
    planes[rows:] = (planes[rows:] - 128) * factor + 128
    return av.VideoFrame.from_ndarray(np.rint(planes).clip(0, 255).astype(np.uint8), "yuv420p")
