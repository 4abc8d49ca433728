"""The event stream of a session: cut, silent, refused, and full of what nobody can read."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.protocol.events import MessageReceived, OnHold, UnknownEvent
from pexrtc_py.signalling import open_session
from tests.signalling.joining import config

from .small_node import SELF_UUID, SmallNode, failed


async def test_cut_stream_comes_back(node: SmallNode) -> None:
    """After a cut the roster is synced again and has neither missed a departure nor an arrival."""
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await session.wait_for(lambda s: s.roster.synced)
        node.participants = [{"uuid": SELF_UUID}, {"uuid": "bob"}]
        node.cut()
        await session.wait_for(lambda s: "bob" in s.roster.participants)
        node.participants = [{"uuid": SELF_UUID}]
        node.cut()
        await session.wait_for(lambda s: "bob" not in s.roster.participants)


async def test_silence_is_checked_by_a_refresh(node: SmallNode) -> None:
    """A silent stream is left alone while refreshes work; comments are no silence; after five times it is renewed."""
    async with asyncio.timeout(15), open_session(config(node, silence_s=0.5)) as session:
        await session.wait_for(lambda s: s.roster.synced)
        await session.wait_for(lambda _: node.refreshes >= 1)
        assert len(node.asked("events")) == 1
        await session.wait_for(lambda _: len(node.asked("events")) >= 2)
        assert session.closed is None


async def test_silent_stream_of_an_ill_node_is_renewed(node: SmallNode) -> None:
    """When the check fails, the stream is given up at once and comes back."""
    async with asyncio.timeout(15), open_session(config(node, silence_s=0.3)) as session:
        await session.wait_for(lambda s: s.roster.synced)

        async def fail_once(request: web.Request) -> web.StreamResponse:
            del node.handlers["refresh_token"]
            return failed(500, "boom")

        node.handlers["refresh_token"] = fail_once
        await session.wait_for(lambda _: len(node.asked("events")) >= 2)
        assert node.refreshes <= 3


async def test_too_long_an_event(node: SmallNode) -> None:
    """An event without end breaks the stream by name, and the stream comes back; many long ones in a row do not."""
    async with asyncio.timeout(20), open_session(config(node)) as session:
        events = session.events()
        await node.connected()
        for _ in range(3):
            node.send("message_received", {"payload": "x" * 900_000})
        for _ in range(3):
            message = await anext(event async for event in events if isinstance(event, MessageReceived))
            assert len(message.payload) == 900_000
        node.send_bytes(b"data: " + b"x" * 2_000_000)
        await session.wait_for(lambda _: len(node.asked("events")) == 2)


async def test_nonsense_on_the_stream(node: SmallNode) -> None:
    """Events that cannot be read, unknown ones and broken UTF-8 are passed over; what follows is read."""
    async with asyncio.timeout(10), open_session(config(node)) as session:
        events = session.events()
        await node.connected()
        node.send_bytes(b": a comment\n\nevent: participant_create\ndata: {\n\nevent: stage\ndata: \xff\xfe\n\n")
        node.send_bytes(b"event: from_the_future\ndata: [1\n\nid\n\ndata\n\n")
        node.send("on_hold", {"setting": True})
        seen = []
        async for event in events:
            seen.append(event)
            if isinstance(event, OnHold):
                break
        assert any(isinstance(event, UnknownEvent) and event.name == "from_the_future" for event in seen)
        assert session.listening
    assert len(node.asked("events")) == 1


async def test_reader_that_falls_behind(node: SmallNode) -> None:
    """A reader over its bound gets an error; the others and the roster get everything."""
    async with asyncio.timeout(10), open_session(config(node, event_bound=10)) as session:
        lazy, eager = session.events(), session.events()
        await node.connected()
        received = 0
        for index in range(30):
            node.send("message_received", {"payload": str(index)})
            async for event in eager:
                if isinstance(event, MessageReceived):
                    received += 1
                    break
        assert received == 30
        with pytest.raises(LocalProtocolError, match="fell behind"):
            await anext(lazy)


async def test_event_stream_refused(node: SmallNode) -> None:
    """A node that refuses the stream for a while gets asked again; the session lives on."""
    tries = 0

    async def refuse(request: web.Request) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        if tries == 1:
            return failed(503, "busy")
        if tries == 2:
            return web.Response(text="<html>", content_type="text/html")
        return await node.serve_events(request)

    node.handlers["events"] = refuse
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await session.wait_for(lambda s: s.roster.synced)
        assert tries == 3
