"""What strangers send to a port of ours does no harm: before, during and after the handshake with the peer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.ice import IceConnection
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from tests.support.peers import LOOPBACK, POLICY, audio, connected, listen, push
from tests.webrtc.test_ice import make_connection


def hello() -> bytes:
    """A ClientHello that offers one cipher, which nobody takes (RFC 6347 section 4.2.1)."""
    body = b"\xfe\xfd" + os.urandom(32) + b"\x00\x00\x00\x02\x00\x2f\x01\x00"
    size = len(body).to_bytes(3, "big")
    message = b"\x01" + size + b"\x00\x00\x00\x00\x00" + size + body
    return b"\x16\xfe\xff" + bytes(8) + len(message).to_bytes(2, "big") + message


KINDS: dict[str, Callable[[], bytes]] = {
    "hellos": hello,
    "alerts": lambda: b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
    "handshakes": lambda: b"\x16\xfe\xff\x00\x00" + os.urandom(6) + b"\x00\x80" + os.urandom(128),
    "STUN": lambda: b"\x00\x01\x00\x08\x21\x12\xa4\x42" + os.urandom(20),
    "no STUN": lambda: b"\x00\x01" + os.urandom(30),
    "channels": lambda: b"\x40\x00\x00\x04" + os.urandom(4),
    "SRTP": lambda: b"\x80" + os.urandom(40),
    "SRTCP": lambda: b"\x81\xc8" + os.urandom(40),
    "nothing": lambda: b"",
    "anything": lambda: os.urandom(60),
}


def port_of(sdp: str) -> int:
    """The port of the first candidate."""
    return next(int(line.split()[5]) for line in sdp.splitlines() if line.startswith("a=candidate:"))


def flood(port: int, make: Callable[[], bytes], count: int = 200) -> None:
    """Send from a port that nobody knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(count):
            stranger.sendto(make(), ("127.0.0.1", port))


@pytest.mark.parametrize(
    "config", [LOOPBACK, PeerConfig(addresses=("127.0.0.1",), ice_lite=True)], ids=["full", "lite"]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_is_made_and_goes_on(kind: str, config: PeerConfig) -> None:
    """A handshake of a stranger that came before that of the peer ended the call: a port was all one had to guess."""
    async with Peer(LOOPBACK) as client, Peer(config) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        offer = await client.create_offer()
        answer = await node.answer_offer(offer, POLICY)
        for port in (port_of(offer), port_of(answer)):
            flood(port, KINDS[kind])
        await client.accept_answer(answer)
        flood(port_of(answer), KINDS[kind], 20)
        await connected(client, node)
        tap = listen(node, 0)
        for number in range(20):
            flood(port_of(answer), KINDS[kind], 20)
            push(client, 0, audio(number))
        await tap.until(lambda: tap.has(20))
        assert not tap.gaps


async def test_as_many_addresses_as_a_peer_has() -> None:
    """A peer that knows the password may check from many addresses, and fills no memory with them."""
    connection: IceConnection = make_connection()
    for port in range(1, 2000):
        connection.note_verified(("192.0.2.1", port))
    assert connection.is_verified(("192.0.2.1", 1))
    assert not connection.is_verified(("192.0.2.1", 1999))
    assert not connection.is_verified(("192.0.2.2", 1))
    await connection.close()
