"""The life of a session's token: kept by refreshes, lost, and given back."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from pexrtc_py.errors import SessionClosedError
from pexrtc_py.signalling import open_session
from tests.signalling.joining import config

from .small_node import SmallNode, failed, success


async def test_refresh_in_time(node: SmallNode) -> None:
    """A token of one second is refreshed before its end, again and again."""
    node.expires = "1"
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await session.wait_for(lambda s: node.refreshes >= 3)
        assert session.closed is None
    assert node.released == [node.tokens[-1]]


async def test_one_refresh_at_a_time(node: SmallNode) -> None:
    """Hastened from all sides, refreshes never overlap, and the stream survives them."""
    under_way, most = 0, 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        node.refreshes += 1
        return success({"token": node.new_token(), "expires": "120"})

    node.handlers["refresh_token"] = slow
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await node.connected()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(session.refresh_now())
        node.send("refresh_token", None)
        count = node.refreshes
        await session.wait_for(lambda _: node.refreshes > count)
        assert session.listening
    assert most == 1
    assert len(node.asked("events")) == 1


async def test_old_token_in_flight(node: SmallNode) -> None:
    """A request sent with the token before is not lost when the node no longer knows it."""
    async with asyncio.timeout(10), open_session(config(node)) as session:
        held = asyncio.Event()

        async def hold(request: web.Request) -> web.StreamResponse:
            if request.headers["token"] == "secret-token-0":
                await held.wait()
                return failed(403, "Invalid token")
            return success(True)

        node.handlers["lock"] = hold
        async with asyncio.TaskGroup() as group:
            locking = group.create_task(session.client.conference_lock())
            assert await session.refresh_now()
            held.set()
        assert locking.result()


async def test_refused_refresh_closes(node: SmallNode) -> None:
    """A node that no longer knows the token ends the session, with its reason; the block goes on."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        return failed(403, "Invalid token")

    node.handlers["refresh_token"] = refuse
    async with asyncio.timeout(10), open_session(config(node)) as session:
        with pytest.raises(SessionClosedError, match="Invalid token"):
            await session.refresh_now()
        with pytest.raises(SessionClosedError):
            await session.wait_for(lambda s: False)
        with pytest.raises(SessionClosedError):
            await anext(session.events())


async def test_failing_refresh_is_tried_until_the_end(node: SmallNode) -> None:
    """Failures of the node are waited out; when they last longer than the token, the session closes and says so."""
    tries = 0

    async def fail(request: web.Request) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        return failed(500, "boom")

    node.expires = "1"
    node.handlers["refresh_token"] = fail
    async with asyncio.timeout(10), open_session(config(node)) as session:
        closed = await session.wait_closed()
        assert isinstance(closed, SessionClosedError)
        assert "before its end" in closed.reason
    assert tries >= 2


async def test_release_has_its_own_deadline(node: SmallNode) -> None:
    """A node that never answers release_token does not hold the program."""

    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return success(True)

    node.handlers["release_token"] = never
    started = asyncio.get_running_loop().time()
    async with open_session(config(node, release_s=0.2)):
        pass
    assert asyncio.get_running_loop().time() - started < 5
    assert len(node.asked("release_token")) == 1
