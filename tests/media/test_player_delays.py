"""What a player makes of delays: of the machine, of the source, and of the event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.media.player import Ended, Late, LoopClock, Player, Started, Timer
from tests.media.playing import Kept, Listed, sound

from ..support.clocks import FastClock


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
