"""A call that cannot be: said in one line, and nothing of it stays at the node."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Codec, Direction, Node
from pexrtc_py.cli.exits import ExitCode, exit_code_of
from pexrtc_py.endpoint.conference import open_conference
from pexrtc_py.errors import SignallingError
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.signalling.tls import HttpConfig
from pexrtc_py.signalling.wire_capture import WireCapture
from pexrtc_py.webrtc.peer import PeerState


async def test_no_common_codec() -> None:
    """A picture in a codec the node does not speak is refused by name; the participant stays, and leaves cleanly."""
    async with Node() as node:
        async with pexrtc_py.connect(node.url, "meet.alice") as conference:
            config = CallConfig(audio=Direction.INACTIVE, video_codecs=(Codec.VP9,))
            with pytest.raises(SignallingError) as refused:
                async with conference.call(config):
                    pass
            assert "no line of the offer has a codec in common with us" in str(refused.value)
            assert exit_code_of(refused.value) is ExitCode.UNREACHABLE
            assert conference.session.closed is None
        assert not node.state.conferences, "the token was not given back"


@pytest.mark.parametrize("by_node", [False, True])
async def test_a_call_whose_path_is_gone_is_hung_up(by_node: bool) -> None:
    """The node was not told, and might keep the call for half a minute; of one that it ended it is not told again."""
    capture = WireCapture()
    async with Node() as node:
        config = SessionConfig(node_url=node.url, alias="meet.alice", http=HttpConfig(capture=capture))
        async with open_conference(config) as conference, asyncio.timeout(10):
            async with conference.call() as call:
                await call.connected()
                if by_node:
                    node.state.conferences["meet.alice"].end_call(conference.participant_uuid, call.uuid, reason="over")
                else:
                    assert call.peer.on_state is not None
                    call.peer.on_state(PeerState.FAILED)
                assert await call.ended() == ("over" if by_node else "the media path is gone")
            asked = [said.path for said in capture._said if said.path.endswith("/disconnect")]
            assert len(asked) == (0 if by_node else 1)
