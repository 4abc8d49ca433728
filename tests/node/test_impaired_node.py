"""A node that is behind a bad network."""

from __future__ import annotations

import asyncio

import pexrtc_py
from pexrtc_py import CallConfig, Direction, Node, NodeConfig
from pexrtc_py.webrtc.impairment import Impairment, TwoWayImpairment
from pexrtc_py.webrtc.statistics import InboundRtp
from tests.support.peers import find
from tests.support.taps import Collector


async def test_what_a_node_sends_is_lost_on_its_way() -> None:
    """A fifth of it, by the same dice each time, while what it is sent comes through."""
    bad = TwoWayImpairment(send=Impairment(loss=0.2, seed=3), receive=Impairment())
    config = CallConfig(audio=Direction.RECVONLY, video=Direction.INACTIVE)
    async with (
        Node(NodeConfig(impairment=bad)) as node,
        pexrtc_py.connect(node.url, "meet.alice") as conference,
        conference.call(config) as call,
        asyncio.timeout(20),
    ):
        await call.connected()
        assert call.audio is not None
        assert call.audio.receiver is not None
        heard = Collector()
        call.audio.receiver.add_tap(heard)
        await heard.until(lambda: len(heard.frames) >= 100)
        inbound = find(call.peer, InboundRtp)
        share = inbound.packets_lost / (inbound.packets_lost + inbound.packets_received)
    assert 0.1 < share < 0.32
    assert sum(gap.packets for gap in heard.gaps) >= 10
