"""A session against a real server on loopback: joining, living, and every way out."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from pexrtc_py.errors import (
    ConferenceNotFound,
    ExtensionRequired,
    LocalProtocolError,
    NodeError,
    PexrtcError,
    PinInvalid,
    PinRequired,
    RemoteProtocolError,
    SessionClosedError,
    SessionClosedOK,
    TransportError,
    UsageError,
)
from pexrtc_py.protocol.events import MessageReceived, OnHold, UnknownEvent
from pexrtc_py.protocol.models import ParticipantRole, TransferRequest
from pexrtc_py.signalling import Session, SessionConfig, follow_transfers, open_session

from .small_node import SELF_UUID, SmallNode, failed, run_small_node, success


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    async with run_small_node() as node:
        yield node


def config(node: SmallNode, **changes: object) -> SessionConfig:
    values: dict[str, object] = {"node_url": node.url, "alias": "meet alice/é", "display_name": "Recorder"}
    return SessionConfig(**(values | changes))  # type: ignore[arg-type]  # a test's keywords


async def join_and_leave(values: SessionConfig) -> None:
    async with open_session(values):
        pass


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


async def test_cancelled_while_joining_releases(node: SmallNode) -> None:
    """Cancelled while the answer to request_token is on its way, the token is given back all the same."""
    asked = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(0.2)
        return success(node.token_result())

    async def join() -> None:
        async with open_session(config(node)):
            raise AssertionError("cancelled before")

    node.handlers["request_token"] = slow
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        joining = group.create_task(join())
        await asked.wait()
        joining.cancel()
    assert joining.cancelled()
    assert node.released == node.tokens


async def test_token_without_a_lifetime_is_given_back(node: SmallNode) -> None:
    """A token that ends at no sensible time cannot be kept: it goes straight back, and the node is blamed."""
    node.expires = "soon"
    with pytest.raises(RemoteProtocolError, match="expires"):
        await join_and_leave(config(node))
    assert node.released == node.tokens


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


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(403, {"pin": "required", "guest_pin": "required"}, "success"), PinRequired),
        (failed(403, "Invalid PIN"), PinInvalid),
        (failed(404, "Neither conference nor gateway found"), ConferenceNotFound),
        (web.Response(text="<html>", content_type="text/html"), NodeError),
    ],
    ids=["pin", "wrong pin", "no such alias", "html"],
)
async def test_refused_to_join(node: SmallNode, answer: web.Response, error: type[Exception]) -> None:
    """A refusal comes out of `open_session` as it is, and leaves nothing to give back."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        return answer

    node.handlers["request_token"] = refuse
    with pytest.raises(error):
        await join_and_leave(config(node))
    assert not node.asked("release_token")


async def test_nobody_there() -> None:
    """A refused connection is a TransportError that names the address."""
    async with run_small_node() as gone:
        pass
    with pytest.raises(TransportError, match=r"no connection to 127\.0\.0\.1"):
        await join_and_leave(config(gone))


async def test_virtual_reception_is_followed(node: SmallNode) -> None:
    """Asked for an extension, the session repeats with the one given, PIN included; without one it says so."""

    async def reception(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if "conference_extension" not in body:
            prompt = {"conference_extension": "required", "conference_extension_type": "standard"}
            return failed(403, prompt, "success")
        assert request.headers["pin"] == "1234"
        return success(node.token_result())

    node.handlers["request_token"] = reception
    async with asyncio.timeout(10), open_session(config(node, conference_extension="meet.bob", pin="1234")):
        pass
    assert b'"conference_extension":"meet.bob"' in node.asked("request_token")[-1][3]
    with pytest.raises(ExtensionRequired):
        await join_and_leave(config(node, pin="1234"))


async def test_transfer_is_followed(node: SmallNode) -> None:
    """`refer` closes the session well and leaves the configuration of the next, with the one-time token in its body."""
    async with asyncio.timeout(10):
        async with open_session(config(node, pin="1234")) as session:
            events = session.events()
            await node.connected()
            node.send("refer", {"alias": "meet.bob", "token": "one-time"})
            names = [type(event).__name__ async for event in events]
            assert names[-1] == "Refer"
            assert isinstance(session.closed, SessionClosedOK)
        assert session.transfer is not None
        assert session.transfer.alias == "meet.bob"
        async with open_session(session.transfer) as session:
            await session.wait_for(lambda s: s.roster.synced)
    assert b'"token":"one-time"' in node.asked("request_token")[-1][3]
    assert len(node.released) == 2


async def test_work_follows_transfers(node: SmallNode) -> None:
    """`follow_transfers` works in each conference in turn, and ends when the last is left."""
    visited: list[str] = []

    async def work(session: Session) -> None:
        visited.append(session.client.alias)
        if len(visited) < 3:
            await node.connected()
            node.send("refer", {"alias": f"meet.{len(visited)}", "token": "one-time"})
            await session.wait_closed()

    async with asyncio.timeout(10):
        await follow_transfers(config(node, alias="meet.0"), work)
    assert visited == ["meet.0", "meet.1", "meet.2"]
    assert len(node.released) == 3


async def test_transfers_in_circles(node: SmallNode) -> None:
    """A node that transfers without end is left: after twenty transfers, from the conference the last one led to."""

    async def work(session: Session) -> None:
        await node.connected()
        node.send("refer", {"alias": "meet.again", "token": "one-time"})
        await session.wait_closed()

    with pytest.raises(TransportError, match="transfers in a row"):
        async with asyncio.timeout(30):
            await follow_transfers(config(node), work)
    assert len(node.released) == 21


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


async def test_fail_over(node: SmallNode) -> None:
    """A node that cannot be reached, or says it takes no calls, is passed over for the next."""
    async with run_small_node() as gone:
        pass
    async with run_small_node() as ill:

        async def maintenance(request: web.Request) -> web.StreamResponse:
            return failed(503, "maintenance")

        ill.handlers["status"] = maintenance
        async with asyncio.timeout(20):
            async with open_session(config(gone, fallback_urls=(ill.url, node.url))) as session:
                assert session.client.node_url == node.url
            with pytest.raises(NodeError, match="takes no calls"):
                await join_and_leave(config(gone, fallback_urls=(ill.url,)))
        assert not ill.asked("request_token")


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
