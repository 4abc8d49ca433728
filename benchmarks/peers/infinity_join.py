"""Pexip's own client in Chromium, headless: one tab that joins as often as it is told. Args: the node, the alias.

Says `{"ready": true}`; each line of the input is a join, answered by `{"marks": {...}}` in milliseconds since the call.
"""

from __future__ import annotations

import asyncio
import importlib
import shutil
import sys
from typing import Any

from benchmarks._children import read_commands, say

FLAGS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]


async def run(url: str, alias: str) -> None:
    """Join until the input ends."""
    program = shutil.which("chromium")
    if program is None:
        say(missing="Chromium is missing: make peers installs Debian's package chromium")
        return
    try:
        playwright: Any = importlib.import_module("playwright.async_api")
    except ImportError:
        say(missing="playwright is missing: make peers installs it (locks/peers.txt)")
        return
    async with read_commands() as reader, playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=FLAGS)
        page = await browser.new_page()
        await page.goto(f"{url}/bench/")
        say(ready=True)
        while await reader.readline():
            say(marks=await page.evaluate("([alias, name]) => join(alias, name)", [alias, "Infinity"]))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2]))
