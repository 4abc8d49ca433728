"""Calls in which nothing is sent: muted, on hold, in DTX. They are silent, not dead."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import replace

from pexrtc_py.webrtc.peer import PeerState
from pexrtc_py.webrtc.udp import DATAGRAMS_PER_WAKEUP, UdpTransport, bind_udp
from tests.support.peers import LOOPBACK, call

from .test_srtp import path_and_peer, rtp


async def test_a_mute_call_is_not_taken_for_a_dead_one() -> None:
    """Consent is asked for each five seconds, and a call is silent after less: so silence itself is asked about.

    Neither side sends media, for longer than silence may last; both go on being connected.
    """
    states: list[PeerState] = []
    async with call(config=replace(LOOPBACK, silence_s=2.5)) as (client, node):
        client.on_state = node.on_state = states.append
        await asyncio.sleep(3.5)  # nothing is to happen
        assert (client.state, node.state) == (PeerState.CONNECTED, PeerState.CONNECTED)
    assert PeerState.DISCONNECTED not in states


async def test_media_and_reports_are_signs_of_life() -> None:
    """Who sends media, or RTCP alone, lives, though it answered no check; who cannot encrypt it shows nothing."""
    received: list[bytes] = []
    path, peer = path_and_peer(received)
    report = struct.pack("!BBHI", 0x80, 201, 1, 7)
    for number, packet in enumerate((peer.protect(rtp(7, 1)), peer.protect_rtcp(report)), start=1):
        path.receive(packet, float(number))
        assert path.ice.last_heard == number
    path.receive(rtp(7, 2) + bytes(16), 9.0)
    assert path.ice.last_heard == 2
    assert len(received) == 2


class _Turns(asyncio.DatagramProtocol):
    """Counts what is handed over between two turns of the loop."""

    def __init__(self) -> None:
        self.counts = [0]
        self.done = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.counts[-1] += 1
        if self.counts[-1] == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.counts.append(0)
        self.done.set()


async def test_a_wake_up_takes_a_whole_picture() -> None:
    """Asyncio takes one datagram a turn of the loop; here all that wait are taken, up to a bound."""
    protocol = _Turns()
    transport = UdpTransport(bind_udp("127.0.0.1", None), protocol)
    try:
        where = transport.get_extra_info("sockname")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(DATAGRAMS_PER_WAKEUP - 10):
                sender.sendto(b"datagram", where)  # type: ignore[call-overload]  # an address
            async with asyncio.timeout(5):
                await protocol.done.wait()
        assert protocol.counts[0] == DATAGRAMS_PER_WAKEUP - 10
    finally:
        transport.close()
