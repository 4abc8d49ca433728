"""What one more loss costs on the way to a repair: of the repair, of the request, of several requests in a row."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import mean

import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtcp import Nack, parse_compound
from pexrtc_py.webrtc.rtp import parse_header
from pexrtc_py.webrtc.sender_history import SentPackets

from .link import RTX, Link, at_random, vp8_frame

FPS = 30
FREED = 0.035
"""A loss is found with the next picture, a thirtieth of a second later."""


def play(link: Link, seconds: float) -> float:
    """Send pictures; return how long the longest freeze lasted."""
    wanted = [True]
    link.sender.on_key_frame_request = lambda: wanted.__setitem__(0, True)
    start = link.now
    for index in range(round(seconds * FPS)):
        key, wanted[0] = wanted[0], False
        link.sender.push(vp8_frame(index, key=key, size=3300, time=link.now))
        link.run(start + (index + 1) / FPS)
    link.run(link.now + 2.0)
    return max(b - a for a, b in pairwise(link.tap.frame_times))


def is_request(data: bytes) -> bool:
    return any(isinstance(packet, Nack) for packet in parse_compound(data))


def lose_first(link: Link, *, repairs: int = 0, requests: int = 0) -> Callable[[str, bytes], bool]:
    """Learn the round trip by five losses; then lose a packet, and what is sent next to repair it."""
    left = {"repairs": repairs, "requests": requests}
    due = [link.now + at for at in (0.5, 1.5, 2.5, 3.5, 4.5, 6.0)]

    def take(what: str) -> bool:
        left[what] -= 1
        return left[what] >= 0

    def lose(way: str, packet: bytes) -> bool:
        if way == "back":
            return len(due) == 0 and is_request(packet) and take("requests")
        if way != "rtp":
            return False
        if parse_header(packet).payload_type == RTX:
            return len(due) == 0 and take("repairs")
        if due and link.now >= due[0]:
            due.pop(0)
            return True
        return False

    return lose


@pytest.mark.parametrize("round_trip", [0.1, 0.2, 0.3])
def test_far_away_a_repair_that_is_lost_costs_no_further_round_trip(round_trip: float) -> None:
    """The next request was due after six tenths of a round trip and again after twelve; senders answered that only."""
    link = Link(Codec.VP8, round_trip_s=round_trip)
    link.lose = lose_first(link, repairs=1)
    assert play(link, 8.0) < 1.7 * round_trip + FREED
    assert link.sender.counts.plis == 0


@pytest.mark.parametrize("round_trip", [0.1, 0.2, 0.3])
def test_far_away_a_request_that_is_lost_costs_half_a_round_trip(round_trip: float) -> None:
    link = Link(Codec.VP8, round_trip_s=round_trip)
    link.lose = lose_first(link, requests=1)
    assert play(link, 8.0) < 1.6 * round_trip + FREED


@pytest.mark.parametrize("round_trip", [0.04, 0.06])
def test_requests_that_are_lost_in_a_row_are_repeated_each_half_round_trip(round_trip: float) -> None:
    """A burst of losses on the way back took five requests, each a round trip and a tenth after the other."""
    link = Link(Codec.VP8, round_trip_s=round_trip)
    link.lose = lose_first(link, requests=5)
    assert play(link, 8.0) < (1 + 1.1 + 4 * 0.55) * round_trip + FREED


@pytest.mark.parametrize(("round_trip", "most"), [(0.1, 0.26), (0.2, 0.45), (0.3, 0.54)])
def test_five_percent_loss_far_away_freezes_for_two_round_trips_at_most(round_trip: float, most: float) -> None:
    """The mean of the longest freezes of twelve runs of twenty seconds; it was 287, 509 and 717 ms."""
    runs = [Link(Codec.VP8, round_trip_s=round_trip, lose=at_random(0.05, seed)) for seed in range(12)]
    assert mean(play(link, 20.0) for link in runs) < most


def again(history: SentPackets, at: float, *, crowded: bool = False) -> bool:
    return history.again(7, at, 0.2, crowded=crowded) is not None


def test_where_the_round_trip_is_long_a_second_copy_leaves_within_it() -> None:
    """But not at once, and not while a queue stands on the way."""
    history = SentPackets()
    history.add(7, [bytes(1000)], 1000, 0.0)
    assert again(history, 0.1)
    assert not again(history, 0.13)
    assert not again(history, 0.15, crowded=True)
    assert again(history, 0.15)


def test_a_second_copy_leaves_only_while_little_is_repeated() -> None:
    """A quarter of what was sent; what was not sent again yet may use all of it."""
    history = SentPackets()
    history.add(0, [bytes(1000)] * 40, 40_000, 0.0)
    repeated = [number for number in range(15) if history.again(number, 0.1, 0.2, crowded=False)]
    assert len(repeated) == 15
    assert not again(history, 0.2)
    assert again(history, 0.3)
