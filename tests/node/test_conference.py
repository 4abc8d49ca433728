"""A conference over HTTP, media left out: waiting room, floor, transfer, reception, dialling, digits."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from pexrtc_py.node import DialJob, Node, NodeConfig
from pexrtc_py.protocol.models import ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 X 0\r\nm=video 9 X 0\r\n"
WEBRTC = {"call_type": "WEBRTC", "sdp": OFFER}
HOSTED = NodeConfig(conferences={"meet.alice": RoomSettings(pin="1234"), "meet.bob": RoomSettings(pin="9")}, open=True)


async def test_a_guest_waits_for_a_host_with_media() -> None:
    """A Guest knows only itself until a Host has media; then it is told of everybody, and its media is let in."""
    media = SilentMediaMaker()
    async with Node(HOSTED, media=media) as node, RawClient(node.url) as guest, RawClient(node.url) as host:
        assert (await guest.join("Guest", pin="none"))["current_service_type"] == "waiting_room"
        await guest.post(guest.mine("calls"), WEBRTC)
        async with guest.synced() as to_guest:
            await host.join("Host", pin="1234")
            assert [p["display_name"] for p in await guest.get("participants")] == ["Guest"]
            assert await guest.refused("message", {"payload": "let me in"}) == (403, "Chat is not enabled")
            silent = media.made["meet.alice"]
            assert silent.admitted[ParticipantUuid(guest.uuid)] is False
            await host.post(host.mine("calls"), WEBRTC)
            update = await to_guest.until("participant_update")
            assert (update.data["uuid"], update.data["service_type"]) == (guest.uuid, "conference")
            assert (await to_guest.until("participant_create")).data["display_name"] == "Host"
            assert (await to_guest.until("conference_update")).data["started"] is True
            assert silent.admitted[ParticipantUuid(guest.uuid)] is True


async def test_a_host_without_media_starts_the_conference() -> None:
    """start_conference lets Guests in, and is not for them to call."""
    async with (
        Node(HOSTED, media=SilentMediaMaker()) as node,
        RawClient(node.url) as guest,
        RawClient(node.url) as host,
    ):
        await guest.join("Guest", pin="none")
        await host.join("Host", pin="1234")
        assert await guest.refused("start_conference") == (403, "Invalid role")
        assert await host.post("start_conference") is True
        assert len(await guest.get("participants")) == 2


async def test_a_locked_conference_lets_in_by_name() -> None:
    """Newcomers wait while it is locked; unlock of one lets that one in."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await alice.post("lock")
        assert (await bob.join("Bob"))["current_service_type"] == "waiting_room"
        async with alice.synced() as events:
            await alice.post(f"participants/{bob.uuid}/unlock")
            assert (await events.until("participant_update")).data["service_type"] == "conference"
        assert (await alice.get("conference_status"))["locked"] is True


async def present_by_floor(client: RawClient) -> None:
    """Present as clients of 2024 do."""
    assert await client.post(client.mine("take_floor")) is None


async def present_by_call(client: RawClient) -> str:
    """Present as clients of 2016 do, return the call."""
    result = await client.post(client.mine("calls"), WEBRTC | {"present": "send"})
    call: str = result["call_uuid"]
    return call


async def test_the_floor_is_stolen() -> None:
    """Everybody but the presenter is told of the presentation; who loses it is told by the next one."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        async with alice.synced() as to_alice, bob.synced() as to_bob:
            await present_by_floor(alice)
            start = (await to_bob.until("presentation_start")).data
            assert (start["presenter_name"], start["presenter_uuid"]) == ("Alice", alice.uuid)
            assert (await to_alice.until("participant_update")).data["is_presenting"] == "YES"
            assert media.made["meet.alice"].floor == alice.uuid

            call = await present_by_call(bob)
            assert (await to_alice.until("presentation_start")).data["presenter_uuid"] == bob.uuid
            await alice.post(alice.mine("release_floor"))  # as its client does then; it must not end Bob's
            assert media.made["meet.alice"].floor == bob.uuid
            assert (await to_bob.until("presentation_stop")).data == {}

            await present_by_floor(alice)
            lost = await to_bob.until("call_disconnected")
            assert lost.data == {"call_uuid": call, "reason": "Call disconnected"}
            assert (await to_bob.until("presentation_start")).data["presenter_uuid"] == alice.uuid
            await alice.post(alice.mine("release_floor"))
            await to_bob.until("presentation_stop")
            await to_alice.until("presentation_stop")
            starts = [e.data["presenter_uuid"] for e in to_alice.seen if e.name == "presentation_start"]
            assert starts == [bob.uuid]


async def test_presentation_pictures() -> None:
    """Uploaded pictures are announced to those who receive, and fetched by the event's id."""
    jpeg = b"\xff\xd8\xff\xe0 a picture"
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        async with bob.synced() as events:
            result = await alice.post(alice.mine("calls"), {"call_type": "presentation"})
            assert list(result) == ["call_uuid"]
            await events.until("presentation_start")
            posted = await alice.request("POST", "presentation", files={"frame": ("f.jpg", jpeg, "image/jpeg")})
            assert posted.json() == {"status": "success", "result": True}
            frame = await events.until("presentation_frame")
            assert frame.data == {}
            async with httpx.AsyncClient() as http:
                url = bob.base + "presentation.jpeg"
                picture = await http.get(url, params={"id": frame.id, "token": bob.token})
                assert (picture.content, picture.headers["content-type"]) == (jpeg, "image/jpeg")
            assert (await bob.refused("presentation.jpeg", verb="GET", params={"id": "none"}))[0] == 404
            refused = await bob.request("POST", "presentation", files={"frame": ("f.jpg", jpeg, "image/jpeg")})
            assert refused.status_code == 403
            await alice.post(alice.mine(f"calls/{result['call_uuid']}/disconnect"))
            await events.until("presentation_stop")


async def test_transfer() -> None:
    """A Host sends a participant on; it joins the target by the one-time token, without a PIN, once."""
    async with (
        Node(HOSTED, media=SilentMediaMaker()) as node,
        RawClient(node.url) as host,
        RawClient(node.url) as guest,
        RawClient(node.url, "meet.bob") as moved,
    ):
        await host.join("Host", pin="1234", start_conference_if_host=True)
        await guest.join("Guest", pin="none")
        where = {"conference_alias": "meet.bob", "role": "chair", "pin": "9"}
        path = f"participants/{guest.uuid}/transfer"
        assert await host.refused(path, where | {"pin": "1"}) == (403, "Invalid PIN")
        nowhere = (404, "Neither conference nor gateway found")
        assert await host.refused(path, where | {"conference_alias": ""}) == nowhere
        async with guest.synced() as events:
            assert await host.post(path, where) is True
            refer = (await events.until("refer")).data
            assert refer["alias"] == "meet.bob"
        assert await guest.post("release_token") is True
        assert (await moved.join("Guest", token=refer["token"]))["role"] == "HOST"
        moved.token = ""
        assert await moved.refused("request_token", {"token": refer["token"]}) == (403, "Invalid token")


async def test_virtual_reception() -> None:
    """A reception asks where to go, then all goes on below its own alias."""
    conferences = {
        "reception": RoomSettings(service_type=ServiceKind.VIRTUAL_RECEPTION, targets=("meet.alice",)),
        "meet.alice": RoomSettings(name="Alice's"),
        "meet.bob": RoomSettings(),
    }
    async with (
        Node(NodeConfig(conferences=conferences), media=SilentMediaMaker()) as node,
        RawClient(node.url, "reception") as bob,
        RawClient(node.url) as alice,
    ):
        prompt = await bob.request("POST", "request_token", {"display_name": "Bob"})
        assert prompt.status_code == 403
        assert prompt.json()["status"] == "success"
        result = prompt.json()["result"]
        assert (result["conference_extension"], result["conference_extension_type"]) == ("required", "standard")
        unknown = (404, "Conference extension not found")
        assert await bob.refused("request_token", {"conference_extension": "meet.bob"}) == unknown
        assert await bob.refused("request_token", {"conference_extension": "reception"}) == unknown
        joined = await bob.join("Bob", conference_extension="meet.alice")
        assert joined["conference_name"] == "Alice's"
        await alice.join("Alice")
        assert [p["display_name"] for p in await bob.get("participants")] == ["Bob", "Alice"]


async def test_dialling_out() -> None:
    """A dialled participant is seen connecting, comes in by the token its caller was given, or is gone."""
    jobs: asyncio.Queue[DialJob] = asyncio.Queue()
    hang_up = asyncio.Event()

    async def dial(job: DialJob) -> None:
        jobs.put_nowait(job)
        await hang_up.wait()

    async with Node(media=SilentMediaMaker(), dial=dial) as node, RawClient(node.url) as alice:
        await alice.join("Alice")
        async with alice.synced() as events:
            body = {"role": "GUEST", "destination": "bob@example.com", "protocol": "sip", "remote_display_name": "Bob"}
            (uuid,) = await alice.post("dial", body)
            created = (await events.until("participant_create")).data
            assert (created["uuid"], created["service_type"], created["call_direction"]) == (uuid, "connecting", "out")
            await alice.post("start_conference")
            job = await jobs.get()
            assert (job.alias, job.participant, job.is_own) == ("meet.alice", uuid, True)
            assert job.token not in repr(job)
            async with RawClient(job.node_url) as bob:
                joined = await bob.join("whatever", token=job.token)
                assert (joined["participant_uuid"], joined["role"]) == (uuid, "GUEST")
                answered: dict[str, Any] = (await events.until("participant_update")).data
                assert (answered["service_type"], answered["display_name"]) == ("conference", "Bob")
            hang_up.set()
            (unanswered,) = await alice.post("dial", body)
            assert (await events.until("participant_delete")).data == {"uuid": unanswered}
            assert {p["uuid"] for p in await alice.get("participants")} == {alice.uuid, uuid}


async def test_digits_reach_the_hook() -> None:
    """Digits by call, by participant and from the media end in one place; those for another are played to it."""
    heard: list[tuple[str, str, str]] = []
    media = SilentMediaMaker()
    async with (
        Node(media=media, on_digits=lambda *digits: heard.append(digits)) as node,
        RawClient(node.url) as alice,
        RawClient(node.url) as bob,
    ):
        await alice.join("Alice")
        await bob.join("Bob")
        call = (await alice.post(alice.mine("calls"), WEBRTC))["call_uuid"]
        await alice.post(alice.mine(f"calls/{call}/dtmf"), {"digits": "1"})
        await alice.post(alice.mine("dtmf"), {"digits": "2#"})
        await alice.post(f"participants/{bob.uuid}/dtmf", {"digits": "3"})
        media.made["meet.alice"].listener.on_digits(ParticipantUuid(alice.uuid), "4")
        assert heard == [("meet.alice", alice.uuid, digits) for digits in ("1", "2#", "4")]
        assert media.made["meet.alice"].played == [(bob.uuid, "3")]
        assert (await alice.refused(alice.mine("dtmf"), {"digits": "hello"}))[0] == 400


async def test_a_second_main_call_replaces_the_first() -> None:
    """A client that calls again has lost its first call: that one ends, its own media goes on."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice:
        await alice.join()
        first = (await alice.post(alice.mine("calls"), WEBRTC))["call_uuid"]
        second = (await alice.post(alice.mine("calls"), WEBRTC))["call_uuid"]
        assert first != second
        assert list(media.made["meet.alice"].calls) == [second]
        (me,) = await alice.get("participants")
        assert me["has_media"] is True


async def test_a_lost_call_is_told() -> None:
    """When the media has lost a call for good, its participant is told and has none."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice:
        await alice.join()
        call = (await alice.post(alice.mine("calls"), WEBRTC))["call_uuid"]
        async with alice.synced() as events:
            media.made["meet.alice"].listener.on_call_lost(call, "Ice failure")
            assert (await events.until("call_disconnected")).data == {"call_uuid": call, "reason": "Ice failure"}


async def test_everybody_is_told_the_end() -> None:
    """A Host that disconnects all ends everybody's stream and token, and the conference with its media."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        async with bob.synced() as events:
            assert await alice.post("disconnect") is True
            reason = (await events.until("disconnect")).data["reason"]
            assert reason == "API initiated conference termination"
            await events.ended()
        assert await bob.refused("refresh_token") == (403, "Invalid token")
        assert not node.state.conferences


async def test_the_node_says_goodbye() -> None:
    """A node that ends tells those who listen, and lets nobody wait."""
    async with RawClient("http://127.0.0.1") as alice:
        async with Node(media=SilentMediaMaker()) as node:
            alice.base = f"{node.url}/api/client/v2/conferences/meet.alice/"
            await alice.join()
            stream = alice.synced()
            events = await stream.__aenter__()
        assert (await events.until("disconnect")).data == {"reason": "System in maintenance mode"}
        await events.ended()
        await stream.__aexit__(None, None, None)


async def test_limits() -> None:
    """A full conference, a full node and too many requests are refused with the words of a real node."""
    config = NodeConfig(
        conferences={"meet.alice": RoomSettings(participant_limit=1)},
        open=True,
        participant_limit=2,
        request_burst=9,
        requests_per_s=1,
    )
    async with (
        Node(config, media=SilentMediaMaker()) as node,
        RawClient(node.url) as alice,
        RawClient(node.url, "meet.bob") as bob,
    ):
        await alice.join("Alice")
        assert await alice.refused("request_token", {"display_name": "Mallory"}) == (403, "Participant limit reached")
        await bob.join("Bob")
        assert await bob.refused("request_token", {"display_name": "Eve"}) == (503, "Out of resource")
        answers = await asyncio.gather(*(alice.request("GET", "participants") for _ in range(50)))
        refused = [a for a in answers if a.status_code == 429]
        assert refused
        assert refused[0].json() == {"status": "failed", "result": "Too Many Requests"}
        assert refused[0].headers["retry-after"].isdigit()


async def test_names_are_written_under_pictures() -> None:
    """The media is told the display name at join, the overlay text when it changes, and the name again without one."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice:
        await alice.join("Alice")
        uuid = ParticipantUuid(alice.uuid)
        assert media.made["meet.alice"].names[uuid] == "Alice"
        await alice.post(alice.mine("overlaytext"), {"text": "Alice of sales"})
        assert media.made["meet.alice"].names[uuid] == "Alice of sales"
        await alice.post(alice.mine("overlaytext"), {"text": ""})
        assert media.made["meet.alice"].names[uuid] == "Alice"
