"""When missing packets are asked for."""

from __future__ import annotations

import pytest

from pexrtc_py.webrtc.nack import MissingPackets


def test_asked_after_ten_milliseconds_then_each_round_trip_and_a_bit_eight_times() -> None:
    missing = MissingPackets(enabled=True)
    missing.round_trip_s = 0.05
    missing.add([7, 8], 1.0)
    times = []
    while (at := missing.next_timer()) != float("inf"):
        assert missing.due(at) == [7, 8]
        times.append(at)
    assert times == pytest.approx([1.01 + 0.055 * n for n in range(8)])


def test_not_more_often_than_every_twenty_milliseconds() -> None:
    missing = MissingPackets(enabled=True)
    missing.round_trip_s = 0.001
    missing.add([7], 1.0)
    missing.due(1.01)
    assert missing.next_timer() == pytest.approx(1.03)


def test_what_arrived_is_not_asked_for() -> None:
    missing = MissingPackets(enabled=True)
    missing.add([7, 8, 9], 1.0)
    missing.arrived(8, 1.005, repaired=False)
    assert missing.due(1.01) == [7, 9]
    assert missing.forget_before(9) == 1
    assert missing.was_given_up(7)
    assert not missing.was_given_up(8)
    assert len(missing) == 1


def test_without_nack_only_the_time_is_kept() -> None:
    missing = MissingPackets(enabled=False)
    missing.add([7], 1.0)
    assert missing.since(7) == 1.0
    assert missing.next_timer() == float("inf")
    assert missing.due(100.0) == []


@pytest.mark.parametrize("round_trip", [0.005, 0.04, 0.3, 0.6])
def test_the_round_trip_is_found_from_above_and_below(round_trip: float) -> None:
    missing = MissingPackets(enabled=True)
    for number in range(60):
        now = float(number * 10)
        missing.add([number], now)
        missing.due(now + 0.01)
        answer = now + 0.01 + round_trip
        while missing.next_timer() < answer:
            missing.due(missing.next_timer())
        missing.arrived(number, answer, repaired=True)
    assert missing.round_trip_s == pytest.approx(round_trip, rel=0.1)
