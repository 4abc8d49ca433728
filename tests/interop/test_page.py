"""The node's web page in Chromium, beside endpoints of ours: seen, heard, read, and used with mouse and keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import pexrtc_py
from pexrtc_py import CallConfig, Direction, Present, VideoDecoder, clip_path
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.pages import RECORDER_TAG
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from pexrtc_py.tasks import task_owner
from tests.interop.browser import BROWSER_HZ, BROWSER_MARKS, Tab
from tests.interop.conftest import need, need_program
from tests.interop.ours import Eye
from tests.interop.signals import mark_in_png, write_devices

HOSTILE = "<img src=x onerror=alert(1)> \u202e& Co"
HOSTILE_TEXT = "<script>alert(1)</script> 1 < 2 & so on"
WIDE, NARROW = (1280, 800), (390, 844)
FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--auto-select-desktop-capture-source=Entire",
]
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


@pytest.fixture
def digits() -> list[str]:
    """DTMF digits that the node was sent."""
    return []


@pytest_asyncio.fixture
async def node(digits: list[str]) -> AsyncIterator[Node]:
    """A node with a few conferences, open for others."""
    conferences = {
        "meet.alice": RoomSettings(name="Alice's weekly"),
        "meet.pin": RoomSettings(pin="1234"),
        "reception": RoomSettings(service_type=ServiceKind.VIRTUAL_RECEPTION),
        "test.call": RoomSettings(service_type=ServiceKind.TEST_CALL, test_call_s=9),
    }
    # Tokens are renewed every three seconds.
    config = NodeConfig(conferences=conferences, open=True, token_lifetime_s=9)
    async with Node(config, on_digits=lambda alias, participant, sent: digits.extend(sent)) as node:
        yield node


Visit = Callable[[], Awaitable[Visitor]]


@pytest_asyncio.fixture
async def visit(node: Node, tmp_path: Path) -> AsyncIterator[Visit]:
    """Opens tabs of Chromium, each with a profile of its own; whatever a page complains of fails the test."""
    need_program("chromium", "chromium")
    playwright = need("playwright.async_api", "playwright")
    devices = write_devices(tmp_path, BROWSER_HZ, BROWSER_MARKS.start)
    visitors: list[Visitor] = []
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *devices])

        async def open_tab() -> Visitor:
            context = await chromium.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
            visitors.append(Visitor(await context.new_page(), node.url))
            return visitors[-1]

        try:
            yield open_tab
            # Chromium writes every violation of the policy to the console, as an error.
            assert [visitor.complaints for visitor in visitors] == [[]] * len(visitors)
        finally:
            await chromium.close()


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


@pytest.mark.timeout(120)
async def test_a_person_among_bots(node: Node, visit: Visit) -> None:
    """A person finds the conference, is seen, sees and hears who speaks, reads and writes, and knows who records."""
    async with asyncio.timeout(100):
        person = await visit()
        async with watcher(node, "Minutes", RECORDER_TAG) as (minutes, eye):
            await person.go("/")
            link = person.page.get_by_role("link", name="Alice's weekly")
            await link.wait_for()
            assert "Recorded" in await link.inner_text()
            await person.fits()
            await link.click()
            await person.page.get_by_label("Your name").fill("Bob Jones")
            await person.fits()
            await person.press("Join with camera and mic")
            await person.people("Bob Jones", "Minutes")
            await eye.sees(BROWSER_MARKS)
            assert await person.evaluate("document.querySelector('#recording').textContent") == "Recorded by Minutes"
            await person.press("Microphone")  # a tone is a voice too; from now on only the announcement is heard
            await minutes.session.wait_for(lambda s: any(p.is_client_muted for p in s.roster.participants.values()))

            async with announcer(node, HOSTILE) as ours:
                await person.people("Bob Jones", "Minutes", HOSTILE)
                await person.until(f"{SPEAKING}.includes({HOSTILE!r})")
                await person.until(f"document.querySelector('#speaker').textContent === {HOSTILE!r}")
                await person.sees_marks("#main-video")
                await person.hears()
                await person.until("[...document.querySelectorAll('#roster .tag.bot')].length === 2")
                await ours.say(HOSTILE_TEXT)
                await person.until(f"document.querySelector('#log .body')?.textContent === {HOSTILE_TEXT!r}")
                assert (
                    await person.evaluate("document.querySelectorAll('#log img, #log script, #roster img').length") == 0
                )
                events = minutes.events()
                await person.page.get_by_label("Message to everybody").fill(HOSTILE_TEXT)
                await person.page.keyboard.press("Enter")
                async for event in events:
                    if isinstance(event, MessageReceived):
                        assert (event.origin, event.payload) == ("Bob Jones", HOSTILE_TEXT)
                        break
                await person.until("document.querySelectorAll('#log .own').length === 1")
                await person.fits()
            await person.people("Bob Jones", "Minutes")
            await person.press("Leave")
            await minutes.session.wait_for(lambda s: len(s.roster.participants) == 1)
        assert person.refused == []


@pytest.mark.timeout(120)
async def test_doors(node: Node, visit: Visit) -> None:
    """A PIN is asked for and tried again, Guests come in without; a reception asks where to; a name must be given."""
    async with asyncio.timeout(100):
        person = await visit()
        message = person.page.locator("#door-message")
        await person.join("meet.pin", "  ", "Watch and listen only")
        assert "Say the name" in await message.inner_text()
        async with pexrtc_py.connect(node.url, "meet.pin", display_name="Host", pin="1234") as host:
            await person.join("meet.pin", "Bob", "Watch and listen only")
            pin = person.page.get_by_label("PIN")
            await pin.wait_for()
            assert await message.inner_text() == "This conference has a PIN."
            await pin.fill("999")
            await person.page.keyboard.press("Tab")
            await person.press("Watch and listen only")
            await person.until("document.querySelector('#door-message').textContent.includes('not a PIN')")
            await pin.fill("")
            await person.press("Watch and listen only")
            await person.until("document.querySelector('#main-note').textContent.startsWith('You are in the waiting')")
            await host.client.start_conference()
            await person.people("Bob", "Host")
            assert await person.evaluate("document.querySelector('#mic').hidden")
            await person.press("Hand")
            await person.until("document.querySelector('#hand').ariaPressed === 'true'")
            await person.press("Leave")
        await person.join("reception", "Bob", "Watch and listen only")
        await person.page.get_by_label("Conference to go to").fill("meet.alice")
        await person.press("Watch and listen only")
        await person.people("Bob")
        assert {what for _, what in person.refused} == {"request_token"}


@pytest.mark.timeout(120)
async def test_presentations_both_ways(node: Node, visit: Visit) -> None:
    """One person sees the slides of another, who loses the floor to a bot and sees what it presents."""
    async with asyncio.timeout(100):
        alice, bob = await visit(), await visit()
        await alice.join("meet.alice", "Alice")
        await bob.join("meet.alice", "Bob", "Watch and listen only")
        await alice.people("Alice", "Bob")
        await alice.press("Share")
        await bob.until("!document.querySelector('#slides-figure').hidden")
        await bob.until("document.querySelector('#presenter').textContent === 'Alice'")
        await bob.until("document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames > 3")
        slides = await asyncio.to_thread(pexrtc_py.presentation_of, clip_path("motion.mkv"))
        async with pexrtc_py.connect(node.url, "meet.alice", display_name="Slides") as bot, task_owner() as tasks:
            tasks.start(pexrtc_py.play(bot, slides), name="slides")
            for person in (alice, bob):
                await person.until("document.querySelector('#presenter').textContent === 'Slides'")
                await person.sees_marks("#slides-video")
                await person.fits()
            assert await alice.evaluate("document.querySelector('#share').ariaPressed") == "false"
        for person in (alice, bob):
            await person.until("document.querySelector('#slides-figure').hidden")


@pytest.mark.timeout(120)
async def test_sharing_begins_and_ends(node: Node, visit: Visit) -> None:
    """What a person shares is seen by another and by a bot until the button is pressed again, and again afterwards."""
    async with asyncio.timeout(100), watcher(node, "Watch") as (ours, _):
        alice, bob = await visit(), await visit()
        await alice.join("meet.alice", "Alice")
        await bob.join("meet.alice", "Bob", "Watch and listen only")
        await alice.people("Alice", "Bob", "Watch")
        for _ in range(2):
            await alice.press("Share")
            await alice.until("document.querySelector('#share').ariaPressed === 'true'")
            await ours.session.wait_for(lambda s: s.roster.presentation is not None)
            assert ours.presentation.presenter_name == "Alice"
            await bob.until("!document.querySelector('#slides-figure').hidden")
            assert await bob.evaluate("document.querySelector('#presenter').textContent") == "Alice"
            await bob.until("document.querySelector('#roster').textContent.includes('Presents')")
            slides = CallConfig(audio=Direction.INACTIVE, video=Direction.RECVONLY, present=Present.RECEIVE)
            async with ours.call(slides) as call:
                assert call.video is not None
                assert call.video.receiver is not None
                ask = call.video.receiver.request_key_frame
                async with VideoDecoder(request_key_frame=ask) as decoder:
                    call.video.receiver.add_tap(decoder)
                    async for picture in decoder.pictures():
                        assert picture.frame.width >= 320
                        break
            shown = await bob.evaluate(
                "document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames"
            )
            await bob.until(
                f"document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames > {shown} + 3"
            )
            await alice.press("Share")
            await bob.until("document.querySelector('#slides-figure').hidden")
            await ours.session.wait_for(lambda s: s.roster.presentation is None)
            assert await alice.evaluate("document.querySelector('#share').ariaPressed") == "false"
            await bob.until("!document.querySelector('#roster').textContent.includes('Presents')")


@pytest.mark.timeout(120)
async def test_hands(node: Node, visit: Visit) -> None:
    """A Host sees a Guest's hand and lowers it, by the page and by the API; a Guest sees a hand and lowers its own."""
    async with asyncio.timeout(100), pexrtc_py.connect(node.url, "meet.pin", display_name="Ours", pin="1234") as ours:
        alice, bob = await visit(), await visit()
        await alice.join("meet.pin", "Alice", "Watch and listen only")
        await alice.page.get_by_label("PIN").fill("1234")
        await alice.press("Watch and listen only")
        await bob.join("meet.pin", "Bob", "Watch and listen only")
        await bob.page.get_by_label("PIN").wait_for()
        await bob.press("Watch and listen only")
        for person in (alice, bob):
            await person.people("Alice", "Bob", "Ours")
        who = {p.display_name: p.uuid for p in ours.participants.values()}

        async def raised(*names: str) -> None:
            def is_so(session: Any) -> bool:
                up = {p.display_name for p in session.roster.participants.values() if (p.buzz_time or 0) > 0}
                return up == set(names)

            await ours.session.wait_for(is_so)
            hands = "[...document.querySelectorAll('#roster .tag')].filter(tag => tag.textContent === 'Hand up').length"
            for person in (alice, bob):
                await person.until(f"{hands} === {len(names)}")
                own = "Alice" if person is alice else "Bob"
                is_up = str(own in names).lower()
                await person.until(f"document.querySelector('#hand').ariaPressed === '{is_up}'")

        await bob.press("Hand")
        await raised("Bob")
        await alice.fits()
        await alice.press("Hand up: lower it for Bob")
        await raised()
        await bob.press("Hand")
        await raised("Bob")
        await ours.client.participant_clearbuzz(who["Bob"])
        await raised()
        await alice.press("Hand")
        await raised("Alice")
        assert await bob.page.get_by_role("button", name="lower it").count() == 0, "a Guest lowers nobody's"
        assert await alice.page.get_by_role("button", name="lower it").count() == 0, "one's own button is below"
        await alice.press("Hand")
        await raised()
        assert {what for _, what in (*alice.refused, *bob.refused)} == {"request_token"}, "for the PIN"


@pytest.mark.timeout(120)
async def test_what_a_node_does_to_one(node: Node, visit: Visit) -> None:
    """A cut stream comes back with everybody; a mute is shown; a transfer is followed; a disconnect says why."""
    async with asyncio.timeout(100):
        person = await visit()
        async with pexrtc_py.connect(node.url, "meet.alice", display_name="Host") as host:
            await person.join("meet.alice", "Bob")
            await person.people("Bob", "Host")
            bob = next(p.uuid for p in host.participants.values() if p.display_name == "Bob")
            node.state.conferences["meet.alice"].sessions[bob].mailbox.cut()
            await host.say("after the cut")
            async with pexrtc_py.connect(node.url, "meet.alice", display_name="Late"):
                await person.people("Bob", "Host", "Late")
            await host.client.participant_mute(bob)
            await person.until("document.querySelector('#mic').ariaLabel === 'Muted by a Host'")
            await person.press("Muted by a Host")
            await person.until("document.querySelector('#mic').ariaLabel === 'Microphone'")
            await host.client.ask_by_name(
                "participant_transfer", participant=bob, conference_alias="meet.other", role="chair"
            )
            async with pexrtc_py.connect(node.url, "meet.other", display_name="There") as there:
                await person.people("Bob", "There")
                await person.until("document.title === 'meet.other'")
                await person.until("document.querySelector('#connection').textContent === ''")
                bob = next(p.uuid for p in there.participants.values() if p.display_name == "Bob")
                await there.client.participant_disconnect(bob)
                await person.until(
                    "document.querySelector('#door-message').textContent === 'API initiated participant disconnect'"
                )


@pytest.mark.timeout(120)
async def test_by_keyboard_alone(node: Node, visit: Visit) -> None:
    """From the list to a message and out again without a mouse, in a window where lists are behind tabs."""
    async with asyncio.timeout(100):
        person = await visit()
        await person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        keyboard = person.page.keyboard

        async def tab_to(condition: str) -> None:
            for _ in range(25):
                if await person.evaluate(f"(e => {condition})(document.activeElement)"):
                    return
                await keyboard.press("Tab")
            pytest.fail(f"no Tab leads to {condition}")

        await person.go("/")
        await person.until("document.querySelector('#rooms a')")
        await tab_to("e.href?.endsWith('/webapp/m/meet.alice')")
        await keyboard.press("Enter")
        await person.page.wait_for_url("**/webapp/m/meet.alice")
        await person.until("document.activeElement.id === 'name'")
        await keyboard.type("Kay Board")
        await tab_to("e.value === 'ears'")
        await keyboard.press("Enter")
        await person.people("Kay Board")
        await tab_to("e.id === 'people-tab'")
        assert not await person.page.locator("#chat").is_visible()
        await keyboard.press("ArrowRight")
        assert await person.evaluate("document.activeElement.id === 'chat-tab'")
        await tab_to("e.id === 'text'")
        await keyboard.type("without a mouse")
        await keyboard.press("Enter")
        await person.until("document.querySelector('#log .own .body')?.textContent === 'without a mouse'")
        for _ in range(12):
            await keyboard.press("Shift+Tab")
            if await person.evaluate("document.activeElement.id === 'leave'"):
                break
        await keyboard.press("Enter")
        await person.until("document.activeElement.id === 'name'")
        await person.until("!document.querySelector('#door').hidden")


@pytest.mark.timeout(120)
async def test_keypad_and_figures(digits: list[str], visit: Visit) -> None:
    """Digits reach the node in order, pressed or typed; figures of every stream are shown, and both go by Escape."""
    async with asyncio.timeout(100):
        alice, bob = await visit(), await visit()
        await alice.join("meet.alice", "Alice")
        await bob.join("meet.alice", "Bob", "Watch and listen only")
        await bob.sees_marks("#main-video")
        await bob.press("Keypad")
        for key in ("1", "star", "hash"):
            await bob.press(key)
        await bob.page.keyboard.type("0458")
        await bob.until("document.querySelector('#digits').textContent === '1*#0458'")
        assert digits == list("1*#0458")
        await bob.fits()
        await bob.page.keyboard.press("Escape")
        assert not await bob.page.locator("#keypad").is_visible()
        assert await bob.evaluate("document.activeElement.innerText.trim() === 'Keypad'")
        for person, count in ((alice, 3), (bob, 2)):
            await person.press("Figures")
            rows = "[...document.querySelectorAll('#streams tr')].map(r => [...r.cells].map(c => c.textContent))"
            await person.until(f"{rows}.length === {count} && {rows}.every(row => Number(row[1]) > 0)")
            shown = {row[0]: row[1:] for row in await person.evaluate(rows)}
            assert "opus" in {values[4].lower() for values in shown.values()}
            picture = next(values for name, values in shown.items() if name.startswith("Picture"))
            assert " × " in picture[3]
            assert await person.evaluate("document.querySelector('#path').textContent.startsWith('direct, UDP')")
            await person.fits()
            await person.page.keyboard.press("Escape")


@pytest.mark.timeout(120)
async def test_a_test_call(node: Node, visit: Visit) -> None:
    """One sees and hears oneself until the call has finished, and is told so; the token was renewed meanwhile."""
    async with asyncio.timeout(100):
        person = await visit()
        renewals: list[str] = []
        person.page.on("request", lambda r: renewals.append(r.url) if r.url.endswith("/refresh_token") else None)
        await person.join("test.call", "Echo")
        await person.sees_marks("#main-video")
        await person.until("document.querySelector('#main-video').dataset.shows === 'true'")
        await person.hears()
        await person.until("document.querySelector('#door-message').textContent === 'Test call finished'")
        assert len(renewals) >= 2
        assert {what for _, what in person.refused} <= {"release_token"}  # it says goodbye to who has put it out
