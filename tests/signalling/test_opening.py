"""Joining: refused, cancelled, by a virtual reception, and by the next node."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from pexrtc_py.errors import (
    ConferenceNotFound,
    ExtensionRequired,
    NodeError,
    PinInvalid,
    PinRequired,
    RemoteProtocolError,
    TransportError,
)
from pexrtc_py.signalling import open_session
from tests.signalling.joining import config, join_and_leave

from .small_node import SmallNode, failed, run_small_node, success


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
