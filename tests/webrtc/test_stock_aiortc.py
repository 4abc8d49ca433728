"""Our peers beside stock aiortc: it talks to us in both roles, and is itself unchanged in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aioice.ice
import pytest
import pytest_asyncio
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from tests.support.peers import POLICY, audio, call, listen, push, video
from tests.support.taps import Collector

pytestmark = pytest.mark.skipif(
    not aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True), reason="stock aiortc has no use for loopback"
)


class Remote:
    """A stock peer connection, and the tracks it got."""

    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.pc.on("track", self.tracks.put_nowait)

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def answer(self, sdp: str) -> str:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return self.pc.localDescription.sdp

    async def accept(self, sdp: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def hears(self) -> None:
        """Wait for a decoded frame of sound."""
        async with asyncio.timeout(10):
            track = await self.tracks.get()
            while track.kind != "audio":
                track = await self.tracks.get()
            assert isinstance(await track.recv(), AudioFrame)


@pytest_asyncio.fixture
async def remote() -> AsyncIterator[Remote]:
    """A stock aiortc endpoint that sends silence."""
    remote = Remote()
    remote.pc.addTrack(AudioStreamTrack())
    yield remote
    await remote.pc.close()


async def exchange(peer: Peer, remote: Remote) -> None:
    """Sound passes both ways."""
    async with asyncio.timeout(15):
        await peer.connected()
        tap = listen(peer, 0)
        await tap.until(lambda: len(tap.frames) >= 5)
        assert tap.frames[0].codec is Codec.OPUS
        push(peer, 0, *map(audio, range(20)))
        await remote.hears()


@pytest.mark.parametrize("lite", [False, True], ids=["full", "lite"])
async def test_stock_aiortc_calls_us(remote: Remote, lite: bool) -> None:
    """We answer a stock offer; sound passes both ways."""
    remote.pc.addTransceiver("video", direction="recvonly")
    async with Peer(PeerConfig(ice_lite=lite)) as peer:
        await remote.accept(await peer.answer_offer(await remote.offer(), POLICY))
        assert [line.direction for line in peer.lines] == [Direction.SENDRECV, Direction.SENDONLY]
        await exchange(peer, remote)


@pytest.mark.parametrize("lite", [False, True], ids=["full", "lite"])
async def test_we_call_stock_aiortc(remote: Remote, lite: bool) -> None:
    """Stock aiortc answers our offer of three lines, the third one inactive."""
    async with Peer(PeerConfig(ice_lite=lite)) as peer:
        peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        peer.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8], content=Content.MAIN)
        peer.add_line(Kind.VIDEO, direction=Direction.INACTIVE, codecs=[Codec.VP8], content=Content.SLIDES)
        await peer.accept_answer(await remote.answer(await peer.create_offer()))
        assert peer.lines[1].codec is Codec.VP8
        await exchange(peer, remote)


async def test_stock_aiortc_is_unchanged(remote: Remote) -> None:
    """While a call of ours runs, two stock endpoints talk to each other with stock classes throughout."""
    other = Remote()
    other.pc.addTrack(AudioStreamTrack())
    try:
        async with call() as (client, node):
            tap: Collector = listen(node, 1)
            await remote.accept(await other.answer(await remote.offer()))
            push(client, 1, video(0))
            await tap.until(lambda: tap.frames)
            await remote.hears()
            await other.hears()
            dtls = remote.pc.getTransceivers()[0].sender.transport
            connection = dtls.transport._connection
            assert type(dtls).__module__ == "aiortc.rtcdtlstransport"
            assert type(connection) is aioice.ice.Connection
            assert {type(protocol) for protocol in connection._protocols} == {aioice.ice.StunProtocol}
            assert aioice.ice.get_host_addresses.__module__ == "aioice.ice"
    finally:
        await other.pc.close()
