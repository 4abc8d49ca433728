"""Watching received pictures: what they look like, and with a reference which they are, how late and how good.

Independent of any network: decoded pictures and their times go in, samples per second come out. With a reference every
mark is read, and once a second a picture is compared with the one that was sent, where the node has put it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from ..media.comparison import Region, align, compare, luma_plane
from ..media.decoding import Picture
from ..media.marks import Plane
from ..media.marks_reading import MarkPlace, MarkReader
from ..media.marks_source import Reference
from ..media.picture_measures import PictureMeter, sample_picture
from .accounting import FrameAccount
from .scores import Freeze, FreezeWatch, percentile, time_within
from .series import SeriesBook

__all__ = ["PictureTimes", "PictureWatch", "SentAt"]

SentAt = Callable[[int], float | None]
"""Tells when frame or second `number` of a reference was sent, on the clock of the listener; None when unknown."""

_LEAST_SAMPLED_PX: Final = 64
_LEAST_SECOND: Final = 0.5
"""A last second shorter than this says nothing about a rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTimes:
    """When a picture came, seconds on the listener's clock."""

    arrival: float
    """Its last packet."""
    decoded: float
    """It could have been shown."""


@dataclass(slots=True)
class _Second:
    """Counts of one second."""

    begin: float
    pictures: int = 0
    black: int = 0
    still: int = 0
    unread: int = 0
    size_changes: int = 0
    delays: list[float] = field(default_factory=list)
    packet_delays: list[float] = field(default_factory=list)
    compared: bool = False


class PictureWatch:
    """Watches one stream of pictures and writes into a book.

    Without a reference, freezes are found by when pictures come; with one, by when new frames of it do. A frame counts
    as lost in the second in which a later one shows it missing.
    """

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        reference: Reference | None = None,
        sent_at: SentAt | None = None,
        group: Literal["video", "presentation"] = "video",
    ) -> None:
        """Begin to watch.

        Args:
            book: where samples go.
            began: when the run began, on the listener's clock.
            reference: what the sender sends, when it is ours.
            sent_at: tells when each frame was sent; without it there are no delays.
            group: of the metrics.
        """
        self.account = FrameAccount()
        """Of the reference's frames."""
        self.offsets: list[tuple[float, float]] = []
        """(source time of a frame, its time on the call's time line less that), of one frame in a tenth of a second."""
        self.sizes: list[tuple[int, int]] = []
        """Resolutions in which the stream came, in order."""
        self._book, self._began, self._group = book, began, group
        self._reference, self._sent_at = reference, sent_at or (lambda number: None)
        self._reader = None
        if reference is not None:
            self._reader = MarkReader(
                reference.config.width,
                reference.config.height,
                accept=lambda mark: reference.number(mark.frame_id) is not None,
            )
        self._meter = PictureMeter()
        self._watch = FreezeWatch()
        self._second: _Second | None = None
        self._last_key: float | None = None
        self._region: tuple[MarkPlace, Region] | None = None
        self._counted = (0, 0, 0)
        self._first: float | None = None

    @property
    def freezes(self) -> list[Freeze]:
        """All freezes so far, in seconds of the listener's clock."""
        return self._watch.freezes if self._reference is None else self.account.freezes

    def see(self, picture: Picture, times: PictureTimes) -> None:
        """Take the next decoded picture."""
        plane = luma_plane(picture.frame)
        second = self._current(times.decoded)
        second.pictures += 1
        look = self._meter.look(plane)
        second.black += look.black
        second.still += look.still
        self._note_size(second, plane)
        if picture.key:
            if self._last_key is not None:
                self._add("key_interval_s", times.decoded, picture.time - self._last_key)
            self._last_key = picture.time
        if self._reader is None or self._reference is None:
            self._watch.show(times.decoded)
            self._sample(second, plane)
        else:
            self._identify(second, plane, picture, times, self._reader, self._reference)

    def finish(self, time: float) -> None:
        """End at `time` on the listener's clock: write the last second, and a freeze that lasts."""
        if self._reference is None:
            self._watch.finish(time)
        else:
            self.account.finish(time)
        if self._second is not None:
            while time - self._second.begin >= 1.0 + _LEAST_SECOND:  # those in which nothing came count, too
                self._second = self._next(self._second)
            self._close(self._second, min(1.0, max(1e-3, time - self._second.begin)))
            self._second = None
        self._write_freezes(time)

    def _add(self, metric: str, time: float, value: float) -> None:
        self._book.add(f"{self._group}.{metric}", time - self._began, value)

    def _current(self, time: float) -> _Second:
        """Return the second that this moment lies in; ends those before, empty ones included."""
        if self._second is None:
            self._first = time
            self._second = _Second(begin=time)
        while time >= self._second.begin + 1.0:
            self._second = self._next(self._second)
        return self._second

    def _next(self, second: _Second) -> _Second:
        self._close(second, 1.0)
        return _Second(begin=second.begin + 1.0)

    def _note_size(self, second: _Second, plane: Plane) -> None:
        size = (plane.shape[1], plane.shape[0])
        if not self.sizes or self.sizes[-1] != size:
            second.size_changes += bool(self.sizes)
            self.sizes.append(size)

    def _identify(
        self,
        second: _Second,
        plane: Plane,
        picture: Picture,
        times: PictureTimes,
        reader: MarkReader,
        reference: Reference,
    ) -> None:
        sighting = reader.read(plane)
        number = None if sighting is None else reference.number(sighting.mark.frame_id)
        if sighting is None or number is None:
            self.account.miss()
            second.unread += 1
            return
        if self.account.show(sighting.mark.frame_id, times.decoded) is None:
            return
        sent = self._sent_at(number)
        if sent is not None:
            second.delays.append(times.decoded - sent)
            second.packet_delays.append(times.arrival - sent)
        due = reference.due(number)
        if not self.offsets or abs(due - self.offsets[-1][0]) >= 0.1:
            self.offsets.append((due, picture.time - due))
        if not second.compared:
            self._compare(second, plane, sighting.place, reader, reference, number)
            self._sample(second, plane)

    def _compare(
        self, second: _Second, plane: Plane, place: MarkPlace, reader: MarkReader, reference: Reference, number: int
    ) -> None:
        sent = reference.plane(number)
        if self._region is None or self._region[0] != place:
            x, y, width, height = place.picture(reader.layout)
            rough = Region(x=round(x), y=round(y), width=round(width), height=round(height))
            self._region = (place, align(sent, plane, rough))
        quality = compare(sent, plane, self._region[1])
        self._add("psnr_db", second.begin, quality.psnr_db)
        self._add("ssim", second.begin, quality.ssim)

    def _sample(self, second: _Second, plane: Plane) -> None:
        if second.compared or min(plane.shape) < _LEAST_SAMPLED_PX:
            return
        second.compared = True
        sample = sample_picture(plane)
        self._add("blockiness", second.begin, sample.blockiness)
        self._add("blur_px", second.begin, sample.blur)

    def _close(self, second: _Second, length: float) -> None:
        """Write the samples of a second."""
        at, count = second.begin, second.pictures
        if length >= _LEAST_SECOND:
            self._add("fps", at, count / length)
        if count:
            self._add("black_ratio", at, second.black / count)
            self._add("still_ratio", at, second.still / count)
            self._add("height_px", at, self.sizes[-1][1])
        self._add("size_changes", at, second.size_changes)
        if self._reference is None:
            return
        if count:
            self._add("unread_ratio", at, second.unread / count)
        for metric, values in (("delay_ms", second.delays), ("packet_delay_ms", second.packet_delays)):
            if values:
                self._add(metric, at, 1000 * percentile(values, 50))
        counted = (self.account.lost, self.account.repeated, self.account.reordered)
        for metric, now, before in zip(_COUNTERS, counted, self._counted, strict=True):
            self._add(metric, at, now - before)
        self._counted = counted

    def _write_freezes(self, end: float) -> None:
        """Write freezes as shares of each second from the first picture on."""
        first = self._first
        if first is None:
            return
        seconds = [(first + i, min(first + i + 1.0, end)) for i in range(max(1, math.ceil(end - first)))]
        seconds = [(begin, until) for begin, until in seconds if until > begin]
        if len(seconds) > 1 and seconds[-1][1] - seconds[-1][0] < _LEAST_SECOND:  # or it would weigh as much as a whole
            seconds[-2:] = [(seconds[-2][0], seconds[-1][1])]
        freezes, next_one = self.freezes, 0
        frozen = time_within([(freeze.begin, freeze.end) for freeze in freezes], seconds)
        for (begin, until), time in zip(seconds, frozen, strict=True):
            begun: list[float] = []
            while next_one < len(freezes) and freezes[next_one].begin < until:
                begun.append(freezes[next_one].duration)
                next_one += 1
            self._add("freeze_ratio", begin, time / (until - begin))
            self._add("freezes", begin, len(begun))
            self._add("longest_freeze_ms", begin, 1000 * max(begun, default=0.0))


_COUNTERS: Final = ("frames_lost", "frames_repeated", "frames_reordered")
