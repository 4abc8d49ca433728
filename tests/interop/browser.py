"""Chromium in interop tests, by playwright, and clients in its tabs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
from aiohttp import web

from tests.interop.signals import mark_in_png, mark_reader, mean_colour, write_devices

__all__ = [
    "BROWSER_HZ",
    "BROWSER_MARKS",
    "Browser",
    "Client",
    "PexipClient",
    "client_pages",
    "open_browser",
    "open_chromium",
]

BROWSER_HZ = 700
BROWSER_MARKS = range(30)
"""What its microphone hears and its camera sees."""

HEARD_DB, SILENT_DB = -45.0, -75.0
"""The analyser takes a full-scale sine for about -8 dB; the tones are -18 dB below it."""

_FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]
_C = TypeVar("_C", bound="Client")
_POLL_MS = 100
_DEADLINE_S = 25.0


class Tab:
    """A page, its expressions and its complaints."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.complaints: list[str] = []
        """What was written to the console as an error, or thrown, but for what `refused` has."""
        self.refused: list[tuple[int, str]] = []
        """Status and last part of the path of each request that was refused."""
        self.answered: Counter[str] = Counter()
        """How often each last part of a path was answered, well or not."""
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", self._note_response)

    def _note_message(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def _note_response(self, response: Any) -> None:
        last = response.url.partition("?")[0].rpartition("/")[2]
        self.answered[last] += 1
        if response.status >= 400:
            self.refused.append((response.status, last))

    async def screenshot(self, path: Path) -> None:
        """Keep what is shown, to be looked at."""
        await self._page.screenshot(path=path, full_page=True)

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript; a promise is waited for."""
        return await self._page.evaluate(expression)

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true, and return its value."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                handle = await self._page.wait_for_function(expression, polling=_POLL_MS, timeout=0)
                return await handle.json_value()
        except TimeoutError:
            pytest.fail(f"in {_DEADLINE_S:g} s not true: {expression}; complaints: {self.complaints}")


class Client(Tab):
    """A client in a tab that shows itself as `endpoint`, with the senses of infinity/senses.js."""

    def __init__(self, page: Any, name: str) -> None:
        super().__init__(page)
        self.name = name
        self._readers = {"main": mark_reader(), "slides": mark_reader()}
        self._passed: dict[str, int] = {}

    async def event(self, name: str, condition: str = "true") -> None:
        """Wait for an event whose `detail` fulfils a condition, after the last of its name that was waited for."""
        passed = self._passed.get(name, 0)
        found = f"({{ name, detail }}, at) => at >= {passed} && name === '{name}' && ({condition})"
        self._passed[name] = await self.until(f"endpoint.log.events.findIndex({found}) + 1")

    async def hears(self, *frequencies: int) -> None:
        """Wait until all these tones are heard."""
        await self.until(f"endpoint.hears({_listed(frequencies)})?.every(level => level > {HEARD_DB})")

    async def hears_no(self, *frequencies: int) -> None:
        """Wait until none of these tones is heard."""
        await self.until(f"endpoint.hears({_listed(frequencies)})?.every(level => level < {SILENT_DB})")

    async def sees(self, numbers: range, video: str = "main", count: int = 5) -> None:
        """Wait until so many different pictures of these numbers were seen."""
        seen: set[int] = set()
        async with asyncio.timeout(_DEADLINE_S):
            while len(seen) < count:
                text = await self.until(f"endpoint.picture('{video}')")
                number = await asyncio.to_thread(mark_in_png, self._readers[video], text)
                if number is not None and number in numbers:
                    seen.add(number)

    async def shows_green(self, video: str) -> None:
        """Wait until what is shown is the green slide of the harness."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                png = await self.until(f"endpoint.picture('{video}')")
                red, green, blue = await asyncio.to_thread(mean_colour, png)
                if green > 130 and red < 60 and blue < 60:
                    return

    async def has_decoded(self, count: int, video: str = "main") -> int:
        """Wait until more pictures than that were decoded; returns how many."""
        decoded: int = await self.until(
            f"endpoint.framesDecoded('{video}') > {count} && endpoint.framesDecoded('{video}')"
        )
        return decoded

    async def errors(self) -> list[object]:
        """Return all that the client, the page or the browser complained of."""
        logged: list[object] = await self.evaluate("endpoint.log.errors")
        return logged + self.complaints


class PexipClient(Client):
    """@pexip/infinity: the harness of infinity/main.js."""

    async def start_joining(self, alias: str, pin: str | None = None) -> None:
        """Begin to join and wait for nothing."""
        how = json.dumps({"alias": alias, "name": self.name, "pin": pin})
        await self.evaluate(f"void endpoint.join({how})")

    async def join(self, alias: str, pin: str | None = None) -> None:
        """Join, with sound and pictures connected."""
        how = json.dumps({"alias": alias, "name": self.name, "pin": pin})
        assert await self.evaluate(f"endpoint.join({how})") == 200
        await self.event("call_connected")

    async def knows(self, name: str) -> None:
        """Wait until somebody is in its list of participants."""
        await self.until(f"endpoint.people.has({json.dumps(name)})")

    async def knows_no(self, name: str) -> None:
        """Wait until somebody is not."""
        await self.until(f"!endpoint.people.has({json.dumps(name)})")


class Browser:
    """Chromium; each tab has a profile of its own."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    async def tab(self, url: str) -> Tab:
        """Open a page."""
        page = await (await self._chromium.new_context()).new_page()
        tab = Tab(page)
        await page.goto(url)
        return tab

    async def pexip_client(self, node_url: str, name: str) -> PexipClient:
        """Open Pexip's client from a node that serves it (`client_pages`)."""
        return await self._client(PexipClient, node_url, name)

    async def old_client(self, node_url: str, name: str) -> Client:
        """Open what asks as clients of old did, likewise."""
        return await self._client(Client, node_url, name)

    async def _client(self, kind: type[_C], node_url: str, name: str) -> _C:
        page = await (await self._chromium.new_context()).new_page()
        client = kind(page, name)
        await page.goto(f"{node_url}/interop/")
        await client.event("ready")
        return client


@asynccontextmanager
async def open_chromium(playwright: ModuleType, program: str, folder: Path, *flags: str) -> AsyncIterator[Any]:
    """Run Debian's Chromium with a microphone and a camera of ours until the block is left."""
    devices = write_devices(folder, BROWSER_HZ, BROWSER_MARKS.start)
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=program, args=[*_FLAGS, *flags, *devices])
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def open_browser(playwright: ModuleType, program: str, folder: Path) -> AsyncIterator[Browser]:
    """Run it for clients that are not ours."""
    async with open_chromium(playwright, program, folder, "--disable-features=WebRtcHideLocalIpsWithMdns") as chromium:
        yield Browser(chromium)


def client_pages(page: str, script: bytes) -> Any:
    """Return what serves a client beside a node's API."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    async def give(_: web.Request) -> web.Response:
        return web.Response(body=script, content_type="text/javascript")

    def add(app: web.Application, _: object) -> None:
        app.router.add_get("/interop/", show)
        app.router.add_get("/interop/main.js", give)

    return add


def _listed(frequencies: tuple[int, ...]) -> str:
    return ", ".join(map(str, frequencies))
