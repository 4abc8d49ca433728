"""The queue before the mix, in virtual time: nothing is lost, few shifts, little delay left behind."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from pexrtc_py.media.mixer_queue import InputQueue

TICK = 0.02
Samples = NDArray[np.int16]


def loud(number: int) -> Samples:
    """20 ms that are no silence and say which they are."""
    return np.full(960, 3000 + number, np.int16)


@dataclass
class Played:
    """What came out: which packets, when, and how late each was."""

    numbers: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    @property
    def shifts(self) -> int:
        """How often the delay changed by 20 ms or more from one frame to the next."""
        return int((np.abs(np.diff(self.delays)) > 0.019).sum())


def run(seconds: float, arrives: Callable[[float], float], sound: Callable[[int], Samples] = loud) -> Played:
    """Send 50 packets a second, each seen at `arrives(sent)`; pull 50 times a second, half a tick out of step."""
    queue, played = InputQueue(), Played()
    packets = [(arrives(number * TICK), number) for number in range(round(seconds / TICK))]
    at = 0
    for tick in range(len(packets) + 40):
        now = tick * TICK + TICK / 2
        while at < len(packets) and packets[at][0] <= now:
            queue.push(sound(packets[at][1]), packets[at][1] * TICK)
            at += 1
        frame = queue.pull()
        if frame is not None and queue.time is not None:
            played.numbers.append(round(queue.time / TICK))
            if tick < len(packets):
                played.delays.append(now - queue.time)
    return played


def stalls(*intervals: tuple[float, float]) -> Callable[[float], float]:
    """A reader that stands still from a time on, for so long, and reads all at once afterwards."""

    def arrives(sent: float) -> float:
        return max([sent, *(begin + length for begin, length in intervals if begin <= sent < begin + length)])

    return arrives


@pytest.mark.parametrize("length", [0.05, 0.1, 0.15, 0.2, 0.4])
def test_a_stall_loses_nothing_and_shifts_once_at_most(length: float) -> None:
    """What came late is played whole and in order; up to the reserve nothing shifts at all."""
    played = run(5.0, stalls((2.0, length)))
    assert played.numbers == list(range(250))
    assert played.shifts == (0 if length <= 0.05 else 1)
    assert max(played.delays) <= max(0.1, length + 0.03)


def test_a_second_stall_as_long_as_the_first_is_not_heard() -> None:
    """The first one made the reserve that the others need, but for a tick when one begins late within its own."""
    played = run(20.0, stalls(*((2.0 + 1.3 * number, 0.15) for number in range(12))))
    assert played.numbers == list(range(1000))
    assert played.shifts <= 2
    assert max(np.flatnonzero(np.abs(np.diff(played.delays)) > 0.019)) < 300
    assert played.delays[-1] < 0.2


def test_stalls_at_random_lose_nothing() -> None:
    """A loaded machine: stalls of 10 to 200 ms again and again; a shift only where a stall was the longest so far."""
    dice = random.Random(3)
    times = [1.0]
    while times[-1] < 29:
        times.append(times[-1] + dice.uniform(0.25, 0.6))
    played = run(30.0, stalls(*((time, dice.uniform(0.01, 0.2)) for time in times)))
    assert played.numbers == list(range(1500))
    assert played.shifts <= 4
    assert max(played.delays) < 0.25


def test_the_reserve_is_given_back_in_silence_only() -> None:
    """Loud sound keeps its delay; in silence it falls to 60 ms within half a minute, in faded steps of 20 ms."""
    assert run(60.0, lambda sent: sent).shifts == 0
    quiet = run(60.0, lambda sent: sent, lambda number: np.ones(960, np.int16))
    assert quiet.delays[0] == pytest.approx(0.07, abs=0.001)
    assert quiet.delays[1500] < 0.06
    steps = np.diff(quiet.delays)
    assert steps.min() > -0.021
    assert (np.abs(steps) > 0.001).sum() <= 2


def test_delay_of_a_long_stall_is_given_back_in_the_next_pause() -> None:
    """Beyond 200 ms silence goes at once, so that a conversation does not stay late."""

    def sound(number: int) -> Samples:
        return loud(number) if number < 200 else np.ones(960, np.int16)

    played = run(8.0, stalls((2.0, 0.45)), sound)
    assert played.numbers[:200] == list(range(200))
    assert played.delays[190] > 0.45
    assert played.delays[260] <= 0.2


def test_after_it_ran_dry_it_is_patient_for_a_minute() -> None:
    """What was needed once may be needed again: no delay is given up within the next minute."""
    played = run(100.0, stalls((2.0, 0.15)), lambda number: np.ones(960, np.int16))
    after = played.delays[150]
    assert played.delays[3000] == pytest.approx(after, abs=0.001)
    assert played.delays[-1] < after - 0.019


def test_a_pause_of_the_sender_is_no_lateness() -> None:
    """Sound that begins anew waits for the first reserve, not for more."""
    queue = InputQueue()
    for number in range(4):
        queue.push(loud(number), number * TICK)
    for _ in range(8):
        queue.pull()
    queue.push(loud(50), 50 * TICK)
    assert queue.reserve_s == pytest.approx(0.08)
    for number in range(51, 55):
        queue.push(loud(number), number * TICK)
    while queue.pull() is not None:
        pass
    queue.push(loud(55), 55 * TICK)
    assert queue.reserve_s == pytest.approx(0.1)


def test_the_last_sound_is_played_to_its_end() -> None:
    """A few packets alone are played after the time of the reserve, a part of 20 ms is filled up."""
    queue = InputQueue()
    queue.push(np.ones(960, np.int16), 1.0)
    queue.push(np.ones(480, np.int16), 1.02)
    frames = [frame for _ in range(20) if (frame := queue.pull()) is not None]
    assert [int(frame.sum()) for frame in frames] == [960, 480]
    assert queue.time is None


def test_what_conceals_is_left_out_where_silence_was_played() -> None:
    """400 ms that were never sent (DTX) are filled by the decoder; they add no delay, for silence was heard instead."""
    queue = InputQueue()
    for number in range(4):
        queue.push(loud(number), number * TICK)
    pulls = [queue.pull() for _ in range(24)]
    assert sum(frame is not None for frame in pulls) == 4
    queue.push(np.zeros(20 * 960, np.int16), 4 * TICK, concealed=True)
    for number in range(24, 28):
        queue.push(loud(number), number * TICK)
    frames = [(queue.pull(), queue.time)[1] for _ in range(5)]
    assert frames[0] == pytest.approx(24 * TICK), "what was held is the new sound only"


def test_the_bound_drops_the_oldest() -> None:
    """A burst of a second leaves its last 500 ms."""
    queue = InputQueue()
    for number in range(50):
        queue.push(loud(number), number * TICK)
    queue.pull()
    assert queue.time == pytest.approx(25 * TICK)


def test_pieces_of_any_length_are_played_whole() -> None:
    """Packets of 10 and 60 ms, as other clients send them."""
    queue = InputQueue()
    wave = np.arange(3000, 3000 + 960 * 12, dtype=np.int16)
    at, out = 0, []
    for length in (480, 2880, 960, 480, 2880, 3840):
        queue.push(wave[at : at + length], at / 48000)
        at += length
        if (frame := queue.pull()) is not None:
            out.append(frame)
    while (frame := queue.pull()) is not None:
        out.append(frame)
    assert np.array_equal(np.concatenate(out), wave)


def test_what_is_owed_is_neither_dropped_nor_given_up() -> None:
    """Two seconds that were missed are played whole, though they are silent; what is beyond them is held as ever."""
    queue = InputQueue()
    for number in range(4):
        queue.push(np.ones(960, np.int16), number * TICK)
    queue.pull()
    queue.owed = 100 * 960
    for number in range(4, 104):
        queue.push(np.ones(960, np.int16), number * TICK)
    times = []
    for left in reversed(range(101)):
        queue.owed = left * 960
        queue.pull()
        times.append(queue.time)
    assert times == pytest.approx([(number + 1) * TICK for number in range(101)])
    for number in range(104, 144):
        queue.push(loud(number), number * TICK)
    queue.pull()
    assert queue.time == pytest.approx((144 - 25) * TICK)
