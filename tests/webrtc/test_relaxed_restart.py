"""Media that is read late, over every path that a call has."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial

import pytest

from pexrtc_py.webrtc.udp import UdpTransport
from tests.support.peers import LOOPBACK, POLICY, audio, call, connected, listen, push

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recvmmsg is Linux's")


async def test_the_path_of_a_restart_is_read_late_too() -> None:
    """After an ICE restart a recorder's sockets were read packet by packet: at 24 calls twice the price."""
    async with call(config=replace(LOOPBACK, relaxed=True)) as (client, node):
        tap = listen(client, 0)
        await client.accept_answer(await node.answer_offer(await client.create_offer(restart=True), POLICY))
        await connected(client, node)
        push(node, 0, *map(audio, range(3)))
        await tap.until(partial(tap.has, 3))
        for peer in (client, node):
            sockets = [protocol.transport for protocol in peer._transport._ice.protocols]
            assert sockets
            assert all(isinstance(one, UdpTransport) and one._sweep is not None for one in sockets)
