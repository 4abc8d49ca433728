"""Channels of a relay are bound anew by a monotonic clock: aioice reads the wall clock, which may be set."""

from __future__ import annotations

import time

import pytest
from aioice.turn import TurnClientUdpProtocol

from pexrtc_py.webrtc.ice_relay import ChannelTimes

CHANNEL = 0x4000


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("back_s", [0.0, 3600.0, -3600.0])
def test_the_wall_clock_may_be_set(back_s: float) -> None:
    """Set back by an hour after a binding, aioice would not bind again for an hour: the channel ended with the call."""
    clock = Clock()
    times = ChannelTimes(clock)
    times[CHANNEL] = time.time() + back_s + 500  # as aioice wrote it before the wall clock was set back
    clock.now += 200
    assert not time.time() > times[CHANNEL], "and not sooner than it must, either"
    clock.now += 50
    assert times.is_due(CHANNEL)
    assert time.time() > times[CHANNEL]


def test_one_packet_binds_for_all() -> None:
    """While the binding is under way the others are sent; unanswered it is tried again soon, answered it holds."""
    clock = Clock()
    times = ChannelTimes(clock)
    times[CHANNEL] = 0.0
    clock.now += 250
    assert [time.time() > times[CHANNEL] for _ in range(3)] == [True, False, False]
    assert not times.is_due(CHANNEL)
    clock.now += 11
    assert time.time() > times[CHANNEL]
    times[CHANNEL] = 0.0
    clock.now += 200
    assert not times.is_due(CHANNEL)
    assert times.bound == 2


def test_a_channel_never_bound_is_unknown() -> None:
    """As in the table it stands for."""
    with pytest.raises(KeyError):
        ChannelTimes()[CHANNEL]


def test_aioice_still_has_the_table() -> None:
    """A new release that keeps its times elsewhere is found here first."""
    protocol = TurnClientUdpProtocol(("127.0.0.1", 1), "u", "p", lifetime=600, channel_refresh_time=500)
    assert protocol.channel_refresh_at == {}
