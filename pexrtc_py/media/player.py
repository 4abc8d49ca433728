"""Playing a source to taps in real time.

A thread of its own reads ahead (`player_reading`). The event loop wakes once per moment at which something is due,
however many taps there are, and pushes it to all of them; what is due within half a sound packet leaves with it. Time
is a monotonic clock, so nothing drifts: frame n is due at start + its own time, not so and so long after frame n-1.
What costs is the wake-up, with cold caches: so whatever can be done for many frames at once is, and of prepared media
all but the sending itself (`player_ahead`).

Pushed frames carry the player's clock: `time` and `arrival` in seconds of it, `rtp_time` in ticks of it. So what
several players push into one tap, one after the other, lies on one timeline, sound and picture alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from msgspec.structs import replace

from .frames import EncodedFrame, Kind, Source, Tap
from .holding import Hold
from .player_ahead import Ahead, AheadTap
from .player_clock import Clock, LoopClock, Timer
from .player_events import Ended, Late, PlayerConfig, PlayerEnd, PlayerEvent, Started
from .player_reading import ReadAhead

__all__ = [
    "Clock",
    "Ended",
    "Late",
    "LoopClock",
    "Player",
    "PlayerConfig",
    "PlayerEnd",
    "PlayerEvent",
    "Started",
    "Timer",
]

logger = logging.getLogger(__name__)

# What is due within this is pushed in the same wake-up: pictures find sound that near, before or after them, so there
# are 50 wake-ups a second for both. RTP times stay exact, nothing is late by it, and it is less than networks jitter.
_TOGETHER_S: Final = 0.01
_BATCH: Final = 32  # frames that get their times at once
# What was made ahead and leaves so much later is made again: it says of itself when it leaves (abs-send-time).
_STALE_S: Final = 0.05
# After something had what was made ahead taken back (a key frame for one tap of many), frames have their time for so
# long: events that come one after the other must not make it dearer than that.
_LIVE_S: Final = 0.5
_EVENTS_KEPT: Final = 100


class Player:
    """Plays a source to taps: `async with Player(source, {Kind.AUDIO: [tap]}) as player: await player.finished()`.

    Entering starts the reading and, as soon as there is something, the playing; leaving stops both and closes the
    source. A source that is `live` (has a true attribute of that name) makes its own pace: what comes is pushed
    at once.

    Args:
        source: what to play; the player owns it from now on.
        taps: where to, by kind; kinds without taps are read and dropped.
        config: how.
        clock: where time comes from; None: the event loop's real one.
    """

    def __init__(
        self,
        source: Source,
        taps: Mapping[Kind, Sequence[Tap]],
        *,
        config: PlayerConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or PlayerConfig()
        self._source = source
        self._live = source.live
        self._reading = ReadAhead(source, self.config.read_ahead_s, self._handle_due)
        self._taps = {kind: [_asked(tap) for tap in some] for kind, some in taps.items()}
        self._clock = clock
        self._timer: Timer | None = None
        self._start: float | None = None  # the clock's time that is the source's 0
        self._stamped: deque[tuple[float, EncodedFrame]] = deque()  # the next: time in the source, and as pushed
        self._made = Ahead(self._handle_taken_back)
        self._may_make_ahead = self.config.make_ahead_s > 0 and not source.live
        self._live_until = float("-inf")
        self._hold: Hold | None = None
        self._released = not self.config.hold
        self._position = 0.0
        self._end_at = 0.0
        self._over: asyncio.Future[PlayerEnd] | None = None
        self._events: deque[PlayerEvent] = deque(maxlen=_EVENTS_KEPT)
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._clock = self._clock or LoopClock()
        self._over = asyncio.get_running_loop().create_future()
        self._reading.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def encodes(self) -> bool:
        """Whether the source encodes its pictures, so that it heeds `request_key_frame` and `set_bitrate`."""
        return self._source.encodes

    @property
    def position_s(self) -> float:
        """Seconds of the source that have been played: the time of the last frame pushed."""
        return self._position

    @property
    def started_at(self) -> float | None:
        """The clock's time that is the source's 0; None before the first frame. Moves when the player was late."""
        return self._start

    async def finished(self) -> PlayerEnd:
        """Wait until the source is over or the player stopped. Safe to cancel.

        Raises:
            SourceError: the source broke; what came before was played.
        """
        if self._over is None:
            raise RuntimeError("a player is entered with `async with` before it is waited for")
        end = await asyncio.shield(self._over)
        if end is PlayerEnd.FAILED and (failure := self._reading.failure) is not None:
            raise failure
        return end

    async def events(self) -> AsyncIterator[PlayerEvent]:
        """Yield what happens, from the beginning, until the end; the last hundred are kept. Safe to cancel."""
        while True:
            while self._events:
                event = self._events.popleft()
                yield event
                if isinstance(event, Ended):
                    return
            self._news.clear()
            await self._news.wait()

    def release(self) -> None:
        """Begin with the source itself, if it was held. Idempotent; before there is anything to play too."""
        if not self._released:
            self._released = True
            self._handle_due()

    def stop(self) -> None:
        """Push nothing more from now on. Idempotent."""
        self._finish(PlayerEnd.STOPPED)

    def add_tap(self, kind: Kind, tap: Tap) -> None:
        """Push to this tap too from the next frame on; a picture may begin in the middle, so ask for a key frame."""
        self._made.take_back()
        self._taps.setdefault(kind, []).append(_asked(tap))

    def remove_tap(self, kind: Kind, tap: Tap) -> None:
        """Push to this tap no more."""
        if (asked := _asked(tap)) in (taps := self._taps.get(kind, [])):
            self._made.take_back()
            taps.remove(asked)

    def request_key_frame(self) -> None:
        """Ask the source for a key frame; one that is held shows its first picture again. Thread-safe."""
        if (hold := self._hold) is not None and self._clock is not None:
            hold.repeat_picture(self._clock.now())
        self._source.request_key_frame()

    def set_bitrate(self, video_bps: int) -> None:
        """Ask the source for so many bits per second of video. Thread-safe."""
        self._source.set_bitrate(video_bps)

    async def aclose(self) -> None:
        """Stop, wait for the reading thread, close the source. Idempotent. Not safe to cancel."""
        self.stop()
        await self._reading.aclose()

    def _handle_due(self) -> None:
        """Push all that is due, and be called again when the next is."""
        if self._made or self._over is None or self._over.done() or self._clock is None:
            return
        self._cancel_timer()
        while self._stamped or self._take(self._clock.now()):
            now = self._clock.now()
            due = self._stamped[0][1].time
            late = now - due
            if self._may_make_ahead and now >= self._live_until and late < _STALE_S and self._make_ahead(now):
                self._call_at(self._made.next_at, self._handle_made)
                return
            if late < -_TOGETHER_S and not self._live:
                self._call_at(due, self._handle_due)
                return
            if late > self.config.late_limit_s and not self._live:
                self._put_off(late)
            self._push(*self._stamped.popleft())

    def _handle_made(self) -> None:
        """Let leave what was made for now. This is what is done at most wake-ups, so it does no more than it must."""
        self._timer = None
        ahead, clock = self._made, self._clock
        if not ahead or clock is None:
            return
        if clock.now() - ahead.next_at > _STALE_S:
            ahead.take_back()
            return
        self._position = ahead.depart()
        if self._timer is not None:  # something was taken back meanwhile
            return
        if ahead:
            self._timer = clock.call_at(ahead.next_at, self._handle_made)
        else:
            self._handle_due()

    def _call_at(self, when: float, callback: Callable[[], None]) -> None:
        assert self._clock is not None
        self._cancel_timer()
        self._timer = self._clock.call_at(when, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_ahead(self, now: float) -> bool:
        """Have made what leaves soon; False when there is no tap that can."""
        if self._source.encodes or all(able is None for taps in self._taps.values() for _, able in taps):
            return False
        stamped, ahead = self._stamped, self._made
        until = now + self.config.make_ahead_s
        if stamped[-1][1].time <= until:
            self._take_more(now)
        while stamped and stamped[0][1].time <= until:
            at = max(self._moment(), now)
            ahead.begin(at)
            while stamped and stamped[0][1].time <= at + _TOGETHER_S:
                position, frame = stamped.popleft()
                self._note(position, frame)
                ahead.push(position, frame, self._taps.get(frame.kind, []))
        return bool(ahead)

    def _moment(self) -> float:
        """Return when the next frame leaves: a picture with the next sound, if that is near; so sound is on time."""
        due = self._stamped[0][1].time
        for _, frame in self._stamped:
            if frame.time > due + _TOGETHER_S:
                return due
            if frame.kind is Kind.AUDIO:
                return frame.time
        return due

    def _handle_taken_back(self, frames: list[tuple[float, EncodedFrame]]) -> None:
        """Push frames again at their times: something happened that those that were made did not know of."""
        if self._over is None or self._over.done() or self._clock is None:
            return
        self._stamped.extendleft(reversed(frames))
        self._live_until = self._clock.now() + _LIVE_S
        self._call_at(self._stamped[0][1].time, self._handle_due)

    def _take(self, now: float) -> bool:
        """Take what has been read, and give it the clock's times. False when there is nothing to be pushed."""
        taken, is_empty, is_over = self._reading.take(_BATCH if self._released else 0)
        if is_empty:
            if is_over:
                self._handle_source_over(now)
        elif not taken:
            self._hold_on(now)
        else:
            if self._start is None:
                begin = now if self._hold is None else self._hold.boundary()
                self._hold = None
                self._start = begin - taken[0].time
                self._tell(Started(at=now))
            self._stamped.extend((frame.time, self._stamp(frame, self._start, now)) for frame in taken)
        return bool(taken)

    def _take_more(self, now: float) -> None:
        """Take what has been read beside what is there."""
        if (start := self._start) is not None:
            more = self._reading.take_more(_BATCH)
            self._stamped.extend((frame.time, self._stamp(frame, start, now)) for frame in more)

    def _stamp(self, frame: EncodedFrame, start: float, now: float) -> EncodedFrame:
        due = start + frame.time
        ticks = frame.rtp_time + round(start * frame.codec.clock_rate)
        return replace(frame, time=due, arrival=min(due, now) if self._live else due, rtp_time=ticks)

    def _put_off(self, late: float) -> None:
        """Play the rest later, by as much as we are late."""
        before = self._start or 0.0
        self._start = start = before + late
        logger.info("- playing is %.1f s late, the rest is put off", late)
        self._tell(Late(position_s=self._stamped[0][0], late_s=late))
        for number, (at, frame) in enumerate(self._stamped):
            rate = frame.codec.clock_rate
            ticks = frame.rtp_time + round(start * rate) - round(before * rate)
            self._stamped[number] = at, replace(frame, time=start + at, arrival=start + at, rtp_time=ticks)

    def _hold_on(self, now: float) -> None:
        """Send what is sent instead of the source, and be called again when more of it is due."""
        if self._clock is None:
            return
        if self._hold is None:
            sound = self._source.formats.get(Kind.AUDIO)
            self._hold = Hold(now, self._reading.first_picture(), sound.codec if sound is not None else None)
        for frame in self._hold.frames(now + _TOGETHER_S):
            for tap, _ in self._taps.get(frame.kind, ()):
                tap.push(frame)
        self._call_at(self._hold.next_timer(), self._handle_due)

    def _push(self, at: float, frame: EncodedFrame) -> None:
        """Push a frame whose time in the source is `at`."""
        self._position = at
        self._note(at, frame)
        for tap, _ in self._taps.get(frame.kind, ()):
            tap.push(frame)

    def _note(self, at: float, frame: EncodedFrame) -> None:
        """Note that a frame is done with, as far as reading goes."""
        self._end_at = frame.time + frame.duration / frame.codec.clock_rate
        self._reading.note_played(at)

    def _handle_source_over(self, now: float) -> None:
        """End, but not before the last frame has lasted its time."""
        failed = self._reading.failure is not None
        if not failed and self._clock is not None and self._end_at > now + _TOGETHER_S:
            self._call_at(self._end_at, self._handle_due)
            return
        self._finish(PlayerEnd.FAILED if failed else PlayerEnd.FINISHED)

    def _finish(self, end: PlayerEnd) -> None:
        if self._over is None or self._over.done():
            return
        self._cancel_timer()
        self._over.set_result(end)
        self._made.take_back()
        self._tell(Ended(why=end, position_s=self._position))
        self._reading.stop()
        self._stamped.clear()
        if self.config.end_taps:
            for taps in self._taps.values():
                for tap, _ in taps:
                    tap.end()

    def _tell(self, event: PlayerEvent) -> None:
        self._events.append(event)
        self._news.set()


def _asked(tap: Tap) -> tuple[Tap, AheadTap | None]:
    """Return a tap, and again if it can make ahead."""
    return tap, tap if isinstance(tap, AheadTap) else None
