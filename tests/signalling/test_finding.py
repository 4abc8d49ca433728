"""Finding nodes: by address, link and DNS; order of SRV records; whether a node is well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import TransportError, UsageError
from pexrtc_py.signalling import find_destination
from pexrtc_py.signalling.finding import Resolver, ServiceRecord, is_well, order_records, query_dns


def record(priority: int, weight: int, target: str, port: int = 443) -> ServiceRecord:
    return ServiceRecord(priority=priority, weight=weight, port=port, target=target)


def resolver(*records: ServiceRecord, asked: list[str] | None = None) -> Resolver:
    async def resolve(name: str) -> Sequence[ServiceRecord]:
        if asked is not None:
            asked.append(name)
        return records

    return resolve


async def test_by_address() -> None:
    """With a node given, any alias goes there, and DNS is not asked."""
    asked: list[str] = []
    found = await find_destination("meet.alice@x.org", node_url="https://n", resolve=resolver(asked=asked))
    assert (found.node_urls, found.alias, asked) == (("https://n",), "meet.alice@x.org", [])


async def test_by_link() -> None:
    """A link names node, alias, PIN, name and extension."""
    found = await find_destination("https://n:8443/webapp/conference/meet?pin=s3cret&name=Bob&extension=e")
    assert (found.node_urls, found.alias, found.pin) == (("https://n:8443",), "meet", "s3cret")
    assert (found.display_name, found.extension) == ("Bob", "e")
    assert "s3cret" not in repr(found)


async def test_by_dns() -> None:
    """An alias with a domain is looked up as _pexapp._tcp, nodes in the order of priority, ports kept."""
    asked: list[str] = []
    records = (record(20, 0, "b.x.org"), record(10, 5, "a.x.org", 8443), record(30, 0, "."))
    found = await find_destination("meet@x.org", resolve=resolver(*records, asked=asked))
    assert asked == ["_pexapp._tcp.x.org"]
    assert found.node_urls == ("https://a.x.org:8443", "https://b.x.org")
    assert found.alias == "meet@x.org"


async def test_without_records_the_domain_is_tried() -> None:
    """No SRV record: the domain itself may be a node."""
    found = await find_destination("meet@x.org", resolve=resolver())
    assert found.node_urls == ("https://x.org",)


async def test_nowhere() -> None:
    """Text that leads nowhere is a usage error; an alias alone is nowhere."""
    with pytest.raises(UsageError):
        await find_destination("meet", resolve=resolver())


class _DnsServer(asyncio.DatagramProtocol):
    """Answers every question with one SRV record, or with a code."""

    def __init__(self, code: dns.rcode.Rcode, text: str = "") -> None:
        self.code = code
        self.text = text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.set_rcode(self.code)
        if self.text:
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "SRV", self.text))
        self.transport.sendto(answer.to_wire(), addr)


@pytest.mark.parametrize(
    ("server", "urls"),
    [
        (_DnsServer(dns.rcode.NOERROR, "10 5 8443 a.x.org."), ("https://a.x.org:8443",)),
        (_DnsServer(dns.rcode.NXDOMAIN), ("https://x.org",)),
        (_DnsServer(dns.rcode.SERVFAIL), None),
    ],
    ids=["record", "no record", "failure"],
)
async def test_over_the_wire(server: _DnsServer, urls: tuple[str, ...] | None) -> None:
    """A real resolver asks a real server; a server that fails is a TransportError."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    resolver.lifetime = 5.0
    try:
        if urls is None:
            with pytest.raises(TransportError, match="DNS"):
                await query_dns("_pexapp._tcp.x.org", resolver)
        else:
            found = await find_destination("meet@x.org", resolve=lambda name: query_dns(name, resolver))
            assert found.node_urls == urls
    finally:
        transport.close()


@given(
    st.lists(st.builds(record, st.integers(0, 3), st.integers(0, 5), st.text(min_size=1, max_size=3)), max_size=8),
    st.floats(0, 1, exclude_max=True),
)
def test_order_of_records(records: list[ServiceRecord], throw: float) -> None:
    """Every record once, by priority, whatever the dice."""
    ordered = order_records(records, lambda: throw)
    assert sorted(map(repr, ordered)) == sorted(map(repr, records))
    assert [r.priority for r in ordered] == sorted(r.priority for r in records)


def test_weights_decide_within_a_priority() -> None:
    """Dice choose by weight: the heavier record comes first for most throws."""
    records = [record(1, 1, "light"), record(1, 9, "heavy")]
    firsts = [order_records(records, lambda throw=i / 100: throw)[0].target for i in range(100)]  # type: ignore[misc]
    assert firsts.count("heavy") == 89


@pytest.mark.parametrize(("code", "well"), [(200, True), (503, False), (404, False)])
async def test_is_well(code: int, *, well: bool) -> None:
    """A node is well when its status says so."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/client/v2/status"
        return httpx.Response(code, json={"status": "success", "result": "ok"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        assert await is_well("https://n", http) is well
