"""Two peers on loopback, connected as a client and a node are; what one sends, and who listens at the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.webrtc.peer import AnswerPolicy, Peer, PeerConfig, PeerState
from tests.support.taps import Collector

_T = TypeVar("_T")
LOOPBACK = PeerConfig(addresses=("127.0.0.1",))
POLICY = AnswerPolicy(
    codecs={Kind.AUDIO: [Codec.OPUS, Codec.PCMU], Kind.VIDEO: [Codec.VP8, Codec.H264]}, bitrate_bps=1_500_000
)
# A VP8 key frame of 16 by 16 pixels: frame tag, start code, size (RFC 6386 section 9.1).
KEY_FRAME = bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 16, 0, 16, 0]) + bytes(3000)


def audio(number: int) -> EncodedFrame:
    """A 20 ms frame of sound."""
    return EncodedFrame(codec=Codec.OPUS, data=bytes([0xF8, number]), rtp_time=960 * number, time=0.02 * number)


def video(number: int) -> EncodedFrame:
    """A key frame; thirty a second."""
    return EncodedFrame(codec=Codec.VP8, data=KEY_FRAME, rtp_time=3000 * number, time=number / 30)


@asynccontextmanager
async def call(*, config: PeerConfig = LOOPBACK) -> AsyncIterator[tuple[Peer, Peer]]:
    """A client that offers audio, main video and inactive slides, connected to a peer that answers as a node does."""
    async with Peer(config) as client, Peer(config) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP8], content=Content.MAIN)
        client.add_line(Kind.VIDEO, direction=Direction.INACTIVE, codecs=[Codec.VP8], content=Content.SLIDES)
        await negotiate(client, node)
        async with asyncio.timeout(10):
            await client.connected()
            await node.connected()
        yield client, node


async def negotiate(client: Peer, node: Peer) -> None:
    """One round of offer and answer."""
    await client.accept_answer(await node.answer_offer(await client.create_offer(), POLICY))


class States:
    """What a peer is, from now on, one after the other."""

    def __init__(self, peer: Peer) -> None:
        self.all: list[PeerState] = []
        self.failed = asyncio.Event()
        peer.on_state = self._note

    def _note(self, state: PeerState) -> None:
        self.all.append(state)
        if state is PeerState.FAILED:
            self.failed.set()


def listen(peer: Peer, index: int) -> Collector:
    """Tap a line of a peer."""
    receiver = peer.lines[index].receiver
    assert receiver is not None
    tap = Collector()
    receiver.add_tap(tap)
    return tap


def push(peer: Peer, index: int, *frames: EncodedFrame) -> None:
    """Send frames on a line of a peer."""
    sender = peer.lines[index].sender
    assert sender is not None
    for frame in frames:
        sender.push(frame)


async def connected(*peers: Peer) -> None:
    """Wait for all of them."""
    async with asyncio.timeout(10):
        for peer in peers:
            await peer.connected()


def find(peer: Peer, kind: type[_T]) -> _T:
    """The first object of a kind in the statistics of a peer."""
    return next(item for item in peer.statistics(time.monotonic()) if isinstance(item, kind))
