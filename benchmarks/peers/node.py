"""Our node in a process of its own: says `{"url": ...}`, ends with its input."""

from __future__ import annotations

import uvloop

from benchmarks._children import read_commands, say
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node


async def run() -> None:
    """Serve until the input ends."""
    async with read_commands() as reader, Node(NodeConfig(request_burst=100_000, requests_per_s=10_000)) as node:
        say(url=node.url)
        while await reader.readline():
            pass


if __name__ == "__main__":
    uvloop.run(run())
