"""A call with Chromium itself, without a client of Pexip: what it decodes, what our feedback tells it, ICE restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from pexrtc_py.media.frames import EncodedFrame, Gap
from pexrtc_py.webrtc.peer import Peer, PeerConfig, PeerState
from pexrtc_py.webrtc.statistics import RtpStatistics
from pexrtc_py.webrtc.transport_statistics import PathStatistics, TransportStatistics
from tests.interop.conftest import need_program
from tests.support.peers import POLICY, find
from tests.support.taps import Collector

PAGE = Path(__file__).with_name("chromium_peer.html")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
]


class Echo(Collector):
    """Sends what a line receives back on the same line, so that the browser gets what it can decode."""

    def __init__(self, peer: Peer, index: int) -> None:
        super().__init__()
        line = peer.lines[index]
        assert line.receiver is not None
        assert line.sender is not None
        self._sender = line.sender
        self._sender.on_key_frame_request = line.receiver.request_key_frame
        line.receiver.add_tap(self)

    def push(self, item: EncodedFrame | Gap) -> None:
        super().push(item)
        self._sender.push(item)


class Browser:
    """The page, and what it told last; `report` is all of its getStats, `ours` what we counted at the same moment."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.echoes: list[Echo] = []
        self.offers: list[str] = []
        self.restart = False
        self.report: list[dict[str, Any]] = []
        self.ours: list[RtpStatistics | PathStatistics] = []
        self._told: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def offer(self, request: web.Request) -> web.Response:
        sdp = (await request.json())["sdp"]
        answer = await self.peer.answer_offer(sdp, POLICY)
        self.offers.append(sdp)
        if not self.echoes:
            self.echoes = [Echo(self.peer, 0), Echo(self.peer, 1)]
        return web.json_response({"sdp": answer})

    async def candidate(self, request: web.Request) -> web.Response:
        await self.peer.add_candidate((await request.json())["candidate"], "0")
        return web.json_response({})

    async def count(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.report, self.ours = said.pop("report"), self.peer.statistics(time.monotonic())
        self._told |= said
        self._changed.set()
        restart, self.restart = self.restart, False
        return web.json_response({"restart": restart})

    async def told(self) -> None:
        """Wait until the page has told anything."""
        self._changed.clear()
        await self._changed.wait()

    async def tells(self, name: str, more_than: float) -> float:
        """Wait until a number of the page is above a limit."""
        while self._told.get(name, 0) <= more_than:
            self._changed.clear()
            await self._changed.wait()
        return self._told[name]


@asynccontextmanager
async def chromium(peer: Peer, profile: Path) -> AsyncIterator[Browser]:
    """Chromium with the page, talking to a peer."""
    program = need_program("chromium", "chromium")
    browser = Browser(peer)
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_post("/offer", browser.offer)
    app.router.add_post("/candidate", browser.candidate)
    app.router.add_post("/count", browser.count)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        process = await asyncio.create_subprocess_exec(
            program, *FLAGS, f"--user-data-dir={profile}", url, stdout=-3, stderr=-3
        )
        try:
            yield browser
        finally:
            process.terminate()
            await process.wait()
    finally:
        await runner.cleanup()


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE)


async def test_chromium_calls_us(tmp_path: Path) -> None:
    """Trickled candidates connect; sound and pictures pass both ways, also after an ICE restart; feedback is read."""
    peer = Peer(PeerConfig(addresses=("127.0.0.1",)))
    async with asyncio.timeout(50), peer, chromium(peer, tmp_path) as browser:
        decoded = await browser.tells("video", 30)
        await browser.tells("audio", 50)
        await browser.tells("moved", 0)  # its estimate of the bitrate, by our transport-wide feedback
        await browser.tells("roundTrip", 0)
        assert "a=ice-options:trickle" in browser.offers[0]
        before = find(peer, TransportStatistics).ice_local_username_fragment
        browser.restart = True
        await browser.tells("video", decoded + 60)
        await peer.connected()
        assert len(browser.offers) == 2
        assert find(peer, TransportStatistics).ice_local_username_fragment != before
        assert peer.state is PeerState.CONNECTED
        assert [len(echo.gaps) for echo in browser.echoes] == [0, 0]
        assert browser.echoes[1].frames[0].width == 320
