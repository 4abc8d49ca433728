"""Finding conferencing nodes: by URL, by join link, by an alias and DNS; and asking whether a node is well.

DNS: `_pexapp._tcp.<domain>` names the nodes, as for Pexip's apps (docs.pexip.com, "Setting up DNS records and firewalls
for Connect app connectivity"); without such records the domain itself is tried. The resolver is handed in as a
function, so that tests need no DNS.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import dns.asyncresolver
import dns.exception
import dns.resolver
import httpx
from dns.rdtypes.IN.SRV import SRV

from ..errors import TransportError, UsageError
from ..protocol.joinlink import parse_join_link
from .failures import printable, translated

__all__ = ["Destination", "ServiceRecord", "find_destination", "is_well", "order_records", "query_dns"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """An SRV record: RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


Resolver = Callable[[str], Awaitable[Sequence[ServiceRecord]]]
"""Looks up SRV records of a name; none is an empty answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A conference, and the nodes it can be reached at."""

    node_urls: tuple[str, ...]
    """Best first; at least one."""
    alias: str
    pin: str | None = field(default=None, repr=False)
    """PIN of the join link."""
    display_name: str | None = None
    """Name of the join link."""
    extension: str | None = None
    """Where the join link wants to go from a Virtual Reception."""


async def query_dns(name: str, resolver: dns.asyncresolver.Resolver | None = None) -> Sequence[ServiceRecord]:
    """Look up SRV records. Cancelling is safe.

    Args:
        name: what to look up.
        resolver: whom to ask; the system's resolvers when not given.

    Raises:
        TransportError: no resolver answered.
    """
    try:
        answer = await (resolver or dns.asyncresolver.Resolver()).resolve(name, "SRV")
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ()
    except (dns.exception.DNSException, OSError) as exc:
        raise TransportError(f"DNS: no answer about {printable(name)} ({type(exc).__name__})") from exc
    return [
        ServiceRecord(
            priority=record.priority,
            weight=record.weight,
            port=record.port,
            target=record.target.to_text(omit_final_dot=True),
        )
        for record in answer
        if isinstance(record, SRV)
    ]


def order_records(records: Sequence[ServiceRecord], dice: Callable[[], float]) -> list[ServiceRecord]:
    """Order SRV records: lower priority first, within one by weighted dice (RFC 2782, Usage rules)."""
    ordered: list[ServiceRecord] = []
    # Weight 0 stands first in its priority, so that it has a small chance only.
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        mark = dice() * sum(record.weight for record in group)
        chosen, running = group[0], 0
        for chosen in group:
            running += chosen.weight
            if running >= mark:
                break
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


async def find_destination(
    text: str,
    *,
    node_url: str | None = None,
    resolve: Resolver = query_dns,
    dice: Callable[[], float] = random.random,
) -> Destination:
    """Find the nodes of what a user has in hand. Cancelling is safe.

    Args:
        text: a join link, an alias with its domain, or with `node_url` any alias.
        node_url: the node, when it is known: DNS is not asked then.
        resolve: looks up SRV records.
        dice: orders nodes of the same priority.

    Raises:
        UsageError: `text` leads nowhere.
        TransportError: no resolver answered.
    """
    if node_url is not None and "://" not in text:
        return Destination(node_urls=(node_url,), alias=text)
    link = parse_join_link(text)
    if node_url is None:
        node_url = link.node_url
    if node_url is not None:
        urls: tuple[str, ...] = (node_url,)
    elif link.domain is not None:
        records = [r for r in await resolve(f"_pexapp._tcp.{link.domain}") if r.target and r.target != "."]
        urls = tuple(_url(record) for record in order_records(records, dice)) or (f"https://{link.domain}",)
        logger.debug("= nodes of %s: %s", printable(link.domain), ", ".join(urls))
    else:
        raise UsageError(f"no node known for {printable(link.alias)!r}")
    return Destination(
        node_urls=urls, alias=link.alias, pin=link.pin, display_name=link.display_name, extension=link.extension
    )


def _url(record: ServiceRecord) -> str:
    return f"https://{record.target}" + (f":{record.port}" if record.port != 443 else "")


async def is_well(node_url: str, http: httpx.AsyncClient) -> bool:
    """Ask a node whether it takes calls: 200, or 503 in maintenance. Cancelling is safe.

    Raises:
        TransportError: no answer.
    """
    url = httpx.URL(node_url).copy_with(path="/api/client/v2/status")
    with translated("status", url.netloc.decode("ascii")):
        async with http.stream("GET", url) as response:  # whatever it says beside, and however long, is not read
            return response.status_code == 200
