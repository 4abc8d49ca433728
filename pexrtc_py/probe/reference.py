"""The two ends of a full-reference measurement: a log of what was sent when, and listeners for what comes back.

Both ends live in one process and share one clock, so one-way delay is exact and needs no NTP. Nothing here knows how
media travels: a `SentLog` is a tap beside the sender's, a listener a tap beside whatever else a receiver feeds. Each
listener decodes and measures in a thread of its own and loses nothing of its book when it falls behind: what it had to
drop shows as lost frames, as it would on a screen.
"""

from __future__ import annotations

import logging
import math
import time as clock
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import pstdev
from typing import Final, Literal

from ..media.decoding import AudioDecoding, Picture, VideoDecoding
from ..media.decoding_worker import DecodingThread, VideoBacklog
from ..media.frames import EncodedFrame, Gap
from ..media.marks_source import Reference
from .hearing import SoundTimes, SoundWatch
from .lateness import WorstLateness
from .scores import SyncFigures, percentile, sync_score
from .series import SeriesBook
from .watching import PictureTimes, PictureWatch

__all__ = ["PictureListener", "SentLog", "SoundListener", "write_skew"]

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 20_000
"""Sent frames kept: eleven minutes of pictures."""
_PIECE_S: Final = 0.02
"""Of sound, as Opus is sent."""
_EXACT_S: Final = 0.001
"""What rounding does to times is less."""
_GIVEN: Final = 500
"""Frames whose giving out is remembered: more than any backlog."""
_AUDIO_BACKLOG: Final = 150
"""Packets of sound waiting for the thread: three seconds, because a probe would rather be late than deaf."""


class SentLog:
    """A tap that notes when each frame of a reference was pushed to a sender, and each second of sound.

    Args:
        rate: numbers per second: the frame rate for pictures, 1 for sound (number k is the k-th second).
        started_at: tells which moment of the pushed frames' time is the source's 0 (`Player.started_at`).
        now: the clock, the same as the listener's.
    """

    def __init__(
        self, rate: float, started_at: Callable[[], float | None], *, now: Callable[[], float] = clock.monotonic
    ) -> None:
        self._rate, self._started_at, self._now = rate, started_at, now
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._first: float | None = None
        self._muted = False
        self.late = WorstLateness()
        """By how much frames were pushed after they were due."""

    def push(self, item: EncodedFrame | Gap) -> None:
        """Note a frame; several with one number (pieces of sound) count by the first."""
        start = self._started_at()
        if start is None:
            return
        if isinstance(item, EncodedFrame):
            self.late.note(self._now() - item.arrival)
        moment = item.time - start
        number, inside = round(moment * self._rate), 0.0
        if self._rate == 1:
            # Of sound only the piece is of interest in which a second begins.
            number = math.ceil(moment - _EXACT_S)
            inside = number - moment
            if inside >= _PIECE_S - _EXACT_S:
                return
        if number not in self._sent and not self._muted:
            now = self._now() + inside
            if self._first is None:
                self._first = now - number / self._rate
            self._sent[number] = now
            if len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)

    def end(self) -> None:
        """Nothing is held."""

    def mute(self) -> None:
        """Count as not sent what is pushed from now on, and the last before: nobody need hear it whole."""
        self._muted = True
        if self._sent:
            self._sent.popitem()

    def unmute(self) -> None:
        """Count again."""
        self._muted = False

    def sent_at(self, number: int) -> float | None:
        """Return when a number was pushed; None when it was not, or is forgotten. Thread-safe.

        Number 0 is always known, once anything was pushed: as when it was, or would have been.
        """
        return self._first if number == 0 else self._sent.get(number)


class _Listener(DecodingThread[None]):
    """What both listeners share: a frame counts as shown when the receiver gave it out, plus the time to decode it.

    What the measuring itself takes is so no part of any figure.
    """

    def __init__(self, thread_name: str, on_first: Callable[[float], None] | None) -> None:
        super().__init__(thread_name)
        self._on_first = on_first
        self._given: OrderedDict[int, float] = OrderedDict()
        self.waited = WorstLateness()
        """How long frames waited for the thread."""
        self.dropped = 0
        """Frames that were not decoded because the thread was behind."""

    def push(self, item: EncodedFrame | Gap) -> None:
        """Queue the next frame or gap, and note when it was given."""
        self._given[item.rtp_time] = clock.monotonic()
        if len(self._given) > _GIVEN:
            self._given.popitem(last=False)
        super().push(item)

    def _moments(self, item: EncodedFrame | Gap, decode_s: float) -> tuple[float, float]:
        """Return when the last packet of an item came, and when it could be shown."""
        given = self._given.get(item.rtp_time, clock.monotonic())
        self.waited.note(clock.monotonic() - decode_s - given)
        return (item.arrival if isinstance(item, EncodedFrame) else given), given + decode_s

    def _tell_first(self) -> None:
        tell, self._on_first = self._on_first, None
        if tell is not None:
            self._loop.call_soon_threadsafe(tell, clock.monotonic())

    def _deliver(self, result: None) -> None:
        """Results go into the book."""


class PictureListener(_Listener):
    """A tap that decodes pictures and watches them.

    Args:
        book: where samples go; to be read after `aclose`, or between frames.
        began: when the run began, `time.monotonic`.
        reference: what the sender sends, when it is ours.
        sent: when it sent it.
        request_key_frame: called in the event loop when nothing can be decoded without one.
        on_first: called in the event loop with the time at which the first picture was decoded.
        on_picture: called in this listener's thread with each picture and the second of the run at which it was shown.
        group: of the metrics.
    """

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        reference: Reference | None = None,
        sent: SentLog | None = None,
        request_key_frame: Callable[[], None] | None = None,
        on_first: Callable[[float], None] | None = None,
        on_picture: Callable[[Picture, float], None] | None = None,
        group: Literal["video", "presentation"] = "video",
    ) -> None:
        super().__init__("probe-pictures", on_first)
        self._began, self._on_picture = began, on_picture
        sent_at = sent.sent_at if sent else None
        self.watch = PictureWatch(book, began, reference=reference, sent_at=sent_at, group=group)
        self._decoding, self._backlog = VideoDecoding(), VideoBacklog()
        self._request_key_frame = request_key_frame

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        waiting = len(self._inbox)
        admitted, ask = self._backlog.admit(self._inbox, item)
        self.dropped += (waiting if len(self._inbox) < waiting else 0) + (not admitted)
        if ask:
            self._ask()
        return admitted

    def _work(self, item: EncodedFrame | Gap) -> list[None]:
        begin = clock.monotonic()
        pictures = self._decoding.feed(item)
        arrival, decoded = self._moments(item, clock.monotonic() - begin)
        if self._decoding.needs_key:
            self._loop.call_soon_threadsafe(self._ask)
        for picture in pictures:
            self._tell_first()
            self.watch.see(picture, PictureTimes(arrival=arrival, decoded=decoded))
            if self._on_picture is not None:
                self._on_picture(picture, decoded - self._began)
        return []

    def _ask(self) -> None:
        if self._request_key_frame is not None:
            self._request_key_frame()


class SoundListener(_Listener):
    """A tap that decodes sound and listens to it; arguments as of `PictureListener`, `answers` as of `SoundWatch`."""

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        sent: SentLog | None = None,
        on_first: Callable[[float], None] | None = None,
        answers: bool = False,
    ) -> None:
        super().__init__("probe-sound", on_first)
        self._book, self._began, self._sent, self._answers = book, began, sent, answers
        self._decoding = AudioDecoding()
        self.watch: SoundWatch | None = None

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        if len(self._inbox) >= _AUDIO_BACKLOG:
            self._inbox.popleft()
            self.dropped += 1
        return True

    def _work(self, item: EncodedFrame | Gap) -> list[None]:
        begin = clock.monotonic()
        sounds = self._decoding.feed(item)
        arrival, decoded = self._moments(item, clock.monotonic() - begin)
        if isinstance(item, Gap):
            self._book.add("audio.gaps", decoded - self._began, 1)
        for sound in sounds:
            if self.watch is None:
                sent_at = self._sent.sent_at if self._sent else None
                self.watch = SoundWatch(
                    self._book,
                    self._began,
                    sent_at=sent_at,
                    clock_rate=item.codec.clock_rate,
                    answers=self._answers,
                )
                self._tell_first()
            # A piece that fills a hole came, as far as anyone can hear, with the packet that showed the hole.
            self.watch.hear(sound, SoundTimes(arrival=arrival, decoded=decoded))
        return []


def write_skew(book: SeriesBook, began: float, pictures: PictureWatch, sound: SoundWatch) -> None:
    """Write the skew of sound against picture for each chirp heard; positive means sound is early. Then their score.

    Both are placed on the call's one time line by the sender's reports, so jitter of the network is none of it. For
    each chirp the frames within half a second of it, by the source's time, are taken.
    """
    offsets, skews = pictures.offsets, list[tuple[int, float]]()
    for heard in sound.heard:
        near = [offset for due, offset in offsets if abs(due - heard.number) <= 0.5]
        if near:
            delay = heard.time - heard.number
            skew = 1000 * (percentile(near, 50) - delay)
            skews.append((heard.number, skew))
            book.add("av.skew_ms", heard.arrival - began, skew)
    if not skews:
        return
    # A mark of each kind once a second, as LiveKit's flashes and beeps are: the frame nearest to the chirp.
    marks = {number: min(offsets, key=lambda offset: abs(offset[0] - number)) for number, _ in skews}
    first = min(min(due for due, _ in offsets), sound.heard[0].number)
    figures = SyncFigures(
        skews_ms=tuple(skew for _, skew in skews),
        audio_jitter_ms=_interval_jitter_ms([heard.time for heard in sound.heard], [h.number for h in sound.heard]),
        video_jitter_ms=_interval_jitter_ms(
            [due + late for due, late in marks.values()], [m[0] for m in marks.values()]
        ),
        lock_s=max(0.0, skews[0][0] - first),
    )
    book.add("av.sync_score", sound.heard[-1].arrival - began, sync_score(figures))


def _interval_jitter_ms(times: Sequence[float], due: Sequence[float]) -> float:
    """Return the deviation of the intervals between marks from those between the moments they were due."""
    errors = [
        (time - before) - (moment - moment_before)
        for (before, time), (moment_before, moment) in zip(pairwise(times), pairwise(due), strict=True)
    ]
    return 1000 * pstdev(errors) if errors else 0.0
