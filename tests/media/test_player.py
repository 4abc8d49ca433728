"""A player keeps time, whatever the source and the machine do; most of it with a clock that runs as fast as it can."""

from __future__ import annotations

import asyncio
import gc
import resource
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Source, TrackFormat
from pexrtc_py.media.player import Clock, Ended, Late, LoopClock, Player, PlayerConfig, PlayerEnd, Started, Timer
from pexrtc_py.media.sources.file import open_file

from ..support.clocks import FastClock


@dataclass
class Kept:
    """A tap that keeps what it is given, and the clock's time of it."""

    clock: Clock | None = None
    frames: list[EncodedFrame] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    ended: int = 0
    wanted: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, count: int) -> None:
        """Wait for so many frames."""
        self.wanted = count
        while len(self.frames) < count:
            self.enough.clear()
            await self.enough.wait()

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, EncodedFrame):
            self.frames.append(item)
            self.at.append(self.clock.now() if self.clock else time.monotonic())
            if len(self.frames) >= self.wanted:
                self.enough.set()

    def end(self) -> None:
        self.ended += 1


class Counting:
    """A tap that keeps no frame: steps and counts only, for the long runs."""

    def __init__(self) -> None:
        self.count = 0
        self.first: EncodedFrame | None = None
        self.last: EncodedFrame | None = None
        self.steps: dict[int, int] = {}

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        if self.last is None:
            self.first = item
        else:
            step = item.rtp_time - self.last.rtp_time
            self.steps[step] = self.steps.get(step, 0) + 1
        self.last = item
        self.count += 1

    def end(self) -> None: ...


class Weighing(Counting):
    """Counts what there is in memory too: objects, and pages, which what is not Python's takes as well.

    Args:
        every: after so many frames each.
    """

    def __init__(self, *, every: int) -> None:
        super().__init__()
        self._every = every
        self.weights: list[tuple[int, int]] = []

    def push(self, item: EncodedFrame | Gap) -> None:
        super().push(item)
        if self.count % self._every == 0:
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
            self.weights.append((len(gc.get_objects()), pages))


def sound(number: int) -> EncodedFrame:
    at = number * 0.02
    return EncodedFrame(codec=Codec.OPUS, data=b"%d" % number, rtp_time=number * 960, time=at, duration=960)


class Listed:
    """A source of the frames given; may fail, wait or sleep at one of them."""

    def __init__(
        self, frames: Iterable[EncodedFrame], *, at: Mapping[int, Callable[[], None]] | None = None, live: bool = False
    ) -> None:
        self.frames = iter(frames)
        self.at = at or {}
        self.pulled = 0
        self.closed = 0
        self.keys = 0
        self.live = live
        self.encodes = False

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        return {Kind.AUDIO: TrackFormat(codec=Codec.OPUS, channels=1)}

    def pull(self) -> EncodedFrame | None:
        self.at.get(self.pulled, lambda: None)()
        self.pulled += 1
        return next(self.frames, None)

    def request_key_frame(self) -> None:
        self.keys += 1

    def set_bitrate(self, video_bps: int) -> None: ...

    def close(self) -> None:
        self.closed += 1


async def play(source: Source, clock: FastClock, config: PlayerConfig | None = None) -> tuple[Kept, Kept, Player]:
    audio, video = Kept(clock), Kept(clock)
    taps = {Kind.AUDIO: [audio], Kind.VIDEO: [video]}
    async with Player(source, taps, config=config, clock=clock) as player:
        await player.finished()
    return audio, video, player


async def test_every_frame_at_its_time() -> None:
    """Each frame is pushed once, in order, never late, at most 10 ms early, by 50 wake-ups a second."""
    clock = FastClock()
    audio, video, player = await play(open_file(clip_path("motion.mkv")), clock)
    assert len(video.frames) == 90
    assert len(audio.frames) == 151
    for tap in (audio, video):
        for frame, at in zip(tap.frames, tap.at, strict=True):
            assert -0.0101 < at - frame.time < 0.0005
            assert frame.rtp_time == pytest.approx(frame.time * frame.codec.clock_rate, abs=1)
    assert {b.rtp_time - a.rtp_time for a, b in zip(audio.frames, audio.frames[1:], strict=False)} == {960}
    assert clock.calls <= 3.02 * 50 + 2
    assert player.position_s == pytest.approx(3.0, abs=0.05)
    # The last frame has lasted its time before the player says that it is over.
    assert clock.now() == pytest.approx(audio.frames[0].time + 3.02, abs=0.01)


@pytest.mark.slow
async def test_a_thousand_loops() -> None:
    """A thousand rounds of three seconds: no step of sound but 20 ms, no picture off by more than one, no drift.

    Memory is flat: objects and pages are counted every hundred rounds.
    """
    clock = FastClock()
    audio, video = Counting(), Weighing(every=9000)
    source = open_file(clip_path("motion.mkv"), loop=1000)
    async with Player(source, {Kind.AUDIO: [audio], Kind.VIDEO: [video]}, clock=clock) as player:
        await asyncio.wait_for(player.finished(), 50)
    assert video.count == 90_000
    assert set(audio.steps) == {960}
    assert audio.count == pytest.approx(150_000, abs=2)
    assert max(video.steps) < 2 * 3000
    assert min(video.steps) > 0
    assert audio.last is not None
    assert video.last is not None
    assert audio.last.time == pytest.approx(video.last.time, abs=0.06)
    objects, pages = zip(*video.weights, strict=True)
    assert len(objects) == 10
    # A frame kept of each round would be 900 objects, a file left open a megabyte; what is read ahead comes and goes.
    assert max(objects[1:]) - objects[0] < 400, objects
    assert (max(pages[1:]) - pages[0]) * resource.getpagesize() < 6e6, pages


async def test_reading_ahead_is_bounded() -> None:
    """An endless source is read no further ahead than it was said to be."""
    source = Listed(sound(n) for n in range(10**9))
    tap = Kept()
    config = PlayerConfig(read_ahead_s=1.0)
    async with Player(source, {Kind.AUDIO: [tap]}, config=config) as player:
        await tap.has(5)
        assert source.pulled <= len(tap.frames) + 60
        player.stop()
        assert await player.finished() is PlayerEnd.STOPPED
        count = len(tap.frames)
    assert len(tap.frames) == count
    assert source.closed == 1


@pytest.mark.parametrize("ahead_s", [0.0, 0.05, 0.19])
async def test_read_ahead_may_be_shorter_than_the_head_start(ahead_s: float) -> None:
    """A player that reads less ahead than it usually has before it begins, plays all the same (it never began)."""
    clock = FastClock()
    source = Listed(sound(n) for n in range(100))
    _, _, player = await play(source, clock, PlayerConfig(read_ahead_s=ahead_s))
    assert player.position_s == pytest.approx(1.98)


@pytest.mark.parametrize(("encodes", "most_s"), [(True, 0.35), (False, 2.1)])
async def test_what_encodes_is_read_a_moment_ahead(*, encodes: bool, most_s: float) -> None:
    """A key frame asked for is the next that is pulled: of a source that encodes that is soon."""
    source = Listed(sound(n) for n in range(10**9))
    source.encodes = encodes
    tap = Kept()
    async with Player(source, {Kind.AUDIO: [tap]}) as player:
        await tap.has(30)
        ahead = source.pulled * 0.02 - player.position_s
        player.stop()
    assert most_s / 4 < ahead < most_s


class Waking(LoopClock):
    """The real clock, which counts how often it has called."""

    calls = 0

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        def call() -> None:
            self.calls += 1
            callback()

        return super().call_at(when, call)


async def test_real_time_is_kept() -> None:
    """On the real clock frames come when they are due, not before, and without drift.

    When a machine wakes the player late, what is due within half a packet leaves with it: that was taken for early.
    """
    clock = Waking()
    tap = Kept(clock)
    calls: list[int] = []

    class Noting:
        def push(self, item: EncodedFrame | Gap) -> None:
            calls.append(clock.calls)

        def end(self) -> None: ...

    source = Listed(sound(n) for n in range(50))
    async with Player(source, {Kind.AUDIO: [tap, Noting()]}, clock=clock) as player:
        await player.finished()
    late = [at - frame.time for at, frame in zip(tap.at, tap.frames, strict=True)]
    woken_for = [n == 0 or calls[n] != calls[n - 1] for n in range(len(calls))]
    assert min(by for by, first in zip(late, woken_for, strict=True) if first) > -0.003
    assert min(late) > -0.011
    assert sorted(late)[25] < 0.02
    assert tap.at[-1] - tap.at[0] == pytest.approx(0.98, abs=0.15)


async def test_one_wake_up_for_all_taps() -> None:
    """Twenty-four rooms cost the loop as many timers as one."""
    clocks = []
    for rooms in (1, 24):
        clock = FastClock()
        taps = [Kept(clock) for _ in range(rooms)]
        async with Player(open_file(clip_path("motion.mkv")), {Kind.VIDEO: taps}, clock=clock) as player:
            await player.finished()
        clocks.append(clock.calls)
        assert all(tap.frames == taps[0].frames for tap in taps)
    assert clocks[0] == pytest.approx(clocks[1], abs=10)


@asynccontextmanager
async def stalled(tap: Kept, clock: FastClock, seconds: float) -> AsyncIterator[Player]:
    """Play two seconds of sound to their end, with a source that stands still in the middle for so long."""
    gate = threading.Event()
    source = Listed((sound(n) for n in range(100)), at={50: lambda: (gate.wait(5), None)[1]})
    async with Player(source, {Kind.AUDIO: [tap]}, clock=clock) as player:
        await tap.has(50)
        clock.time += seconds
        gate.set()
        await player.finished()
        yield player


async def test_stalled_source_is_put_off_without_flood() -> None:
    """After a stall beyond the limit the rest is played later, at its own pace, and it is told."""
    clock = FastClock()
    tap = Kept(clock)
    async with stalled(tap, clock, 10) as player:
        events = [event async for event in player.events()]
    assert len(tap.frames) == 100
    steps = [b - a for a, b in zip(tap.at, tap.at[1:], strict=False)]
    assert sum(step < 0.015 for step in steps) == 0
    assert [type(event) for event in events] == [Started, Late, Ended]
    late = events[1]
    assert isinstance(late, Late)
    assert late.late_s == pytest.approx(10, abs=0.1)
    assert late.position_s == pytest.approx(1.0)


async def test_short_delay_is_caught_up() -> None:
    """A little late, everything is sent at once, and the timeline stays where it was."""
    clock = FastClock()
    tap = Kept(clock)
    async with stalled(tap, clock, 0.3):
        pass
    assert {b.rtp_time - a.rtp_time for a, b in zip(tap.frames, tap.frames[1:], strict=False)} == {960}
    assert tap.at[-1] == pytest.approx(tap.at[0] + 99 * 0.02, abs=0.01)


@pytest.mark.parametrize(("stall_s", "put_off"), [(0.5, False), (2.0, True)])
async def test_a_stalled_loop_loses_nothing(stall_s: float, put_off: bool) -> None:
    """Whatever was due while the loop stood still is pushed, once and in order: caught up, or later and told."""

    class Stalling(Kept):
        def push(self, item: EncodedFrame | Gap) -> None:
            super().push(item)
            if len(self.frames) == 50:
                clock.time += stall_s

    clock = FastClock()
    tap = Stalling(clock)
    async with Player(Listed(sound(n) for n in range(200)), {Kind.AUDIO: [tap]}, clock=clock) as player:
        await player.finished()
        told = [event async for event in player.events()]
    assert [frame.data for frame in tap.frames] == [b"%d" % number for number in range(200)]
    assert [round(event.late_s, 1) for event in told if isinstance(event, Late)] == ([2.0] if put_off else [])
    steps = [after.rtp_time - before.rtp_time for before, after in pairwise(tap.frames)]
    assert sum(step != 960 for step in steps) == put_off
    played_s = tap.at[-1] - tap.at[0] - 199 * 0.02
    assert played_s == pytest.approx(2.0 if put_off else 0.0, abs=0.03)


async def test_source_that_breaks_ends_with_its_error() -> None:
    """What came before a failure is played, then its error comes out, and the source is closed."""

    def fail() -> None:
        raise SourceError("clip.mkv: broke")

    source = Listed((sound(n) for n in range(100)), at={30: fail})
    clock = FastClock()
    tap = Kept(clock)
    with pytest.raises(SourceError, match="broke"):
        async with Player(source, {Kind.AUDIO: [tap]}, clock=clock) as player:
            await player.finished()
    assert len(tap.frames) == 30
    assert source.closed == 1


async def test_defect_of_a_source_does_not_hang_the_player() -> None:
    """An exception that is none of ours ends the player with one that is."""

    def fail() -> None:
        raise ZeroDivisionError

    source = Listed((sound(n) for n in range(100)), at={3: fail})
    async with Player(source, {}, clock=FastClock()) as player:
        with pytest.raises(SourceError, match="ZeroDivisionError"):
            await player.finished()


async def test_live_source_is_pushed_as_it_comes() -> None:
    """A live source is never held back, even when its clock runs faster than ours."""
    frames = (EncodedFrame(codec=Codec.OPUS, data=b"x", rtp_time=n * 9600, time=n * 0.2) for n in range(20))
    tap = Kept()
    begin = time.monotonic()
    async with Player(Listed(frames, live=True), {Kind.AUDIO: [tap]}) as player:
        await tap.has(20)
        player.stop()
    assert time.monotonic() - begin < 2
    assert [b.rtp_time - a.rtp_time for a, b in zip(tap.frames, tap.frames[1:], strict=False)] == [9600] * 19


async def test_taps_come_and_go() -> None:
    """A tap added in the middle gets what follows, one removed gets nothing more, and taps end when asked to."""
    clock = FastClock()
    first, second = Kept(clock), Kept(clock)
    source = Listed(sound(n) for n in range(100))
    config = PlayerConfig(end_taps=True)
    async with Player(source, {Kind.AUDIO: [first]}, config=config, clock=clock) as player:
        await first.has(50)
        player.add_tap(Kind.AUDIO, second)
        player.remove_tap(Kind.AUDIO, first)
        player.request_key_frame()
        await player.finished()
    assert len(first.frames) + len(second.frames) == 100
    assert (first.ended, second.ended) == (0, 1)
    assert source.keys == 1


async def test_second_player_goes_on_where_the_first_ended() -> None:
    """Two players, one after the other into one tap: RTP time steps on, sound and picture stay together."""
    clock = FastClock()
    audio, video = Kept(clock), Kept(clock)
    for _ in range(2):
        source = open_file(clip_path("motion.mkv"))
        async with Player(source, {Kind.AUDIO: [audio], Kind.VIDEO: [video]}, clock=clock) as player:
            await player.finished()
    for tap in (audio, video):
        assert all(a.rtp_time < b.rtp_time for a, b in zip(tap.frames, tap.frames[1:], strict=False))
    assert audio.frames[151].time - video.frames[90].time == pytest.approx(0, abs=0.02)


async def test_leaving_early_leaves_nothing_behind() -> None:
    """Leaving before the first frame stops the thread and closes the source."""
    source = Listed(sound(n) for n in range(10**9))
    async with Player(source, {}):
        pass
    assert source.closed == 1


async def test_held_until_released() -> None:
    """Held: silence on the grid and the first key frame twice a second; released: the source, without a step or gap."""
    clock = FastClock()
    audio, video = Kept(clock), Kept(clock)
    source = open_file(clip_path("motion.mkv"))
    taps = {Kind.AUDIO: [audio], Kind.VIDEO: [video]}
    async with Player(source, taps, config=PlayerConfig(hold=True), clock=clock) as player:
        await audio.has(100)
        before = player.started_at
        assert before is None
        assert {frame.data for frame in audio.frames} == {b"\xf8\xff\xfe"}
        assert len(video.frames) == pytest.approx(4, abs=1)
        assert {(frame.key, frame.data) for frame in video.frames} == {(True, video.frames[0].data)}
        player.request_key_frame()
        shown = len(video.frames)
        await video.has(shown + 1)
        player.release()
        player.release()
        await player.finished()
    assert {b.rtp_time - a.rtp_time for a, b in pairwise(audio.frames)} == {960}
    assert all(a.rtp_time < b.rtp_time for a, b in pairwise(video.frames))
    began = player.started_at
    assert began is not None
    assert len(audio.frames) - 151 == pytest.approx((began - audio.frames[0].time) / 0.02, abs=1)
    assert video.frames[-90].data == video.frames[0].data


async def test_released_before_anything_is_read() -> None:
    """Releasing early just means not to hold."""
    clock = FastClock()
    tap = Kept(clock)
    config = PlayerConfig(hold=True)
    async with Player(Listed(sound(n) for n in range(50)), {Kind.AUDIO: [tap]}, config=config, clock=clock) as player:
        player.release()
        await player.finished()
    assert [frame.data for frame in tap.frames] == [b"%d" % n for n in range(50)]
