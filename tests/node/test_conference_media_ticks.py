"""When sound is mixed: on time, made up for, or left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pexrtc_py.node.conference_media_ticks import Tick, Ticks


@dataclass
class Clock:
    """Ticks with a hand crank, after one that was on time at 100 s."""

    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ticks = Ticks(100.0, self.asked.append)
        for number in range(2):
            assert self.at(100.0 + number * 0.02) is not None

    def at(self, now: float, *, untaken: int = 0) -> Tick | None:
        """Let the thread wake up."""
        return self.ticks.handle_timer(now, untaken=untaken)


def test_each_tick_has_its_number_and_its_time() -> None:
    """Woken a little late it makes the tick that was due; woken too early it makes none."""
    clock = Clock()
    assert clock.ticks.next_timer() == pytest.approx(100.04)
    assert clock.at(100.039) is None
    tick = clock.at(100.05)
    assert tick is not None
    assert (tick.number, tick.owed_s, tick.anew) == (2, 0.0, False)
    assert tick.time == pytest.approx(100.04)
    assert clock.asked == []


def test_missed_ticks_wait_for_the_loop_and_are_made_up_for() -> None:
    """A second late: nothing for 20 ms and until the loop has turned, then one tick after the other."""
    clock = Clock()
    assert clock.at(101.04) is None
    assert clock.asked == [6]
    assert clock.ticks.next_timer() == pytest.approx(101.06)
    clock.ticks.handle_turned()
    assert clock.at(101.05) is None
    made = []
    while clock.ticks.next_timer() <= 101.07:
        if (tick := clock.at(101.07)) is not None:
            made.append(tick)
    assert [tick.number for tick in made] == list(range(2, 54))
    assert made[0].owed_s == pytest.approx(1.02)
    assert made[-1].owed_s == 0
    assert not any(tick.anew for tick in made)
    assert clock.asked == [6]


def test_a_loop_that_does_not_turn_is_waited_for() -> None:
    """As long as it takes; it is looked again every 5 ms."""
    clock = Clock()
    assert clock.at(100.1) is None
    for look in range(400):
        assert clock.at(100.13 + look * 0.005) is None
    assert clock.ticks.next_timer() == pytest.approx(100.13 + 400 * 0.005)
    clock.ticks.handle_turned()
    assert clock.asked == [2]
    assert clock.at(102.13) is None
    assert clock.asked == [2, 8], "a loop that did not turn for two seconds has more to read"
    clock.ticks.handle_turned()
    tick = clock.at(102.14)
    assert tick is not None
    assert tick.number == 2


def test_a_loop_that_takes_nothing_stops_the_mix_though_it_is_on_time() -> None:
    """Two batches that nobody took are no sign yet, three are."""
    clock = Clock()
    assert clock.at(100.04, untaken=2) is not None
    assert clock.at(100.06, untaken=3) is None
    assert clock.asked == [2]
    clock.ticks.handle_turned()
    assert clock.at(100.085, untaken=0) is not None


def test_more_than_three_seconds_are_left_out() -> None:
    """The number of the next tick is that of its time all the same, and only one tick begins anew."""
    clock = Clock()
    assert clock.at(105.0) is None
    clock.ticks.handle_turned()
    assert clock.asked == [21]
    tick, after = clock.at(105.025), clock.at(105.045)
    assert tick is not None
    assert after is not None
    assert (tick.anew, after.anew) == (True, False)
    assert tick.time == pytest.approx(100 + tick.number * 0.02)
    assert 105.0 < tick.time <= 105.025
    assert after.number == tick.number + 1
