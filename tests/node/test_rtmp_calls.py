"""RTMP over the client API, media left out: calls that wait for a publisher, streams that are dialled."""

from __future__ import annotations

from pexrtc_py.node import Node
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

STREAM = {
    "role": "GUEST",
    "destination": "rtmp://live.example/app/key",
    "protocol": "rtmp",
    "streaming": "yes",
    "presentation_url": "rtmp://live.example/app/slides",
}


async def test_an_rtmp_call_is_answered_by_a_url() -> None:
    """The participant streams; the old client reads the stream's name as the last 36 characters; its end is told."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        assert (await alice.join("Alice"))["rtmp_enabled"] is True
        await bob.join("Bob")
        async with alice.synced() as to_alice, bob.synced() as events:
            body = {"call_type": "RTMP", "streaming": "true", "bandwidth": 1264, "present": "receive"}
            result = await alice.post(alice.mine("calls"), body)
            assert result["url"] == f"rtmp://127.0.0.1:40002/pexip/{result['call_uuid']}"
            assert len(result["call_uuid"]) == 36
            update = (await events.until("participant_update")).data
            assert (update["protocol"], update["is_streaming_conference"], update["encryption"]) == (
                "rtmp",
                True,
                "Off",
            )
            assert (update["has_media"], update["is_video_call"]) == (True, "YES")
            silent = media.made["meet.alice"]
            offer = silent.streams[result["call_uuid"]]
            assert (offer.participant, offer.host, offer.has_video) == (alice.uuid, "127.0.0.1", True)
            silent.listener.on_call_lost(result["call_uuid"], "RTMP stream ended")
            gone = (await to_alice.until("call_disconnected")).data
            assert gone == {"call_uuid": result["call_uuid"], "reason": "RTMP stream ended"}
            assert (await events.until("participant_update")).data["has_media"] is False
            sound_only = await alice.post(alice.mine("calls"), {"call_type": "RTMP", "audioonly": "true"})
            assert (await events.until("participant_update")).data["is_audio_only_call"] == "YES"
            assert not silent.streams[sound_only["call_uuid"]].has_video
            await alice.post(alice.mine(f"calls/{sound_only['call_uuid']}/disconnect"))
        assert silent.streams == {}


async def test_a_dialled_stream_is_a_participant_while_the_server_takes_it() -> None:
    """It is seen connecting, then with media; when the server hangs up, or a Host disconnects it, it is gone."""
    media = SilentMediaMaker()
    async with Node(media=media) as node, RawClient(node.url) as alice:
        await alice.join("Alice")
        async with alice.synced() as events:
            (uuid,) = await alice.post("dial", STREAM)
            created = (await events.until("participant_create")).data
            assert (created["service_type"], created["protocol"], created["is_streaming_conference"]) == (
                "connecting",
                "rtmp",
                True,
            )
            seated = (await events.until("participant_update")).data
            assert seated["service_type"] == "conference"
            assert seated["has_media"] or (await events.until("participant_update")).data["has_media"]
            silent = media.made["meet.alice"]
            ((call, offer),) = silent.streams.items()
            assert (offer.url, offer.slides_url) == (STREAM["destination"], STREAM["presentation_url"])
            assert silent.admitted[ParticipantUuid(uuid)]
            silent.listener.on_call_lost(CallUuid(call), "RTMP stream ended")
            assert (await events.until("participant_delete")).data == {"uuid": uuid}
            assert ParticipantUuid(uuid) not in silent.admitted
            (again,) = await alice.post("dial", STREAM)
            while not (await events.until("participant_update")).data["has_media"]:
                pass
            await alice.post(f"participants/{again}/disconnect")
            assert (await events.until("participant_delete")).data == {"uuid": again}
            (refused,) = await alice.post("dial", STREAM | {"destination": "rtmp://refuses/app/key"})
            assert (await events.until("participant_delete")).data == {"uuid": refused}
        assert silent.streams == {}
