"""A session against a real server on loopback: joining, living, and every way out."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest
from aiohttp import web

from pexrtc_py.errors import PexrtcError, SessionClosedError, UsageError
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.models import ParticipantRole, TransferRequest
from pexrtc_py.signalling import SessionConfig, open_session
from tests.signalling.joining import config

from .small_node import SELF_UUID, SmallNode, failed


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


async def test_waiting_room(node: SmallNode) -> None:
    """Being let in from the waiting room can be awaited, with a deadline of the caller."""
    node.participants = [{"uuid": SELF_UUID, "service_type": "waiting_room"}]
    async with asyncio.timeout(10), open_session(config(node)) as session:
        await session.wait_for(lambda s: s.roster.synced)
        assert session.place.value == "waiting_room"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.wait_in_conference()
        node.send("participant_update", {"uuid": SELF_UUID, "service_type": "conference"})
        await session.wait_in_conference()
        assert session.place.value == "conference"


async def test_pin_that_cannot_be_sent() -> None:
    """A PIN that would break out of its header is refused before anything is sent, and not shown."""
    with pytest.raises(UsageError) as caught:
        SessionConfig(node_url="https://node", alias="a", pin="12\r\nx: y")
    assert "12" not in str(caught.value)
    assert "s3cret" not in repr(
        SessionConfig(node_url="https://node", alias="a", pin="s3cret", one_time_token="s3cret")
    )


async def test_no_secret_in_any_log(node: SmallNode, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, neither token nor PIN nor one-time token is in a record, an error or a traceback."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)  # which pytest takes back: a level left behind slows all tests after it
    secrets = ["s3cret-pin", "s3cret-one-time", "secret-token-"]

    async def echo(request: web.Request) -> web.StreamResponse:
        return failed(403, f"no: {request.headers['token']}")

    node.handlers["lock"] = echo
    told: list[str] = []
    async with asyncio.timeout(10):
        values = config(node, pin="s3cret-pin", one_time_token="s3cret-one-time")
        async with open_session(values) as session:
            await session.wait_for(lambda s: s.roster.synced)
            await session.refresh_now()
            await session.client.participant_transfer(
                session.participant_uuid,
                TransferRequest(conference_alias="b", role=ParticipantRole.GUEST, pin="s3cret-pin"),
            )
            try:
                await session.client.conference_lock()
            except PexrtcError:
                told.append(traceback.format_exc())
            told.append(repr(session.config) + repr(session.token_result))
            node.send("refer", {"alias": "b", "token": "s3cret-one-time"})
            await session.wait_closed()
    assert node.asked("request_token")[0][2]["pin"] == "s3cret-pin"
    records = [record.getMessage() + repr(record.args) for record in caplog.records]
    assert any(record.name.startswith("httpcore") for record in caplog.records), "every logger is heard"
    for secret in secrets:
        assert not [text for text in records + told if secret in text]


async def test_storm(node: SmallNode) -> None:
    """With the stream cut again and again and refreshes all the time, the roster ends as the conference is."""
    node.expires = "1"
    async with asyncio.timeout(40), open_session(config(node)) as session:
        kept: dict[str, object] = {}
        for turn in range(20):
            await node.connected()
            mine: dict[str, object] = {"uuid": SELF_UUID}
            others: list[dict[str, object]] = [{"uuid": f"p{n}", "display_name": str(turn)} for n in range(turn % 5)]
            node.participants = [mine, *others]
            if turn % 2:
                node.send("participant_update", mine | {"display_name": str(turn)})
            node.cut()
            names = {str(p["uuid"]) for p in node.participants}
            await session.wait_for(lambda s, names=names: s.roster.synced and set(s.roster.participants) == names)  # type: ignore[misc]
            kept[str(turn)] = len(names)
        assert len(kept) == 20
        assert session.closed is None
        assert len(node.asked("events")) >= 15
    assert node.released == [node.tokens[-1]]
