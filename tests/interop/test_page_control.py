"""What others and the node do to a person on the web page, and hands that are raised."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import pexrtc_py
from pexrtc_py.node.server import Node
from tests.interop.visitor import Visit


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
