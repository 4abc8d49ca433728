"""Servers let go of whoever asks for nothing, take no body for ever, and unpack none."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from pexrtc_py.service.http_serving import make_runner, reading


async def echo(request: web.Request) -> web.Response:
    """Say what came."""
    async with reading(request):
        return web.Response(body=await request.read())


@pytest.mark.parametrize(
    ("sent", "begins", "ends"),
    [
        (b"", b"", b""),
        (b"GET / HT", b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 ", b"\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b"HTTP/1.1 408 ", b"Timeout"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 21\r\n\r\n" + gzip.compress(b"a"),
            b"HTTP/1.1 200 ",
            gzip.compress(b"a"),
        ),
    ],
    ids=["nothing", "a word", "idle after a request", "half a body", "packed"],
)
async def test_patience_has_an_end(sent: bytes, begins: bytes, ends: bytes) -> None:
    """Each connection is closed by the server, after its answer if it asked for anything."""
    app = web.Application()
    app.router.add_route("*", "/", echo)
    runner = make_runner(app, shutdown_s=1.0, idle_s=0.2, body_s=0.2, lingering_time=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(sent)
        async with asyncio.timeout(5):
            answered = await reader.read()
        writer.close()
    finally:
        await runner.cleanup()
    assert answered.startswith(begins)
    assert answered.endswith(ends)
