"""Which local addresses media may use, from where the node is."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

__all__ = ["media_addresses"]


def media_addresses(node_url: str) -> tuple[str, ...]:
    """Return the addresses that media of a call to this node needs; none given means all of this host.

    A node on loopback is reached on loopback alone: aioice leaves loopback out of what it gathers by itself, and a
    call within one machine has no business on its network.

    >>> media_addresses("http://127.0.0.1:8080"), media_addresses("https://node.example.com")
    (('127.0.0.1',), ())
    """
    host = urlsplit(node_url).hostname or ""
    if host == "localhost":
        return ("127.0.0.1",)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ()
    return (str(address),) if address.is_loopback else ()
