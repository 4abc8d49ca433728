"""A player keeps time, on a clock that runs as fast as it can: every frame in its place, for every tap, to the end."""

from __future__ import annotations

import asyncio
import gc
import resource
from itertools import pairwise
from pathlib import Path

import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import EncodedFrame, Gap, Kind
from pexrtc_py.media.player import Player, PlayerConfig
from pexrtc_py.media.sources.file import open_file
from tests.media.playing import Kept, Listed, play, sound

from ..support.clocks import FastClock


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


async def test_one_wake_up_for_all_taps() -> None:
    """Twenty-four rooms cost the loop as many timers as one."""
    clocks = []
    for rooms in (1, 24):
        clock = FastClock()
        taps = [Kept(clock) for _ in range(rooms)]
        async with Player(open_file(clip_path("motion.mkv")), {Kind.VIDEO: taps}, clock=clock) as player:
            await player.finished()
        clocks.append(clock.calls)
        assert len(taps[0].frames) == 90
        assert all(tap.frames == taps[0].frames for tap in taps)
    assert clocks[0] == pytest.approx(clocks[1], abs=10)


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
