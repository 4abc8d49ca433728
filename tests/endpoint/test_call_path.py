"""A call whose media path is lost, while the node can still be asked: it goes on over another."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Direction, Node
from pexrtc_py.endpoint.call import Call
from pexrtc_py.errors import SignallingError
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import PeerConfig, PeerState
from tests.support.taps import Collector
from tests.support.waiting import until

GOOD = CallConfig(
    audio=Direction.RECVONLY, video=Direction.INACTIVE, peer=PeerConfig(impairment=Impairment(), silence_s=2.2)
)


async def lose_path(call: Call) -> None:
    """Let nothing through any more, until that is noticed."""
    call.peer.impair(Impairment(loss=1.0))
    await until(lambda: call.peer.state is PeerState.DISCONNECTED, within_s=10)


async def test_a_silent_call_goes_on_over_another_path() -> None:
    """The same call and the same receiver: whoever listens hears on, with no more than the hole between."""
    async with Node() as node, pexrtc_py.connect(node.url, "meet.alice") as conference, conference.call(GOOD) as call:
        await call.connected()
        assert call.audio is not None
        assert call.audio.receiver is not None
        heard, uuid = Collector(), call.uuid
        call.audio.receiver.add_tap(heard)
        await heard.until(lambda: len(heard.frames) > 10)
        await lose_path(call)
        before = len(heard.frames)
        assert await call.renew_path()
        await heard.until(lambda: len(heard.frames) > before + 10)
        assert call.uuid == uuid
        assert call.peer.state is PeerState.CONNECTED
        assert call.ended_reason is None
        times = [frame.time for frame in heard.frames]
        assert times == sorted(times)
        rtp = heard.frames[before].rtp_time - heard.frames[before - 1].rtp_time
        assert times[before] - times[before - 1] == pytest.approx(rtp / 48000, abs=0.1), "the hole is as long as it was"


async def test_a_node_that_cannot_is_told_from_one_that_can() -> None:
    """Nodes of before release 23 know no `update`: then the call is left as it is, and can be made anew."""
    config = NodeConfig(version="22")
    async with (
        Node(config) as node,
        pexrtc_py.connect(node.url, "meet.alice") as conference,
        conference.call(GOOD) as call,
        asyncio.timeout(15),
    ):
        await call.connected()
        await lose_path(call)
        with pytest.raises(SignallingError):
            await call.renew_path()
        assert call.ended_reason is None
        async with conference.call(GOOD) as another:
            await another.connected()
