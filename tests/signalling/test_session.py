from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pexrtc_py.errors import SessionClosedError
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.signalling import SessionConfig, open_session

from .small_node import SELF_UUID, SmallNode, run_small_node


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    async with run_small_node() as node:
        yield node


def config(node: SmallNode, **changes: object) -> SessionConfig:
    values: dict[str, object] = {"node_url": node.url, "alias": "meet alice/é", "display_name": "Recorder"}
    return SessionConfig(**(values | changes))  # type: ignore[arg-type]  # a test's keywords


async def test_join_and_leave(node: SmallNode) -> None:
    """A session has token, roster and client, and gives its token back."""
    async with asyncio.timeout(10), open_session(config(node, call_tag="bot")) as session:
        await session.wait_for(lambda s: s.roster.synced)
        assert session.participant_uuid == SELF_UUID
        assert session.participant is not None
        assert await session.client.participant_mute(session.participant_uuid)
    assert node.released == node.tokens
    (asked,) = node.asked("request_token")
    assert asked[2]["pin"] == "none"
    assert b'"call_tag":"bot"' in asked[3]
    assert all("?" not in path for _, path, _, _ in node.requests)


async def test_events_reach_every_subscriber(node: SmallNode) -> None:
    """Each subscriber sees all events from its subscription on."""
    async with asyncio.timeout(10), open_session(config(node)) as session:
        first, second = session.events(), session.events()
        await node.connected()
        node.send("message_received", {"origin": "Bob", "payload": "hi", "type": "text/plain", "uuid": "b"})
        for reader in (first, second):
            message = await anext(event async for event in reader if isinstance(event, MessageReceived))
            assert message.payload == "hi"


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


async def test_disconnect_by_node(node: SmallNode) -> None:
    """The node's reason is kept, iterators raise, the block is not cancelled, the token still goes back."""
    async with asyncio.timeout(10), open_session(config(node)) as session:
        events = session.events()
        await node.connected()
        node.send("disconnect", {"reason": "Disconnected by another participant"})
        closed = await session.wait_closed()
        assert isinstance(closed, SessionClosedError)
        assert closed.reason == "Disconnected by another participant"
        with pytest.raises(SessionClosedError):
            async for _ in events:
                pass
    assert len(node.released) == 1


async def test_error_in_block_is_not_grouped(node: SmallNode) -> None:
    """What the block raises comes out as it is, and the token goes back."""
    with pytest.raises(ZeroDivisionError):
        async with open_session(config(node)):
            raise ZeroDivisionError
    assert len(node.released) == 1


async def test_cancelled_block_releases(node: SmallNode) -> None:
    """Cancelling the program gives the token back."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), open_session(config(node)):
            await asyncio.Event().wait()
    assert len(node.released) == 1


async def test_refresh_in_time(node: SmallNode) -> None:
    """A token of one second is refreshed before its end, again and again."""
    node.expires = "1"
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await session.wait_for(lambda s: node.refreshes >= 3)
        assert session.closed is None
    assert node.released == [node.tokens[-1]]
