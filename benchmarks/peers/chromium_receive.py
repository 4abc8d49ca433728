"""Chromium recording one call with MediaRecorder, headless. Args: how many calls (1), the folder."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

from aiohttp import web

from benchmarks._children import read_commands, say

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
]


async def run(folder: Path) -> None:
    """Record until told to stop."""
    chromium = shutil.which("chromium")
    if chromium is None:
        say(missing="Chromium is missing: install Debian's package chromium")
        return
    done = asyncio.Event()
    async with read_commands() as reader:

        async def page(_: web.Request) -> web.Response:
            return web.Response(
                text=Path(__file__).with_suffix(".html").read_text(), content_type="text/html", charset="utf-8"
            )

        async def offer(request: web.Request) -> web.Response:
            say(call=0, offer=await request.text())
            return web.json_response(json.loads(await reader.readline()))

        async def ready(_: web.Request) -> web.Response:
            say(ready=True, pid=browser.pid)
            await reader.readline()
            return web.json_response({})

        async def file(request: web.Request) -> web.Response:
            (folder / "0.webm").write_bytes(await request.read())
            done.set()
            return web.json_response({})

        app = web.Application(client_max_size=1 << 30)
        app.add_routes(
            [web.get("/", page), web.post("/offer", offer), web.post("/ready", ready), web.post("/file", file)]
        )
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        quiet = asyncio.subprocess.DEVNULL
        browser = await asyncio.create_subprocess_exec(
            chromium,
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"http://127.0.0.1:{port}/",
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
        )
        await done.wait()
        browser.terminate()
        await browser.wait()
        await runner.cleanup()
    say(done=True)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[2])))
