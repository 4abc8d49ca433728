"""Two peers on loopback: offer, answer, frames both ways, renegotiation, endings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from pexrtc_py.errors import CodecMismatch, IceFailed, LocalProtocolError, SdpError
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.webrtc.peer import AnswerPolicy, Peer, PeerConfig, PeerState

LOOPBACK = PeerConfig(addresses=("127.0.0.1",))
POLICY = AnswerPolicy(
    codecs={Kind.AUDIO: [Codec.OPUS, Codec.PCMU], Kind.VIDEO: [Codec.VP8, Codec.H264]}, bitrate_bps=1_500_000
)
# A VP8 key frame of 16 by 16 pixels: frame tag, start code, size (RFC 6386 section 9.1).
KEY_FRAME = bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 16, 0, 16, 0]) + bytes(3000)


class Collector:
    """A tap that keeps what it is given, and lets a test wait for it."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []
        self.gaps: list[Gap] = []
        self.ended = False
        self._changed = asyncio.Event()

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, Gap):
            self.gaps.append(item)
        else:
            self.frames.append(item)
        self._changed.set()

    def end(self) -> None:
        self.ended = True
        self._changed.set()

    def has(self, frames: int) -> bool:
        """Whether this many frames came."""
        return len(self.frames) == frames

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


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


async def test_frames_pass_both_ways() -> None:
    """Sound and pictures pushed at one end come out at the other, byte for byte, in both directions."""
    async with call() as (client, node):
        assert [line.direction for line in node.lines] == ["sendrecv", "sendrecv", "inactive"]
        assert client.lines[1].bitrate_bps == 1_500_000
        taps = [listen(node, 0), listen(node, 1), listen(client, 0), listen(client, 1)]
        for peer in (client, node):
            push(peer, 0, *map(audio, range(5)))
            push(peer, 1, *map(video, range(3)))
        for tap, wanted in zip(taps, (5, 3, 5, 3), strict=True):
            await tap.until(partial(tap.has, wanted))
            assert not tap.gaps
        assert [frame.data for frame in taps[0].frames] == [audio(number).data for number in range(5)]
        assert [frame.data for frame in taps[3].frames] == [KEY_FRAME] * 3
        assert (taps[1].frames[0].width, taps[1].frames[0].height) == (16, 16)
        assert {"gathered", "ice_connected", "dtls_connected", "first_rtp:0", "first_rtp:1"} <= set(node.timings)
    assert all(tap.ended for tap in taps)
    assert client.state is node.state is PeerState.CLOSED


async def test_slides_begin_and_end_by_renegotiation() -> None:
    """A presentation is sent after its line was made active, goes to no other line, and stops with it."""
    async with call() as (client, node):
        main = listen(node, 1)
        push(client, 1, video(0))
        await main.until(lambda: main.frames)
        client.lines[2].wanted = Direction.SENDONLY
        await negotiate(client, node)
        assert node.lines[2].direction is Direction.RECVONLY
        assert node.lines[2].content is Content.SLIDES
        slides = listen(node, 2)
        push(client, 2, video(0), video(1))
        await slides.until(lambda: len(slides.frames) == 2)
        client.lines[2].wanted = Direction.INACTIVE
        await negotiate(client, node)
        push(client, 2, video(2))
        push(client, 1, video(1))
        await main.until(lambda: len(main.frames) == 2)
        assert len(slides.frames) == 2


async def test_a_line_added_later_carries_media() -> None:
    """A line that was not in the first offer joins the same transport."""
    async with call() as (client, node):
        line = client.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8], content=Content.SLIDES)
        await negotiate(client, node)
        assert node.lines[line.index].mid == line.mid == "3"
        tap = listen(node, line.index)
        push(client, line.index, video(0))
        await tap.until(lambda: tap.frames)


async def test_the_other_side_learns_of_the_end() -> None:
    """Closing one peer is noticed by the other at once, as a failure of its transport."""
    states: list[PeerState] = []
    failed = asyncio.Event()

    def note(state: PeerState) -> None:
        states.append(state)
        if state is PeerState.FAILED:
            failed.set()

    async with call() as (client, node):
        node.on_state = note
        await client.aclose()
        async with asyncio.timeout(5):
            await failed.wait()
    assert states == [PeerState.FAILED, PeerState.CLOSED]


async def test_no_common_codec_is_an_error() -> None:
    """When no line is left, the answerer says so, and may still close."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP9])
        with pytest.raises(CodecMismatch):
            await node.answer_offer(await client.create_offer(), POLICY)


async def test_closing_ends_the_waiting() -> None:
    """Whoever waits for the connection learns that it will not come."""
    async with Peer(LOOPBACK) as peer:
        waiting = asyncio.gather(peer.connected(), return_exceptions=True)
        await asyncio.sleep(0)
        await peer.aclose()
        assert isinstance((await waiting)[0], IceFailed)
        with pytest.raises(LocalProtocolError):
            await peer.create_offer()


async def test_answers_need_an_offer_and_must_fit_it() -> None:
    """An answer out of order, or with another number of lines, is refused."""
    async with Peer(LOOPBACK) as peer:
        with pytest.raises(LocalProtocolError):
            await peer.accept_answer("v=0\r\n")
        peer.add_line(Kind.AUDIO, direction=Direction.RECVONLY, codecs=[Codec.OPUS])
        offer = await peer.create_offer()
        with pytest.raises(SdpError):
            await peer.accept_answer("v=0\r\n")
        assert offer.count("\r\nm=") == 1
