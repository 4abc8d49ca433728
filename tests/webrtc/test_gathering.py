"""Addresses, ports and servers: what is gathered, and what a silent server costs."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import cast

import pytest
from aioice import stun

from pexrtc_py.errors import IceFailed, UsageError
from pexrtc_py.protocol.sdp import Setup
from pexrtc_py.webrtc.gathering import IceServer, parse_ice_url
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.transport_config import TransportConfig

from .test_transport import End


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("stun:stun.example", ("stun", "stun.example", 3478, "udp")),
        ("stun:192.0.2.1:19302", ("stun", "192.0.2.1", 19302, "udp")),
        ("turn:[2001:db8::1]:443?transport=tcp", ("turn", "2001:db8::1", 443, "tcp")),
        ("turns:turn.example", ("turns", "turn.example", 5349, "tcp")),
        ("turn:turn.example?transport=udp", ("turn", "turn.example", 3478, "udp")),
    ],
)
def test_urls_are_taken_apart(url: str, parts: tuple[str, str, int, str]) -> None:
    """RFC 7064 and 7065, IPv6 literals included."""
    address = parse_ice_url(url)
    assert (address.scheme, address.host, address.port, address.transport) == parts


def test_relays_are_not_impaired() -> None:
    """A bad network that would not be one is refused: with relays only, nothing of it would be felt."""
    with pytest.raises(UsageError, match=r"impairment .* relay_only"):
        TransportConfig(relay_only=True, impairment=Impairment(loss=0.5))


@pytest.mark.parametrize("url", ["", "http://x", "stun:", "turn:x:99999", "turn:x?transport=sctp", "stun:a:b"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """The error is the user's to mend."""
    with pytest.raises(UsageError):
        parse_ice_url(url)


def test_credentials_are_not_shown() -> None:
    """The representation of a server tells no secret."""
    assert "hush" not in repr(IceServer(urls=("turn:x",), username="u", credential="hush"))


async def gathered(config: TransportConfig) -> list[tuple[str, str, int]]:
    """Type, address and port of what a transport gathers."""
    end = End(config)
    try:
        await end.transport.gather()
        candidates = end.transport.local_parameters(Setup.ACTPASS).candidates
        return [(candidate.type, candidate.host, candidate.port) for candidate in candidates]
    finally:
        await end.transport.aclose()


async def test_named_addresses_are_used_and_no_others() -> None:
    """Loopback of both families is taken when it is named; what is not ours is left out."""
    found = await gathered(TransportConfig(addresses=("127.0.0.1", "::1", "192.0.2.200")))
    assert [host for _, host, _ in found] == ["127.0.0.1", "::1"]


async def test_ports_come_from_the_range() -> None:
    """Each address gets a free port of the range; a range without one is an error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(IceFailed):
            await gathered(TransportConfig(addresses=("127.0.0.1",), ports=(port, port)))
        found = await gathered(TransportConfig(addresses=("127.0.0.1",), ports=(port - 20, port)))
    assert port - 20 <= found[0][2] < port


class _StunServer(asyncio.DatagramProtocol):
    """Answers binding requests with a made-up address."""

    def __init__(self) -> None:
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport is no DatagramTransport by class before Python 3.12.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        request = stun.parse_message(data)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.5", 4242)
        self.transport.sendto(bytes(answer), addr)


async def test_a_stun_server_tells_the_outer_address() -> None:
    """Its answer becomes a server-reflexive candidate."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_StunServer, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        server = IceServer(urls=(f"stun:127.0.0.1:{port}",))
        found = await gathered(TransportConfig(addresses=("127.0.0.1",), ice_servers=(server,)))
        assert ("srflx", "203.0.113.5", 4242) in found
    finally:
        transport.close()


@pytest.mark.parametrize("url", ["stun:a..b:3478", "turn:a..b:3478", "turn:a..b:3478?transport=tcp"])
async def test_names_that_are_none_cost_nothing(url: str) -> None:
    """They came out as a group of UnicodeErrors."""
    servers = (IceServer(urls=(url,), username="u", credential="c"),)
    found = await gathered(TransportConfig(addresses=("127.0.0.1",), ice_servers=servers))
    assert [kind for kind, _, _ in found] == ["host"]


async def test_servers_without_end_are_not_all_asked() -> None:
    """Whoever names servers, a node, decides how many: each had a socket of its own, until there was none left."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(_StunServer, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        servers = tuple(IceServer(urls=(f"stun:127.0.0.1:{port}",) * 10) for _ in range(20))
        found = await gathered(TransportConfig(addresses=("127.0.0.1",), ice_servers=servers))
        assert ("srflx", "203.0.113.5", 4242) in found
        assert server.asked == 16
    finally:
        transport.close()


async def test_silent_servers_cost_the_budget_and_no_more() -> None:
    """A STUN and a TURN server that never answer cost half a second together; host candidates are used."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        servers = (
            IceServer(urls=(f"stun:127.0.0.1:{port}",)),
            IceServer(urls=(f"turn:127.0.0.1:{port}",), username="u", credential="p"),
        )
        began = time.monotonic()
        found = await gathered(TransportConfig(addresses=("127.0.0.1",), ice_servers=servers))
        assert 0.45 < time.monotonic() - began < 3.0
    assert [kind for kind, _, _ in found] == ["host"]
