"""Our node in a process of its own: says `{"url": ...}`, ends with its input. Args: a script to serve, or none.

The script is that of `infinity_join.html`, which is served at /bench/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop
from aiohttp import web

from benchmarks._children import read_commands, say
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node

PAGE = Path(__file__).with_name("infinity_join.html")


def add_pages(app: web.Application, _: object) -> None:
    """Serve the page and its script."""
    if len(sys.argv) < 2:
        return
    script = Path(sys.argv[1]).read_bytes()

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=PAGE.read_text(), content_type="text/html")

    async def give(_: web.Request) -> web.Response:
        return web.Response(body=script, content_type="text/javascript")

    app.router.add_get("/bench/", show)
    app.router.add_get("/bench/main.js", give)


async def run() -> None:
    """Serve until the input ends."""
    config = NodeConfig(request_burst=100_000, requests_per_s=10_000)
    async with read_commands() as reader, Node(config, add_pages=add_pages) as node:
        say(url=node.url)
        while await reader.readline():
            pass


if __name__ == "__main__":
    uvloop.run(run())
