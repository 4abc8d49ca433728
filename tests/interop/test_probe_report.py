"""The HTML report in a real browser: plots are drawn, nothing complains, nothing hostile runs, and it fits a phone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pexrtc_py.probe.report import html_overview, html_report
from pexrtc_py.probe.result import ProbeResult
from tests.interop.conftest import need_program
from tests.support.probe_runs import HOSTILE, doctor, run


class Page:
    """One tab, by the Chrome DevTools Protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self.complaints: list[str] = []
        """What the page wrote to the console, threw or was refused."""

    async def call(self, method: str, **params: object) -> dict[str, object]:
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        message = await self._until("id", self._last)
        assert "error" not in message, message
        result: dict[str, object] = message["result"]
        return result

    async def _until(self, key: str, value: object) -> dict[str, Any]:
        """Read messages until one has this value."""
        async with asyncio.timeout(20):
            while True:
                message: dict[str, Any] = await self._socket.receive_json()
                if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                    self.complaints.append(json.dumps(message["params"])[:300])
                if message.get(key) == value:
                    return message

    async def evaluate(self, expression: str) -> object:
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        value = result["result"]
        assert isinstance(value, dict)
        return value.get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        found = await self.evaluate(
            "new Promise((done) => { const look = () => "
            f"({condition}) ? done(true) : requestAnimationFrame(look); "
            "look(); setTimeout(() => done(false), 10000); })"
        )
        assert found is True, condition

    async def show(self, path: Path, width: int, *, dark: bool = False) -> None:
        """Load a file at a width; returns when the plots are drawn."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        await self.call("Emulation.setEmulatedMedia", features=scheme)
        await self.call("Page.navigate", url=path.as_uri())
        await self._until("method", "Page.loadEventFired")

    async def picture(self, path: Path) -> None:
        """Save all of the page as PNG."""
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(str(shot["data"])))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """Run a headless Chromium with one tab."""
    chromium = await asyncio.create_subprocess_exec(
        need_program("chromium", "chromium"),
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", "about:blank"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert chromium.stderr is not None
        async with asyncio.timeout(20):
            while not (line := (await chromium.stderr.readline()).decode()).startswith("DevTools listening on "):
                assert line, "chromium ended"
        origin = line.split("//")[1].split("/")[0]
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://{origin}/json/list") as response:
                tab = next(target for target in await response.json() if target["type"] == "page")
            async with http.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
    finally:
        chromium.terminate()
        await chromium.wait()


FITS = "document.documentElement.scrollWidth === document.documentElement.clientWidth"
RUNS = {
    "failed": [run(bad=True)],
    "compared": [run(), run(bad=True)],
    "doctor": [doctor()],
    "hostile": [run(stream=HOSTILE, bad=True)],
}


@pytest.mark.parametrize("name", RUNS)
async def test_report_is_drawn_without_complaint_and_fits(name: str, tmp_path: Path) -> None:
    """At 1280 and 390 pixels, light and dark: every plot is drawn, no console message, no sideways scrolling."""
    path = tmp_path / f"{name}.html"
    runs: list[ProbeResult] = RUNS[name]
    path.write_text(html_report(runs), encoding="utf-8")
    async with browser(tmp_path) as page:
        for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
            await page.show(path, width, dark=dark)
            drawn = "document.querySelectorAll('.plots .plot .scatterlayer').length"
            wanted = await page.evaluate("JSON.parse(document.getElementById('data').textContent).plots.length")
            assert await page.evaluate(drawn) == await page.evaluate("document.querySelectorAll('#plots .plot').length")
            await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            await page.until(f"{drawn} === {wanted}")
            assert await page.evaluate(FITS) is True
            plots = await page.evaluate(
                "Math.max(0, ...[...document.querySelectorAll('.main-svg')].map(s => s.clientWidth))"
            )
            assert isinstance(plots, int)
            assert plots < width
            assert await page.evaluate("document.querySelector('script[src], link[href^=http]') === null")
            await page.picture(tmp_path / f"{name}-{width}-{'dark' if dark else 'light'}.png")
        assert page.complaints == []


async def test_a_zoom_in_one_plot_is_a_zoom_in_all(tmp_path: Path) -> None:
    """All plots share one time axis; a double click shows all of it again."""
    path = tmp_path / "zoom.html"
    path.write_text(html_report([run(bad=True)]), encoding="utf-8")
    ranges = "[...document.querySelectorAll('#plots .plot')].map((box) => box._fullLayout.xaxis.range)"
    async with browser(tmp_path) as page:
        await page.show(path, 1280)
        await page.evaluate(
            "Plotly.relayout(document.querySelector('#plots .plot'), {'xaxis.range': [20, 40]}).then(() => true)"
        )
        await page.until(f"{ranges}.every((shown) => shown[0] === 20 && shown[1] === 40)")
        await page.evaluate(
            "Plotly.relayout(document.querySelector('#plots .plot'), {'xaxis.autorange': true}).then(() => true)"
        )
        await page.until(f"{ranges}.every((shown) => shown[0] < 5 && shown[1] > 55)")
        assert page.complaints == []


async def test_overview_of_many_fits_and_leads_on(tmp_path: Path) -> None:
    """A row for each conference with its reasons and a link; hostile names are text; nothing is complained of."""
    path = tmp_path / "over.html"
    runs = [(run(), "a.html"), (run(stream=HOSTILE, bad=True), "b c.html"), (doctor(), "d.html")]
    path.write_text(html_overview(runs), encoding="utf-8")
    async with browser(tmp_path) as page:
        for width in (1280, 390):
            await page.show(path, width, dark=width == 390)
            assert await page.evaluate(FITS) is True
            assert await page.evaluate("document.querySelectorAll('tbody tr:not(.why)').length") == 3
            assert await page.evaluate("document.querySelector('.word').textContent") == "2 of 3 failed"
            assert await page.evaluate("[...document.links].map((a) => a.getAttribute('href')).join()") == (
                "a.html,b%20c.html,d.html"
            )
            await page.picture(tmp_path / f"over-{width}.png")
        assert page.complaints == []
