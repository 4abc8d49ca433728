"""The node over HTTP, media left out: what clients send and what they are told, byte for byte as real nodes say it."""

from __future__ import annotations

import asyncio
import base64
import logging
from http import HTTPStatus

import httpx
import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 X 0\r\nm=video 9 X 0\r\n"


async def test_join_and_first_events() -> None:
    """A stream begins as real nodes begin it, every event with id and data line, oneself in the list."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        result = await alice.join("Alice", call_tag="pexrtc")
        assert result["expires"] == "120"
        assert result["role"] == "HOST"
        assert result["current_service_type"] == "conference"
        assert result["call_tag"] == "pexrtc"
        assert result["version"] == {"version_id": "37", "pseudo_version": "37.0.0"}
        assert "stun" not in result
        assert "pex_datachannel_id" not in result
        async with alice.events() as events:
            names = [(await events.next()).name for _ in range(6)]
            assert names == [
                "participant_sync_begin",
                "participant_create",
                "participant_sync_end",
                "conference_update",
                "layout",
                "stage",
            ]
            begin, create, *_ = events.seen
            assert begin.data is None
            assert base64.b64decode(begin.id) == b"1_1"
            assert create.data["uuid"] == alice.uuid
            assert create.data["call_tag"] == "pexrtc"
            assert isinstance(create.data["start_time"], float)


async def test_a_call_from_offer_to_disconnect() -> None:
    """The results of call functions have the types that validators of real clients want."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice:
        await alice.join()
        async with alice.synced() as events:
            result = await alice.post(alice.mine("calls"), {"call_type": "WEBRTC", "sdp": OFFER})
            assert sorted(result) == ["call_uuid", "sdp"]
            call = alice.mine(f"calls/{result['call_uuid']}/")
            update = await events.until("participant_update")
            assert (update.data["has_media"], update.data["is_video_call"]) == (True, "YES")
            assert (await events.until("stage")).data == [{"participant_uuid": alice.uuid, "stage_index": 0, "vad": 0}]
            assert await alice.post(call + "new_candidate", {"candidate": "candidate:1", "mid": "0"}) is None
            assert await alice.post(call + "ack", {}) is True
            assert await alice.post(call + "ack") is True
            again = await alice.post(call + "update", {"sdp": OFFER, "fecc_supported": False})
            assert again["call_uuid"] == result["call_uuid"]
            assert await alice.post(call + "statistics", {"audio": {"rx_bitrate": 31}}) is None
            assert await alice.post(call + "dtmf", {"digits": "12#"}) is True
            assert await alice.post(call + "disconnect") is None
            assert await alice.post(call + "disconnect") is None
            assert (await events.until("participant_update")).data["has_media"] is False
        silent = media.made["meet.alice"]
        assert silent.candidates == [("candidate:1", "0")]
        assert not silent.calls
        assert await alice.post("release_token") is True
        assert await alice.refused("participants", verb="GET") == (403, "Invalid token")
    assert silent.closed


async def test_chat_reaches_the_others_only() -> None:
    """A message comes to the other as message_received, and not back to its sender."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        async with alice.synced() as to_alice, bob.synced() as to_bob:
            assert await alice.post("message", {"type": "text/plain", "payload": "Hello\nWorld"}) is True
            assert (await to_bob.until("message_received")).data == {
                "origin": "Alice",
                "uuid": alice.uuid,
                "type": "text/plain",
                "payload": "Hello\nWorld",
                "direct": False,
            }
            await bob.post(f"participants/{alice.uuid}/message", {"payload": "psst"})
            received = await to_alice.until("message_received")
            assert (received.data["payload"], received.data["direct"]) == ("psst", True)


async def test_pin_prompts() -> None:
    """Prompts are successes with an object, a wrong PIN is failed with a string, as real clients want them."""
    settings = {"meet.alice": RoomSettings(pin="1234"), "meet.bob": RoomSettings(pin="1234", guest_pin="5678")}
    config = NodeConfig(conferences=settings, pin_tries=3)
    async with Node(config, media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        prompt = await alice.request("POST", "request_token", {"display_name": "Alice"})
        assert prompt.status_code == 403
        version = {"version_id": "37", "pseudo_version": "37.0.0"}
        assert prompt.json() == {
            "status": "success",
            "result": {"pin": "required", "guest_pin": "none", "version": version},
        }
        assert await alice.refused("request_token", {}, headers={"pin": "1"}) == (403, "Invalid PIN")
        guest = await alice.join(pin="none")
        assert (guest["role"], guest["current_service_type"]) == ("GUEST", "waiting_room")
        async with RawClient(node.url, "meet.bob") as bob:
            prompt = await bob.request("POST", "request_token", {}, headers={"pin": "none"})
            assert prompt.json()["result"]["guest_pin"] == "required"
            assert (await bob.join(pin="5678"))["role"] == "GUEST"
            assert (await bob.join(pin="1234"))["role"] == "HOST"
            for _ in range(2):
                assert await bob.refused("request_token", {}, headers={"pin": "1"}) == (403, "Invalid PIN")
            too_many = (403, "Participant exceeded PIN entry retries")
            assert await bob.refused("request_token", {}, headers={"pin": "1234"}) == too_many


async def test_aliases_come_to_life_only_where_open() -> None:
    """A closed node answers an unknown alias with 404 and the words of a real one."""
    closed = NodeConfig(open=False, conferences={"meet.alice": RoomSettings()})
    async with Node(closed, media=SilentMediaMaker()) as node:
        async with RawClient(node.url, "meet.nobody") as bob:
            assert await bob.refused("request_token", {}) == (404, "Neither conference nor gateway found")
        async with RawClient(node.url) as alice:
            await alice.join()


async def test_refresh_keeps_the_old_token_for_a_while() -> None:
    """Requests in flight with the token before are served, and the event stream survives."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        await alice.join()
        async with alice.synced() as events:
            result = await alice.post("refresh_token")
            assert result["expires"] == "120"
            assert result["role"] == "HOST"
            assert result["token"] != alice.token
            await alice.get("conference_status")
            alice.token = result["token"]
            await alice.post("lock")
            assert (await events.until("conference_update")).data["locked"] is True


async def test_release_by_beacon(caplog: pytest.LogCaptureFixture) -> None:
    """A page that closes sends its last word as text, with the token in the query: it is gone, its call with it.

    The reason it gave went nowhere; now it is in the log, on one line.
    """
    caplog.set_level(logging.INFO, "pexrtc_py.node")
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice, httpx.AsyncClient() as http:
        await alice.join()
        await alice.post(alice.mine("calls"), {"call_type": "WEBRTC", "sdp": OFFER})
        response = await http.post(
            alice.base + "release_token",
            params={"token": alice.token},
            content=r'{"reason":"Browser closed\n","error":"UI initiated disconnect"}',
            headers={"content-type": "text/plain;charset=UTF-8"},
        )
        assert response.json() == {"status": "success", "result": True}
        assert not node.state.conferences
        await alice.join()
        assert (await http.post(alice.base + "release_token", params={"token": alice.token}, content="[")).is_success
        assert not node.state.conferences
    assert not media.made["meet.alice"].calls
    assert "(Browser closed?)" in caplog.text


async def test_an_expired_token_ends_its_participant() -> None:
    """Who does not refresh is told why and is gone for the others."""
    config = NodeConfig(token_lifetime_s=0.3)
    async with Node(config, media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        async with alice.synced() as events:
            reason = (await events.until("disconnect")).data["reason"]
            assert reason == "Timer expired awaiting token refresh"
            await events.ended()
        assert await alice.refused("refresh_token") == (403, "Invalid token")
        await bob.join("Bob")
        assert [p["display_name"] for p in await bob.get("participants")] == ["Bob"]


async def test_self_signed_tls() -> None:
    """The node makes its own certificate, which a client that is told so takes."""
    async with (
        Node(NodeConfig(self_signed=True), media=SilentMediaMaker()) as node,
        RawClient(node.url, verify=False) as alice,
    ):
        assert node.url.startswith("https://127.0.0.1:")
        await alice.join()


async def test_errors_are_json() -> None:
    """Whatever goes wrong is answered as JSON with the word failed, never failure."""
    config = NodeConfig(body_limit=2000)
    async with Node(config, media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        assert await alice.refused("nothing") == (404, "Not Found")
        assert await alice.refused("request_token", verb="GET") == (405, "Method Not Allowed")
        status, reason = await alice.refused("request_token", {"display_name": "x" * 3000})
        assert (status, reason) == (413, HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase)
        await alice.join()
        status, reason = await alice.refused("message", {"type": "text/plain"})
        assert status == 400
        assert "payload" in reason
        sdp = await alice.refused(alice.mine("calls"), {"call_type": "WEBRTC", "sdp": "nonsense"})
        assert sdp == (400, "session description, line 1: no v= line")
        assert await alice.refused(alice.mine("calls/none/ack")) == (404, "Call not found")
        assert await alice.refused("participants/none/mute") == (404, "Participant not found")
        assert await alice.refused("set_classification_level", {"level": 1}) == (404, "Not Found")


async def test_older_nodes_do_not_know_newer_operations() -> None:
    """A node that says it is a 14 answers 404 to what came later, and a boolean to a call's disconnect."""
    async with Node(NodeConfig(version="14"), media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        assert (await alice.join())["version"]["version_id"] == "14"
        assert await alice.refused(alice.mine("take_floor")) == (404, "Not Found")
        result = await alice.post(alice.mine("calls"), {"call_type": "WEBRTC", "sdp": OFFER})
        assert await alice.post(alice.mine(f"calls/{result['call_uuid']}/disconnect")) is True


async def test_status_and_options() -> None:
    """A client that asks before it joins is answered, and so is a browser that asks for verbs."""
    async with Node(media=SilentMediaMaker()) as node, httpx.AsyncClient() as http:
        assert (await http.get(node.url + "/api/client/v2/status")).json()["status"] == "success"
        options = await http.options(node.url + "/api/client/v2/conferences/a/request_token")
        assert (options.status_code, options.headers["allow"]) == (204, "GET, POST, OPTIONS")
        assert "access-control-allow-origin" not in options.headers


async def test_a_body_that_never_ends_is_not_waited_for_long() -> None:
    """What is left of a request that is answered and cut is given up: aiohttp would read on for ten seconds."""
    async with Node(NodeConfig(), media=SilentMediaMaker()) as node, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rpartition(":")[2]))
        writer.write(b"POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc")
        assert b" 404 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
