"""The node's web page in Chromium, beside endpoints of ours: doors, people, sound, pictures, words and figures."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py.node.pages import RECORDER_TAG
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.events import MessageReceived
from tests.interop.browser import BROWSER_MARKS
from tests.interop.visitor import HOSTILE, HOSTILE_TEXT, NARROW, SPEAKING, Visit, alice_and_bob, announcer, watcher


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
                message = await anext(event async for event in events if isinstance(event, MessageReceived))
                assert (message.origin, message.payload) == ("Bob Jones", HOSTILE_TEXT)
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
async def test_by_keyboard_alone(node: Node, visit: Visit) -> None:
    """From the list to a message and out again without a mouse, in a window where lists are behind tabs."""
    async with asyncio.timeout(100):
        person = await visit()
        await person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        keyboard = person.page.keyboard

        async def tab_to(condition: str, key: str = "Tab") -> None:
            for _ in range(25):
                if await person.evaluate(f"(e => {condition})(document.activeElement)"):
                    return
                await keyboard.press(key)
            pytest.fail(f"no {key} leads to {condition}")

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
        await tab_to("e.id === 'leave'", "Shift+Tab")
        await keyboard.press("Enter")
        await person.until("document.activeElement.id === 'name'")
        await person.until("!document.querySelector('#door').hidden")


@pytest.mark.timeout(120)
async def test_keypad_and_figures(digits: list[str], visit: Visit) -> None:
    """Digits reach the node in order, pressed or typed; figures of every stream are shown, and both go by Escape."""
    async with asyncio.timeout(100):
        alice, bob = await alice_and_bob(visit)
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
