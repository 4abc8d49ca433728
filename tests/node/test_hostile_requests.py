"""What a broken or hostile client sends is refused as JSON, never a 500, and never harms the others."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

import httpx
import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.media_port import CallAnswer, CallOffer
from pexrtc_py.protocol.operations import OPERATIONS
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMedia, SilentMediaMaker

BODIES = {
    "no object": b"[]",
    "null": b"null",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "deep": b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "lone surrogate": rb'{"display_name":"\ud800","payload":"\ud800","text":"\ud800","digits":"\ud800"}',
    "wrong types": b'{"role":1,"digits":[],"transforms":"x","sdp":7,"call_type":null,"movement":{},"setting":"yes"}',
    "huge number": b'{"aspect_ratio":1e999,"level":123456789012345678901234567890,"bandwidth":-1e300}',
    "strange words": b'{"role":"emperor","call_type":"carrier pigeon","destination":"","protocol":"","present":"past"}',
    "no SDP": b'{"call_type":"WEBRTC","sdp":""}',
    "unknown fields": b'{"nobody":{"knows":["what","this","is"]}}',
}
POSTED = sorted(n for n, o in OPERATIONS.items() if o.supported and o.verb == "POST" and "disconnect" not in n)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_any_body_is_answered(body: bytes) -> None:
    """Whatever comes to whatever operation, the answer is JSON, no error of ours, and the client is still served."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, httpx.AsyncClient() as http:
        await alice.join("Alice")
        for name in POSTED:
            if name == "release_token":
                continue
            path = OPERATIONS[name].fill(participant=alice.uuid, call="c", path="p")
            response = await http.post(alice.base + path, content=body, headers={"token": alice.token})
            assert response.status_code < 500, (name, response.text)
            assert response.json()["status"] in ("success", "failed"), name
        assert len(await alice.get("participants")) >= 1


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "line\nbreak\r\n\r\nevent: disconnect",
        "\x00\x1b[2J",
        "../../etc/passwd",
        "\u2028",
        "x" * 9999,
    ],
    ids=["markup", "newlines", "control", "path", "separator", "endless"],
)
async def test_any_name_comes_through_as_text(name: str) -> None:
    """A name stays what it is, up to its limit, and breaks neither events nor lists."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        async with alice.synced() as events:
            await bob.join(name, call_tag=name)
            created = (await events.until("participant_create")).data
            assert created["display_name"] == created["call_tag"] == name[:250]
            await bob.post("message", {"payload": name, "type": name})
            message = (await events.until("message_received")).data
            assert (message["payload"], message["type"]) == (name, name)


@pytest.mark.parametrize(
    "alias", ["meet%2Falice", "meet%20alice", "m%C3%A9%E2%82%AC", "a%25b", "meet.alice%40example.com"]
)
async def test_aliases_are_quoted(alias: str) -> None:
    """An alias with anything in it is one alias."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url, alias) as alice:
        await alice.join("Alice")
        assert [p["local_alias"] for p in await alice.get("participants")] == [str(httpx.URL("//x/" + alias).path)[1:]]


@pytest.mark.parametrize("alias", ["a%0Ab", "%00", "x" * 251, "%20%1b"])
async def test_aliases_nobody_means(alias: str) -> None:
    """An alias that cannot be seen or is endless does not come to life."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url, alias) as alice:
        assert await alice.refused("request_token", {}) == (404, "Neither conference nor gateway found")


async def test_a_token_belongs_to_its_conference() -> None:
    """A token of one conference opens no other."""
    async with (
        Node(media=SilentMediaMaker()) as node,
        RawClient(node.url) as alice,
        RawClient(node.url, "meet.bob") as bob,
    ):
        await alice.join("Alice")
        await bob.join("Bob")
        bob.token = alice.token
        assert await bob.refused("participants", verb="GET") == (403, "Invalid token")


async def test_events_are_one_line_each() -> None:
    """What is said in a chat can never look like an event of its own."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        async with bob.synced() as events:
            payload = '\n\nid: 1\nevent: disconnect\ndata: {"reason": "forged"}\n\n'
            await alice.post("message", {"payload": payload})
            await alice.post("lock")
            await events.until("conference_update")
            assert "disconnect" not in [event.name for event in events.seen]
            assert json.dumps(payload) in json.dumps([event.data for event in events.seen])


class SlowMedia(SilentMedia):
    """Answers a call when it is let."""

    async def add_call(self, offer: CallOffer) -> CallAnswer:
        await asyncio.sleep(0.2)
        return await super().add_call(offer)


async def test_calls_asked_for_at_once_are_counted() -> None:
    """The limit looked at calls that were answered, so a burst of requests made any number of them."""
    async with Node(media=SlowMedia) as node, RawClient(node.url) as alice:
        await alice.join()
        body = {"call_type": "WEBRTC", "sdp": "v=0\r\nm=audio 9 X 0\r\n", "present": "receive"}
        answers = await asyncio.gather(*(alice.request("POST", alice.mine("calls"), body) for _ in range(12)))
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [403] * 8


async def test_pins_are_not_guessed_by_transfers() -> None:
    """A Host of one conference could try every PIN of another by transferring itself there."""
    conferences = {"board": RoomSettings(pin="4711")}
    async with (
        Node(NodeConfig(conferences=conferences, pin_tries=3), media=SilentMediaMaker()) as node,
        RawClient(node.url) as alice,
    ):
        await alice.join()
        path = alice.mine("transfer")
        tries = [{"conference_alias": "board", "role": "chair", "pin": pin} for pin in ("1", "2", "3", "4711")]
        reasons = [(await alice.refused(path, body))[1] for body in tries]
        assert reasons == ["Invalid PIN"] * 3 + ["Participant exceeded PIN entry retries"]


async def test_long_texts_are_refused() -> None:
    """What everybody is told of is short: two long ones cut everybody's event stream."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        await alice.join()
        long = {"text": "x" * 1001}
        assert await alice.refused(alice.mine("overlaytext"), long) == (413, "Text too long")
        assert await alice.refused("set_message_text", long) == (413, "Text too long")
        dial = {"role": "GUEST", "destination": "x" * 1001, "protocol": "sip"}
        assert await alice.refused("dial", dial) == (413, "Text too long")
        message = {"type": "x" * 300_000, "payload": ""}
        assert await alice.refused("message", message) == (413, HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase)
