"""Pexip's own client, @pexip/infinity 20.0.0 in Chromium, cannot tell our node from a real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

import pexrtc_py
from pexrtc_py import Participant
from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.fault_injection import Whom
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.models import ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings
from tests.interop.browser import BROWSER_HZ, BROWSER_MARKS, Browser, PexipClient, client_pages
from tests.interop.conftest import Bundle
from tests.interop.ours import Ours, our_endpoint, our_presentation
from tests.support.waiting import until

ALIAS, PIN = "meet.alice", "1234"
OUR_HZ = 1000
OUR_MARKS = range(1_000_000, 1_010_000)
SLIDES_MARKS = range(2_000_000, 2_010_000)
GONE = [(403, "release_token")]
"""What a client that was removed still asks for."""


class World:
    """A node that serves Pexip's client, and the digits that were sent to it."""

    def __init__(self, bundle: Bundle, **config: Any) -> None:
        self.digits: list[tuple[str, str]] = []
        self._dialled = asyncio.Event()
        self.node = Node(
            NodeConfig(conferences={ALIAS: RoomSettings(pin=PIN)}, open=False, faults=True, **config),
            add_pages=client_pages(bundle.page, bundle.script),
            on_digits=self._note,
        )

    def _note(self, alias: str, participant: ParticipantUuid, digits: str) -> None:
        name = self.node.state.conferences[alias].room.participants[participant].display_name
        self.digits.append((name, digits))
        self._dialled.set()

    async def digits_of(self, name: str, digits: str) -> None:
        """Wait until somebody has sent exactly these digits."""
        while "".join(d for n, d in self.digits if n == name) != digits:
            self._dialled.clear()
            await self._dialled.wait()

    def cut_events(self) -> int:
        """Break all event streams off."""
        assert self.node.faults is not None
        return self.node.faults.cut_events(Whom(alias=ALIAS))

    async def streams_are_open(self) -> None:
        """Wait until every participant listens again."""
        sessions = self.node.state.conferences[ALIAS].sessions
        await until(lambda: all(session.mailbox.is_open for session in sessions.values()))


@pytest_asyncio.fixture
async def world(infinity: Bundle) -> AsyncIterator[World]:
    """A node."""
    world = World(infinity)
    async with world.node:
        yield world


@asynccontextmanager
async def alice_and_ours(world: World, browser: Browser) -> AsyncIterator[tuple[PexipClient, Ours]]:
    """Let Pexip's client and an endpoint of ours into one conference; in the end the client may complain of nothing."""
    alice = await browser.pexip_client(world.node.url, "Alice")
    async with (
        asyncio.timeout(50),
        our_endpoint(world.node.url, ALIAS, pin=PIN, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
    ):
        await alice.join(ALIAS, PIN)
        yield alice, ours
    assert await alice.errors() == []
    assert alice.refused == []


async def test_tokens_and_statistics(infinity: Bundle, browser: Browser) -> None:
    """It refreshes its token again and again, and tells its statistics, while the call and the events go on."""
    world = World(infinity, token_lifetime_s=12.0, statistics_interval_ms=1411.068)
    async with (
        asyncio.timeout(50),
        world.node,
        our_endpoint(world.node.url, ALIAS, pin=PIN, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
    ):
        alice = await browser.pexip_client(world.node.url, "Alice")
        await alice.join(ALIAS, PIN)
        for _ in range(2):
            await alice.event("refreshed")
        await ours.conference.say("your token is new")
        await alice.event("message", "detail.message === 'your token is new'")
        await both_hear_and_see(alice, ours)
        assert alice.answered["statistics"] >= 2
        assert await alice.errors() == []
        assert alice.refused == []


async def said(ours: Ours, text: str) -> MessageReceived:
    """Wait for a chat message."""
    async for event in ours.conference.events():
        if isinstance(event, MessageReceived) and event.payload == text:
            return event
    raise AssertionError("the conference is over")


async def test_pin(world: World, browser: Browser) -> None:
    """Without a PIN it is asked for one; a wrong one is said to be wrong; the right one opens."""
    alice = await browser.pexip_client(world.node.url, "Alice")
    await alice.start_joining(ALIAS)
    await alice.event("pin_required", "detail.hasHostPin")
    await alice.start_joining(ALIAS, "99")
    await alice.event("error", "detail.errorCode === '#pex101'")
    await alice.join(ALIAS, PIN)
    assert await alice.errors() == []
    assert alice.refused == [(403, "request_token")] * 2


async def test_a_browser_and_one_of_ours(world: World, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Sound and pictures are known on both sides; chat, digits, muting and a raised hand get through; it leaves."""
    caplog.set_level("INFO", "pexrtc_py.node")
    async with alice_and_ours(world, browser) as (alice, ours):
        await ours.roster_has("Alice", "Ours")
        await both_hear_and_see(alice, ours)

        async with asyncio.TaskGroup() as group:
            message = group.create_task(said(ours, "hello from a browser"))
            await alice.evaluate("endpoint.client.sendMessage({ payload: 'hello from a browser' })")
        assert message.result().origin == "Alice"
        await ours.conference.say("hello from Python")
        await alice.event("message", "detail.message === 'hello from Python' && detail.displayName === 'Ours'")

        await alice.evaluate("endpoint.client.sendDTMF({ digits: '12#' })")
        await ours.call.send_digits("34*")
        await world.digits_of("Alice", "12#")
        await world.digits_of("Ours", "34*")

        await alice.evaluate("endpoint.client.mute({ mute: true })")
        await alice.event("muted", "detail === true")
        await ours.ear.hears_no(BROWSER_HZ)
        await alice.evaluate("endpoint.client.mute({ mute: false })")
        await ours.ear.hears(BROWSER_HZ)

        await alice.evaluate("endpoint.client.raiseHand({ raise: true })")
        await ours.conference.session.wait_for(lambda s: alice_of(ours).buzz_time > 0)
        await alice.event("me", "detail.raised")
        await alice.evaluate("endpoint.client.raiseHand({ raise: false })")
        await ours.conference.session.wait_for(lambda s: alice_of(ours).buzz_time == 0)
        await ours.conference.client.participant_buzz(ours.conference.participant_uuid)
        await alice.event("raise_hand", "detail.name === 'Ours' && detail.raised")

        await alice.evaluate("endpoint.client.disconnect({ reason: 'User initiated disconnect' })")
        await ours.roster_has("Ours")
    assert "User initiated disconnect" in caplog.text


async def test_presentations_both_ways(world: World, browser: Browser) -> None:
    """A browser's slides reach us and ours reach it; whoever presents last has the floor, and the loser is told."""
    async with alice_and_ours(world, browser) as (alice, ours):
        await alice.evaluate("endpoint.present()")
        await ours.conference.session.wait_for(lambda s: ours.conference.presentation is not None)
        assert ours.conference.presentation is not None
        assert ours.conference.presentation.presenter_name == "Alice"
        await ours.watch_presentation()
        await ours.slides.until(lambda: ours.slides.decoded > 10 and ours.slides.is_green)
        assert ours.slides.size[0] * 9 == ours.slides.size[1] * 16  # 1280x720, or less where the machine is slow
        async with our_presentation(ours, first_id=SLIDES_MARKS.start):
            await alice.sees(SLIDES_MARKS, "slides")
            await alice.event("presentation", "detail.send === 'disconnected'")
            await alice.hears(OUR_HZ)
        before = ours.slides.decoded
        await alice.event("presentation", "detail.recv === 'disconnected'")
        await alice.evaluate("endpoint.stopPresenting()")  # its timer of pictures; it presents no longer
        await alice.evaluate("endpoint.present()")
        await ours.slides.until(lambda: ours.slides.decoded > before + 10 and ours.slides.is_green)
        await alice.evaluate("endpoint.stopPresenting()")
        await ours.conference.session.wait_for(lambda s: ours.conference.presentation is None)
        await both_hear_and_see(alice, ours)


async def test_the_event_stream_is_cut(world: World, browser: Browser) -> None:
    """The client opens it again by itself, is told what happened meanwhile, and its call goes on."""
    async with alice_and_ours(world, browser) as (alice, ours):
        for number in range(3):
            name = f"Newcomer {number}"
            assert world.cut_events() == 2
            async with pexrtc_py.connect(world.node.url, ALIAS, display_name=name, pin=PIN):
                await alice.knows(name)
                await ours.roster_has("Alice", "Ours", name)
            assert world.cut_events() == 2
            await alice.knows_no(name)
            await ours.roster_has("Alice", "Ours")
            await world.streams_are_open()
            await ours.conference.say(f"hello {number}")
            await alice.event("message", f"detail.message === 'hello {number}'")
        assert await alice.evaluate("endpoint.log.events.filter(({ name }) => name === 'call_connected').length") == 1
        await both_hear_and_see(alice, ours)


async def test_the_other_side_ends_it(world: World, browser: Browser) -> None:
    """Whoever is removed is told the reason, the browser by us and we by the browser."""
    alice, ben = [await browser.pexip_client(world.node.url, name) for name in ("Alice", "Ben")]
    async with (
        asyncio.timeout(50),
        our_endpoint(world.node.url, ALIAS, pin=PIN, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
    ):
        await alice.join(ALIAS, PIN)
        await ben.join(ALIAS, PIN)
        await ours.roster_has("Alice", "Ben", "Ours")
        await ours.conference.client.participant_disconnect(alice_of(ours).uuid)
        await alice.event("disconnected", "detail.error === 'API initiated participant disconnect'")
        await ours.roster_has("Ben", "Ours")
        me = json.dumps(ours.conference.participant_uuid)
        async with asyncio.TaskGroup() as group:
            closed = group.create_task(ours.conference.ended())
            await ben.evaluate(f"endpoint.client.kick({{ participantUuid: {me} }})")
        assert closed.result().reason == "API initiated participant disconnect"
        assert await ours.call.ended() == "API initiated participant disconnect"
        await ben.knows_no("Ours")
    for client, refused in ((alice, GONE), (ben, [])):
        assert await client.errors() == []
        assert client.refused == refused


@pytest.mark.timeout(120)
async def test_two_browsers_and_one_of_ours(world: World, browser: Browser) -> None:
    """Each hears both others; a spotlight shows us to both; slides, chat, cut streams and leaving among three."""
    alice, ben = [await browser.pexip_client(world.node.url, name) for name in ("Alice", "Ben")]
    async with (
        asyncio.timeout(110),
        our_endpoint(world.node.url, ALIAS, pin=PIN, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
    ):
        await alice.join(ALIAS, PIN)
        await ben.start_joining(ALIAS, "99")
        await ben.event("error", "detail.errorCode === '#pex101'")
        await ben.join(ALIAS, PIN)
        await ours.roster_has("Alice", "Ben", "Ours")
        await ours.conference.client.participant_spotlighton(ours.conference.participant_uuid)
        for client in (alice, ben):
            await client.hears(BROWSER_HZ, OUR_HZ)
            await client.sees(OUR_MARKS)
        await ours.ear.hears(BROWSER_HZ)
        await ours.ear.hears_no(OUR_HZ)
        await ours.eye.sees(BROWSER_MARKS)

        await alice.evaluate("endpoint.client.sendMessage({ payload: 'to all' })")
        await ben.event("message", "detail.message === 'to all' && detail.displayName === 'Alice'")
        await ben.evaluate("endpoint.client.sendDTMF({ digits: '9' })")
        await world.digits_of("Ben", "9")
        await ben.evaluate("endpoint.client.raiseHand({ raise: true })")
        await alice.event("raise_hand", "detail.name === 'Ben' && detail.raised")

        await alice.evaluate("endpoint.present()")
        await ben.shows_green("slides")
        await ours.watch_presentation()
        await ours.slides.until(lambda: ours.slides.decoded > 5 and ours.slides.is_green)
        async with our_presentation(ours, first_id=SLIDES_MARKS.start):
            for client in (alice, ben):
                await client.sees(SLIDES_MARKS, "slides")

        assert world.cut_events() == 3
        await world.streams_are_open()
        await ours.conference.say("still here")
        for client in (alice, ben):
            await client.event("message", "detail.message === 'still here'")

        await alice.evaluate("endpoint.client.mute({ mute: true })")
        await ben.evaluate("endpoint.client.mute({ mute: true })")
        await ours.ear.hears_no(BROWSER_HZ)
        await ben.evaluate("endpoint.client.disconnect({ reason: 'User initiated disconnect' })")
        await alice.knows_no("Ben")
        await ours.roster_has("Alice", "Ours")
        await ours.conference.client.conference_disconnect()
        await alice.event("disconnected", "detail.error === 'API initiated conference termination'")
    for client, refused in ((alice, GONE), (ben, [(403, "request_token")])):
        assert await client.errors() == []
        assert client.refused == refused


async def both_hear_and_see(alice: PexipClient, ours: Ours) -> None:
    """Wait until each hears the other's tone and not its own, and sees the other's pictures, one after the other."""
    await alice.hears(OUR_HZ)
    await alice.hears_no(BROWSER_HZ)
    await alice.sees(OUR_MARKS)
    await alice.has_decoded(30)
    await ours.ear.hears(BROWSER_HZ)
    await ours.ear.hears_no(OUR_HZ)
    await ours.eye.sees(BROWSER_MARKS)
    await ours.eye.until(lambda: ours.eye.decoded > 30)
    assert ours.eye.size[0] * 9 == ours.eye.size[1] * 16


def alice_of(ours: Ours) -> Participant:
    """Return Alice as our roster has her."""
    return next(p for p in ours.conference.participants.values() if p.display_name == "Alice")
