"""When missing packets are asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pexrtc_py.webrtc.nack import MissingPackets


def asked(missing: MissingPackets) -> list[float]:
    """Return all times at which 7 and 8 are asked for."""
    times = []
    while (at := missing.next_timer()) != float("inf"):
        assert missing.due(at) == [7, 8]
        times.append(at)
    return times


@pytest.mark.parametrize(
    ("round_trip", "first", "step"),
    [(0.01, 0.02, 0.02), (0.05, 0.055, 0.0275), (0.1, 0.055, 0.055), (0.3, 0.11, 0.11)],
)
def test_asked_at_once_then_by_halves_of_a_round_trip_and_a_bit(round_trip: float, first: float, step: float) -> None:
    """Where it is short, senders are given a whole one to answer the first request."""
    missing = MissingPackets(enabled=True)
    missing.round_trip_s = round_trip
    missing.add([7, 8], 1.0)
    times = asked(missing)
    assert times[:11] == pytest.approx([1.0, *(1.0 + first + step * n for n in range(10))])


def test_after_ten_requests_ever_slower_and_never_after_eighteen() -> None:
    """What nothing answered for ten times is lost to an outage, or late by a queue."""
    missing = MissingPackets(enabled=True)
    missing.round_trip_s = 0.02
    missing.add([7, 8], 1.0)
    times = asked(missing)
    assert len(times) == 18
    steps = [after - before for before, after in pairwise(times)]
    assert [after / before for before, after in pairwise(steps[9:])] == pytest.approx([1.5] * 7)
    assert 1.0 < times[-1] - times[0] < 1.5  # senders keep packets for a second or more


def test_a_repair_that_cannot_be_told_is_waited_for_before_it_is_asked_for() -> None:
    missing = MissingPackets(enabled=True)
    missing.add([7, 8], 1.0, in_place=True)
    assert asked(missing)[0] == pytest.approx(1.01)


def test_where_packets_overtake_each_other_it_is_waited_until_they_settle() -> None:
    """As long as the latest took, 20 ms at most; what only comes by repair lets that be forgotten."""
    missing = MissingPackets(enabled=True)
    missing.add([1, 2], 0.0)
    missing.arrived(1, 0.007, repaired=False)
    missing.arrived(2, 0.004, repaired=False)
    missing.add([7, 8], 1.0)
    assert asked(missing)[0] == pytest.approx(1.007)
    missing.arrived(7, 2.0, repaired=False)
    for number in range(200):
        missing.add([number + 100], 3.0)
        missing.arrived(number + 100, 3.1, repaired=True)
        assert missing.next_timer() == float("inf")
    missing.forget_before(400)
    missing.add([407, 408], 4.0)
    assert missing.next_timer() == pytest.approx(4.0, abs=0.001)


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
