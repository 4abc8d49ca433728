"""Our client and a node that knows nothing of us: what real nodes say is enough for roster, call and update."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.models import CallKind, CallRequest, StatisticsRequest, UpdateRequest
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.signalling import SessionConfig, open_session
from pexrtc_py.webrtc.peer import Peer, PeerConfig

from ..support import replay_node
from ..support.replay_node import run_replay_node
from ..support.taps import Collector


def test_it_knows_nothing_of_us() -> None:
    """The replay node imports nothing of pexrtc_py, and of the tests only its own parts."""
    parts = sorted(Path(replay_node.__file__).parent.glob("replay_*.py"))
    assert len(parts) == 4
    for statement in (statement for part in parts for statement in ast.walk(ast.parse(part.read_text()))):
        if isinstance(statement, ast.Import):
            names = [name.name for name in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0
            names = [statement.module or ""]
        else:
            continue
        assert not any(name.startswith("pexrtc") for name in names)
        assert all(name.startswith("tests.support.replay_") for name in names if name.partition(".")[0] == "tests")


async def test_roster() -> None:
    """Participants of a real node's shape arrive, change and leave."""
    async with run_replay_node() as node, asyncio.timeout(15):
        async with open_session(SessionConfig(node_url=node.url, alias="meet.replay", call_tag="bot")) as session:
            await session.wait_for(lambda s: s.roster.synced and s.roster.layout is not None)
            assert session.token_result.client_stats_update_interval
            assert session.token_result.stun is not None
            assert {p.display_name for p in session.roster.participants.values()} == {"George", "pexrtc_py"}
            me = session.participant
            assert me is not None
            assert (me.call_tag, me.is_host, me.muted, me.has_media) == ("bot", True, False, False)
            george = next(p for p in session.roster.participants.values() if p.display_name == "George")
            node.send("participant_delete", {"uuid": george.uuid})
            await session.wait_for(lambda s: george.uuid not in s.roster.participants)
        assert node.released == 1
        assert node.refused == []


async def test_call() -> None:
    """An answer of a real node's shape is taken, media flows both ways, update is answered by string and by object."""
    async with run_replay_node() as node, asyncio.timeout(40):
        config = SessionConfig(node_url=node.url, alias="meet.replay")
        async with open_session(config) as session, Peer(PeerConfig(addresses=("127.0.0.1",))) as peer:
            me, client = session.participant_uuid, session.client
            audio = peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
            video = peer.add_line(Kind.VIDEO, direction=Direction.SENDRECV, content=Content.MAIN, codecs=[Codec.VP8])
            slides = peer.add_line(Kind.VIDEO, direction=Direction.INACTIVE, content=Content.SLIDES, codecs=[Codec.VP8])
            request = CallRequest(call_type=CallKind.WEBRTC, sdp=await peer.create_offer())
            result = await client.participant_calls(me, request)
            assert isinstance(result.sdp, str)
            await peer.accept_answer(result.sdp)
            assert await client.call_ack(me, result.call_uuid)
            await peer.connected()
            assert slides.direction is Direction.INACTIVE
            heard, seen = Collector(), Collector()
            assert audio.receiver is not None
            assert video.receiver is not None
            audio.receiver.add_tap(heard)
            video.receiver.add_tap(seen)
            await heard.until(lambda: len(heard.frames) >= 50)
            await seen.until(lambda: len(seen.frames) >= 10)
            assert {frame.codec for frame in heard.frames} == {Codec.OPUS}
            assert any(frame.key for frame in seen.frames)
            for kind in (str, object):
                update = UpdateRequest(sdp=await peer.create_offer())
                answer = await client.call_update(me, result.call_uuid, update)
                assert isinstance(answer, str) is (kind is str)
                await peer.accept_answer(answer if isinstance(answer, str) else str(answer.sdp))
                assert await client.call_ack(me, result.call_uuid)
            await client.call_statistics(me, result.call_uuid, StatisticsRequest())
            await client.participant_take_floor(me)
            assert await client.call_disconnect(me, result.call_uuid)
            await session.wait_for(lambda s: s.participant is not None and s.participant.has_media)
        (call,) = node.calls.values()
        assert call.acks == 3
        assert node.refused == []
