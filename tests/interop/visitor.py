"""Who visits the node's web page: a person in Chromium, and endpoints of ours beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Direction, VideoDecoder, clip_path
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.node.server import Node
from pexrtc_py.tasks import task_owner
from tests.interop.browser import Tab
from tests.interop.ours import Eye
from tests.interop.signals import mark_in_png

HOSTILE = "<img src=x onerror=alert(1)> \u202e& Co"
HOSTILE_TEXT = "<script>alert(1)</script> 1 < 2 & so on"
WIDE, NARROW = (1280, 800), (390, 844)
SPEAKING = "[...document.querySelectorAll('#roster [data-speaking=true] .name')].map(name => name.textContent)"


class Visitor(Tab):
    """Somebody at the node's page."""

    def __init__(self, page: Any, node_url: str) -> None:
        super().__init__(page)
        self.page = page
        self._node_url = node_url

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true, and return its value: from outside, for the page's policy bans eval."""
        try:
            async with asyncio.timeout(25):
                while True:
                    if value := await self.evaluate(expression):
                        return value
                    await asyncio.sleep(0.1)
        except TimeoutError:
            said = await self.evaluate("document.querySelector('#door-message')?.textContent")
            pytest.fail(f"never true: {expression}; complaints: {self.complaints}, at the door: {said!r}")

    async def go(self, path: str) -> None:
        """Open a page of the node."""
        await self.page.goto(self._node_url + path)

    async def join(self, alias: str, name: str, button: str = "Join with camera and mic") -> None:
        """Come in by the door."""
        await self.go(f"/webapp/m/{alias}")
        await self.page.get_by_label("Your name").fill(name)
        await self.page.get_by_role("button", name=button).click()

    async def press(self, name: str) -> None:
        """Press a button by the name that assistive technology reads."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def people(self, *names: str) -> None:
        """Wait until exactly these are in the list."""
        shown = "[...document.querySelectorAll('#roster .name')].map(name => name.textContent).sort()"
        wanted = ", ".join(repr(name) for name in sorted(names, key=lambda name: name.encode("utf-16-be")))
        await self.until(f"JSON.stringify({shown}) === JSON.stringify([{wanted}])")

    async def sees_marks(self, video: str, count: int = 3) -> None:
        """Wait until so many different marked pictures were shown."""
        size = await self.until(
            f"(v => v.videoWidth && [v.videoWidth, v.videoHeight])(document.querySelector('{video}'))"
        )
        reader, seen = MarkReader(*size, search_every=1), set[int]()
        draw = f"""(() => {{
            const video = document.querySelector('{video}');
            const canvas = Object.assign(document.createElement('canvas'), {{ width: {size[0]}, height: {size[1]} }});
            canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
            return canvas.toDataURL().split(',')[1];
        }})()"""
        async with asyncio.timeout(25):
            while len(seen) < count:
                number = mark_in_png(reader, await self.evaluate(draw))
                if number is not None:
                    seen.add(number)

    async def hears(self) -> None:
        """Wait until sound comes out of the main picture, as loud as speech."""
        await self.evaluate("""(() => {
            const context = new AudioContext();
            const meter = new AnalyserNode(context, { fftSize: 4096 });
            context.createMediaStreamSource(document.querySelector('#main-video').srcObject).connect(meter);
            window.loudness = () => {
                const samples = new Float32Array(meter.fftSize);
                meter.getFloatTimeDomainData(samples);
                return 10 * Math.log10(samples.reduce((sum, sample) => sum + sample * sample, 1e-12) / samples.length);
            };
        })()""")
        await self.until("window.loudness() > -40")
        assert await self.evaluate(
            "(v => !v.muted && !v.paused && v.volume === 1)(document.querySelector('#main-video'))"
        )

    async def fits(self) -> None:
        """Nothing is wider than the screen, at either width, and there is a picture of it for people."""
        for width, height in (WIDE, NARROW):
            await self.page.set_viewport_size({"width": width, "height": height})
            assert await self.evaluate("document.documentElement.scrollWidth") <= width
            unnamed = """[...document.querySelectorAll('button, input, video, [role=tab]')]
                .filter(e => e.offsetParent && !e.ariaLabel && !e.labels?.length && !e.innerText.trim()).length"""
            assert await self.evaluate(unnamed) == 0
        await self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


Visit = Callable[[], Awaitable[Visitor]]


async def alice_and_bob(visit: Visit) -> tuple[Visitor, Visitor]:
    """Let two persons into one conference: Alice with camera and microphone, Bob who only watches and listens."""
    alice, bob = await visit(), await visit()
    await alice.join("meet.alice", "Alice")
    await bob.join("meet.alice", "Bob", "Watch and listen only")
    return alice, bob


@asynccontextmanager
async def watcher(node: Node, name: str, call_tag: str = pexrtc_py.BOT_TAG) -> AsyncIterator[tuple[Any, Eye]]:
    """One of ours that only looks and reads."""
    async with AsyncExitStack() as stack:
        conference = await stack.enter_async_context(
            pexrtc_py.connect(node.url, "meet.alice", display_name=name, call_tag=call_tag)
        )
        config = CallConfig(audio=Direction.RECVONLY, video=Direction.RECVONLY)
        call = await stack.enter_async_context(conference.call(config))
        await call.connected()
        assert call.video is not None
        assert call.video.receiver is not None
        decoder = await stack.enter_async_context(VideoDecoder(request_key_frame=call.video.receiver.request_key_frame))
        call.video.receiver.add_tap(decoder)
        tasks, eye = await stack.enter_async_context(task_owner()), Eye()
        tasks.start(eye.follow(decoder), name="eye")
        yield conference, eye


@asynccontextmanager
async def announcer(node: Node, name: str) -> AsyncIterator[pexrtc_py.Conference]:
    """One of ours that plays the announcement again and again."""
    announcement = await asyncio.to_thread(pexrtc_py.announcement_of_files, [clip_path("announcement.mkv")], loop=None)
    async with pexrtc_py.connect(node.url, "meet.alice", display_name=name) as conference, task_owner() as tasks:
        tasks.start(pexrtc_py.play(conference, announcement), name="announcer")
        yield conference
