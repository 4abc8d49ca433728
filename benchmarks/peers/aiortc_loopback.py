"""Stock aiortc on 127.0.0.1, which aioice leaves out: in a process of its own its module may be changed."""

from __future__ import annotations

import aioice.ice

__all__ = ["use_loopback"]


def use_loopback() -> None:
    """Gather 127.0.0.1 and nothing else."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
