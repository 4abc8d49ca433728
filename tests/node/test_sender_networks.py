"""Whose requests and tries are counted together: an IPv4 address, and an IPv6 network of a /64."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.limits import network_of
from pexrtc_py.node.node_state import NodeState
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("nobody's", "nobody's"),
    ],
)
def test_whose_address_it_is(address: str, network: str) -> None:
    """A site of IPv6 has a /64 at least; what is IPv4 in disguise is IPv4, or all of those were one."""
    assert network_of(address) == network


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_within_a_network_all_are_one(address: object, host: int) -> None:
    """Whoever changes nothing but the last 64 bits stays who it is; IPv4 in disguise excepted."""
    text = str(address)
    if text.startswith("::"):
        return
    prefix = ":".join(f"{int(part or '0', 16):x}" for part in address.exploded.split(":")[:4])  # type: ignore[attr-defined]
    tail = ":".join(f"{host >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0))
    assert network_of(text) == network_of(f"{prefix}:{tail}")


def from_elsewhere(app: web.Application, state: NodeState) -> None:
    """Let a header say whence a request comes: a machine has one address of IPv6 on loopback."""

    @web.middleware
    async def move(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        return await handler(request.clone(remote=request.headers.get("whence", "192.0.2.1")))

    app.middlewares.append(move)


async def test_pins_are_not_guessed_from_many_addresses_of_a_network() -> None:
    """Each address of a /64 had tries of its own: whoever has one had 18 quintillion times five."""
    config = NodeConfig(conferences={"board": RoomSettings(pin="4711")}, pin_tries=3)
    async with (
        Node(config, media=SilentMediaMaker(), add_pages=from_elsewhere) as node,
        RawClient(node.url, "board") as client,
    ):

        async def guess(pin: str, address: str) -> object:
            headers = {"pin": pin, "whence": address}
            return (await client.request("POST", "request_token", {}, headers=headers)).json()["result"]

        reasons = [await guess(str(host), f"2001:db8:1:2::{host:x}") for host in range(1, 6)]
        assert reasons == ["Invalid PIN"] * 3 + ["Participant exceeded PIN entry retries"] * 2
        assert await guess("4711", "2001:db8:1:2:ffff::1") == "Participant exceeded PIN entry retries"
        assert isinstance(await guess("4711", "2001:db8:1:3::1"), dict), "the neighbours may come in"
        assert isinstance(await guess("4711", "192.0.2.2"), dict)


async def test_requests_of_a_network_are_counted_together() -> None:
    """So are requests: no burst for each address of a /64."""
    config = NodeConfig(request_burst=3, requests_per_s=0.001)
    async with (
        Node(config, media=SilentMediaMaker(), add_pages=from_elsewhere) as node,
        RawClient(node.url) as client,
    ):
        codes = [
            (await client.request("POST", "request_token", {}, headers={"whence": f"2001:db8::{n}"})).status_code
            for n in range(5)
        ]
        assert codes == [200] * 3 + [429] * 2
