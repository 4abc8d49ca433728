"""Proof that an announcement was heard: a second participant listens, and what it got is compared with what was sent.

Both sides are kept encoded while the announcement runs, which costs next to nothing, and decoded when it is over: the
sound is looked for in the room's mix by correlation, under whoever talks beside it; pictures by the marks they carry,
or by likeness when they have none. What is compared is what was sent, so live sources can be proved as well as files.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..endpoint.call import Call, CallConfig
from ..endpoint.conference import Conference, open_conference
from ..errors import NoMedia, PexrtcError
from ..media.comparison import luma_plane, scaled, ssim
from ..media.correlation import find_sound
from ..media.decoding import AudioDecoding, VideoDecoding
from ..media.frames import EncodedFrame, Gap, Kind
from ..media.marks import Plane
from ..media.marks_reading import MarkReader
from ..media.voice import level_dbov
from ..protocol.sdp import Direction
from ..signalling import SessionConfig
from ..webrtc.peer import PeerConfig
from .play_record import HeardReport

__all__ = ["Kept", "Listener", "judge", "listening"]

logger = logging.getLogger(__name__)

_LONGEST_S: Final = 300.0
"""So much of an announcement is compared; its beginning says whether it was heard."""
_MOST_BYTES: Final = 64_000_000
_ON_ITS_WAY_S: Final = 0.6
"""So much later than it was sent the last word may come: more than jitter buffers hold."""
_LONGEST_WAIT_S: Final = 3.0
"""Longer is not waited for what does not come: a conference that sends nothing while nobody speaks."""
_WATCHED_S: Final = 20.0
"""Pictures are compared for so long: decoding them is what costs."""
_SAMPLES: Final = 8
_SMALL: Final = (160, 90)
_SEEN_SSIM: Final = 0.8
"""Alike above this at 160x90; pictures of two different scenes stay below 0.5."""
_SILENT_DBOV: Final = -70.0
"""Softer than the noise of any microphone."""
_SEEN_MARKS: Final = 0.5
_SEEN_WITHIN_S: Final = 3.0


class Kept:
    """A tap that keeps frames, a bounded number of seconds and bytes; what comes after is not kept."""

    def __init__(self) -> None:
        self.items: list[EncodedFrame | Gap] = []
        self.last_time: float | None = None
        """When the item that came last was due, kept or not; None before there was one."""
        self._bytes = 0
        self._came = asyncio.Event()

    async def goes_on(self, seconds: float) -> None:
        """Wait until so much more has come than there was. Safe to cancel; waits for ever when nothing comes."""
        while self.last_time is None:
            await self._next()
        until = self.last_time + seconds
        while self.last_time < until:
            await self._next()

    async def _next(self) -> None:
        self._came.clear()
        await self._came.wait()

    def push(self, item: EncodedFrame | Gap) -> None:
        """See `Tap.push`."""
        self.last_time = item.time
        self._came.set()
        if self.items and item.time - self.items[0].time > _LONGEST_S:
            return
        if isinstance(item, EncodedFrame):
            self._bytes += len(item.data)
        if self._bytes <= _MOST_BYTES:
            self.items.append(item)

    def end(self) -> None:
        """See `Tap.end`."""

    def clear(self) -> None:
        """Begin anew."""
        self.items, self._bytes = [], 0


@dataclass(slots=True)
class Listener:
    """Who listens in one conference: what it gets, by kind."""

    alias: str
    """The conference."""
    kept: dict[Kind, Kept]
    """What it got."""
    conference: Conference | None = None
    """Us in it."""
    call: Call | None = None
    """What it hears through."""
    since: float = 0.0
    """From when on it listened, on `time.monotonic`."""

    @property
    def lost(self) -> PexrtcError | None:
        """Why it hears nothing any more, whatever is played; None while it may."""
        if self.conference is not None and (closed := self.conference.session.closed) is not None:
            return closed
        ended = self.call.ended_reason if self.call is not None else None
        return NoMedia(ended) if ended is not None else None

    def clear(self) -> None:
        """Forget what came so far: a new announcement begins."""
        for kept in self.kept.values():
            kept.clear()

    async def hear_out(self) -> None:
        """Wait until what was on its way is there, however slow the conference is. Safe to cancel."""
        kept = self.kept.get(Kind.AUDIO) or self.kept.get(Kind.VIDEO)
        if kept is None or self.lost is not None:
            return
        try:
            async with asyncio.timeout(_ON_ITS_WAY_S + _LONGEST_WAIT_S):
                await kept.goes_on(_ON_ITS_WAY_S)
        except TimeoutError:
            logger.info("- %s: the listener gets nothing any more", self.alias)


@asynccontextmanager
async def listening(session: SessionConfig, *, peer: PeerConfig | None = None) -> AsyncIterator[Listener]:
    """Join a conference to hear and see it; leaving the block leaves it.

    Raises:
        PexrtcError: it cannot be joined, or has no media for us.
    """
    receive = CallConfig(audio=Direction.RECVONLY, video=Direction.RECVONLY, peer=peer or PeerConfig())
    async with open_conference(session) as conference:
        await conference.session.wait_in_conference()
        async with conference.call(receive) as call:
            await call.connected()
            listener = Listener(session.alias, {}, conference, call, time.monotonic())
            for kind, line in ((Kind.AUDIO, call.audio), (Kind.VIDEO, call.video)):
                if line is not None and line.receiver is not None:
                    listener.kept[kind] = kept = Kept()
                    line.receiver.add_tap(kept)
                    if kind is Kind.VIDEO:
                        line.receiver.request_key_frame()
            yield listener


async def judge(sent: dict[Kind, Kept], listener: Listener, started: float) -> HeardReport:
    """Say whether what was sent from `started` on was heard, or from when on somebody listened, if that was later.

    Cancelling is safe; the work in a thread goes on.

    Args:
        sent: what was sent, on the player's clock (`time.monotonic`).
        listener: who listened, from before the first word to after the last.
        started: the player's clock when the source itself began.
    """
    started = max(started, listener.since)
    got = {kind: list(kept.items) for kind, kept in listener.kept.items()}
    gave = {kind: [item for item in kept.items if item.time >= started - 0.001] for kind, kept in sent.items()}
    return await asyncio.to_thread(_judge, gave, got, started)


def _judge(
    sent: dict[Kind, list[EncodedFrame | Gap]], got: dict[Kind, list[EncodedFrame | Gap]], started: float
) -> HeardReport:
    has_sound = bool(sent.get(Kind.AUDIO))
    original, recording = _sound(sent.get(Kind.AUDIO, [])), _sound(got.get(Kind.AUDIO, []))
    found = find_sound(original, recording) if _is_audible(original) and len(recording) else None
    seen = _pictures(sent.get(Kind.VIDEO, []), got.get(Kind.VIDEO, [])) if sent.get(Kind.VIDEO) else None
    if not has_sound:
        return HeardReport(heard=bool(seen is not None and seen.picture), picture=seen.picture if seen else None)
    report = HeardReport(
        heard=found is not None and found.heard >= 0.5,
        delay_s=None
        if found is None
        else round(_begin(got[Kind.AUDIO]) + found.offset_s - _begin(sent[Kind.AUDIO]), 3),
        level_db=round(found.level_db, 2) if found is not None else None,
        missing_s=round(found.missing_s, 2) if found is not None else round(len(original) / 48000, 2),
    )
    if seen is None:
        return report
    return HeardReport(
        heard=report.heard,
        delay_s=report.delay_s,
        level_db=report.level_db,
        missing_s=report.missing_s,
        picture=seen.picture,
        likeness=seen.likeness,
        pictures_sent=seen.sent,
        pictures_seen=seen.seen,
    )


def _is_audible(samples: NDArray[np.int16]) -> bool:
    """Whether there is anything to recognise: silence, as a codec makes it, is in every conference."""
    return bool(len(samples)) and level_dbov(samples) > _SILENT_DBOV


def _begin(items: Sequence[EncodedFrame | Gap]) -> float:
    """Return when the first item was sent or arrived, by the median of the frames after it: one packet may be late."""
    frames = [item for item in items if isinstance(item, EncodedFrame)][:250]
    return items[0].time + median(frame.arrival - frame.time for frame in frames)


def _sound(items: Sequence[EncodedFrame | Gap]) -> NDArray[np.int16]:
    decoding = AudioDecoding(channels=1)
    pieces = [sound.samples[:, 0] for item in items for sound in decoding.feed(item)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


@dataclass(frozen=True, slots=True)
class _Seen:
    picture: bool
    likeness: float | None = None
    sent: int | None = None
    seen: int | None = None


@dataclass(slots=True)
class _Watched:
    times: list[float]
    small: list[Plane]
    marks: set[int]


def _pictures(sent: Sequence[EncodedFrame | Gap], got: Sequence[EncodedFrame | Gap]) -> _Seen:
    until = sent[0].time + _WATCHED_S
    gave = _watch([item for item in sent if item.time < until])
    came = _watch([item for item in got if item.time < until + _SEEN_WITHIN_S])
    if not gave.times or not came.times:
        return _Seen(picture=False)
    if len(gave.marks) > 1:
        seen = len(gave.marks & came.marks)
        return _Seen(picture=seen >= _SEEN_MARKS * len(gave.marks), sent=len(gave.marks), seen=seen)
    step = max(1, len(gave.times) // _SAMPLES)
    likeness = [
        max((ssim(gave.small[n], plane) for plane in _near(came, gave.times[n])), default=0.0)
        for n in range(0, len(gave.times), step)
    ]
    best = median(likeness)
    return _Seen(picture=best >= _SEEN_SSIM, likeness=round(best, 3))


def _near(watched: _Watched, time: float) -> Sequence[Plane]:
    """Return the pictures that came within the time that a picture may take, a few of them when there are many."""
    planes = [p for t, p in zip(watched.times, watched.small, strict=True) if -0.5 < t - time < _SEEN_WITHIN_S]
    return planes[:: max(1, len(planes) // 60)]


def _watch(items: Sequence[EncodedFrame | Gap]) -> _Watched:
    decoding, watched = VideoDecoding(), _Watched([], [], set())
    reader: MarkReader | None = None
    for item in items:
        for picture in decoding.feed(item):
            plane = luma_plane(picture.frame)
            reader = reader or MarkReader(plane.shape[1], plane.shape[0])
            if (sighting := reader.read(plane)) is not None:
                watched.marks.add(sighting.mark.frame_id)
            watched.times.append(picture.time)
            watched.small.append(scaled(plane, *_SMALL))
    return watched
