"""Two peers on loopback: offer, answer, frames both ways, renegotiation, endings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from pexrtc_py.errors import CodecMismatch, IceFailed, LocalProtocolError, SdpError
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.protocol.sdp import Content, Direction, parse_sdp
from pexrtc_py.webrtc.impairment import Impairment, TwoWayImpairment
from pexrtc_py.webrtc.line_media import sender_config
from pexrtc_py.webrtc.peer import AnswerPolicy, IceServer, Peer, PeerConfig, PeerState
from pexrtc_py.webrtc.statistics import InboundRtp, OutboundRtp
from pexrtc_py.webrtc.transport_statistics import (
    CandidatePairStatistics,
    CodecStatistics,
    LocalCandidate,
    TransportStatistics,
)

_T = TypeVar("_T")
OFFERS = [
    path
    for path in sorted((Path(__file__).parent.parent / "data" / "sdp").glob("*-offer.sdp"))
    if "unknown-codecs" not in path.stem
]

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

    def came_to(self, ticks: int) -> bool:
        """Whether frames span so many ticks."""
        return bool(self.frames) and self.frames[-1].rtp_time - self.frames[0].rtp_time >= ticks

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


async def test_checks_that_overtake_the_answer() -> None:
    """Checks of the answerer that arrive before its answer are no conflict of roles.

    They were: the offerer took itself for the controlled side until the answer was there, both sides turned over, and
    half of the calls whose answer took its time never had a path.
    """

    async def call_slowly() -> None:
        async with Peer(LOOPBACK) as caller, Peer(LOOPBACK) as called:
            caller.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
            answer = await called.answer_offer(await caller.create_offer(), POLICY)
            await asyncio.sleep(0.1)  # the answer is on its way
            await caller.accept_answer(answer)
            await connected(caller, called)
            assert caller.state is called.state is PeerState.CONNECTED

    async with asyncio.TaskGroup() as group:  # which half was up to random numbers
        for _ in range(8):
            group.create_task(call_slowly())


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


async def test_a_sender_keeps_its_codec_through_a_renegotiation() -> None:
    """The peer's first codec came back: what was being sent in another froze until its next key frame."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP8, Codec.H264])
        await negotiate(client, node)
        (line,) = node.lines
        assert line.sender is not None
        assert line.negotiated is not None
        assert line.sender.config.codec is Codec.VP8
        config = sender_config(line.negotiated, line.sources, before=line.sender.config, codec=Codec.H264)
        line.sender.reconfigure(config)
        await negotiate(client, node)
        assert line.sender.config == config
        assert config.codec is Codec.H264


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


class Failing(Collector):
    """A tap that cannot end: its disk is full."""

    def end(self) -> None:
        super().end()
        raise OSError(28, "no space left on device")


async def test_a_tap_that_cannot_end_leaves_nothing_behind() -> None:
    """Its error kept the other taps from their end, and the peer's sockets and tasks open."""
    async with call() as (_, node):
        failing, other, of_next_line = Failing(), Collector(), Collector()
        first, second = (line.receiver for line in list(node.lines)[:2])
        assert first is not None
        assert second is not None
        first.add_tap(failing)
        first.add_tap(other)
        second.add_tap(of_next_line)
        with pytest.raises(OSError, match="no space left"):
            await node.aclose()
        assert node.state is PeerState.CLOSED
        assert failing.ended
        assert other.ended
        assert of_next_line.ended


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


async def test_closing_ends_a_negotiation() -> None:
    """A restart that was being answered when the peer was closed went on, and left sockets and a task behind."""
    silent = IceServer(urls=("stun:127.0.0.1:9",))
    config = replace(LOOPBACK, ice_servers=(silent,), gather_timeout_s=0.2)
    async with call(config=config) as (client, node):
        offer = await client.create_offer(restart=True)
        outcome, _ = await asyncio.gather(node.answer_offer(offer, POLICY), node.aclose(), return_exceptions=True)
        assert isinstance(outcome, IceFailed)


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


async def connected(*peers: Peer) -> None:
    """Wait for all of them."""
    async with asyncio.timeout(10):
        for peer in peers:
            await peer.connected()


def find(peer: Peer, kind: type[_T]) -> _T:
    """The first object of a kind in the statistics of a peer."""
    return next(item for item in peer.statistics(time.monotonic()) if isinstance(item, kind))


async def test_an_ice_restart_changes_the_path_and_loses_nothing() -> None:
    """With new credentials both sides find a new path, DTLS goes on, and frames sent meanwhile arrive."""
    async with call() as (client, node):
        tap = listen(node, 0)
        before = find(client, LocalCandidate), find(client, TransportStatistics)
        push(client, 0, *map(audio, range(5)))
        offer = await client.create_offer(restart=True)
        push(client, 0, *map(audio, range(5, 10)))
        await client.accept_answer(await node.answer_offer(offer, POLICY))
        push(client, 0, *map(audio, range(10, 15)))
        await connected(client, node)
        push(client, 0, *map(audio, range(15, 20)))
        await tap.until(lambda: tap.has(20))
        assert not tap.gaps
        after = find(client, LocalCandidate), find(client, TransportStatistics)
        assert after[0].port != before[0].port
        assert after[1].ice_local_username_fragment != before[1].ice_local_username_fragment
        assert client.state is node.state is PeerState.CONNECTED


async def test_a_refused_restart_leaves_the_path_as_it_is() -> None:
    """After an offer of a restart that was refused, the next answer spoke of a path that nobody had agreed on."""
    async with call() as (client, node):
        tap = listen(node, 0)
        before = find(node, TransportStatistics).ice_local_username_fragment
        plain = await client.create_offer()
        cut = (await client.create_offer(restart=True)).split("m=video")[0]
        with pytest.raises(SdpError, match="1 lines offered"):
            await node.answer_offer(cut, POLICY)
        answer = await node.answer_offer(plain, POLICY)
        assert f"a=ice-ufrag:{before}" in answer
        push(client, 0, *map(audio, range(5)))
        await tap.until(lambda: tap.has(5))
        # And a restart that is agreed on is done all the same.
        await client.accept_answer(await node.answer_offer(await client.create_offer(restart=True), POLICY))
        await connected(client, node)
        assert find(node, TransportStatistics).ice_local_username_fragment != before
        push(client, 0, *map(audio, range(5, 10)))
        await tap.until(lambda: tap.has(10))


async def test_an_ignored_restart_leaves_the_path_as_it_is() -> None:
    """A peer that answers a restart as if it were none takes no part in it: the old path was given up for it."""
    async with call() as (client, node):
        tap = listen(node, 0)
        before = find(client, LocalCandidate).port
        answer = await node.answer_offer(await client.create_offer(), POLICY)
        await client.create_offer(restart=True)
        await client.accept_answer(answer)
        await connected(client)
        push(client, 0, *map(audio, range(5)))
        await tap.until(lambda: tap.has(5))
        assert (client.state, find(client, LocalCandidate).port) == (PeerState.CONNECTED, before)
        # What nobody answers changes nothing either, and the restart that is done later is done.
        await client.create_offer(restart=True)
        push(client, 0, *map(audio, range(5, 10)))
        await tap.until(lambda: tap.has(10))
        await client.accept_answer(await node.answer_offer(await client.create_offer(), POLICY))
        await connected(client, node)
        assert find(client, LocalCandidate).port != before
        push(client, 0, *map(audio, range(10, 15)))
        await tap.until(lambda: tap.has(15))


async def test_an_ignored_restart_of_a_failed_peer_is_told() -> None:
    """Where no path is left to be kept, waiting for one ends at once with the reason."""
    async with call() as (client, node):
        answer = await node.answer_offer(await client.create_offer(), POLICY)
        failed = asyncio.Event()
        client.on_state = lambda state: failed.set() if state is PeerState.FAILED else None
        await node._transport._dtls.aclose()
        async with asyncio.timeout(5):
            await failed.wait()
            await client.create_offer(restart=True)
            await client.accept_answer(answer)
            with pytest.raises(IceFailed, match="the peer ended the transport"):
                await client.connected()
        assert client.state is PeerState.FAILED


async def test_a_failed_peer_comes_back() -> None:
    """A peer whose path and handshake are gone gets both anew with another offer: lines and taps stay as they are."""
    async with call() as (client, node):
        tap = listen(node, 1)
        push(client, 1, video(0))
        await tap.until(lambda: tap.frames)
        failed = asyncio.Event()
        client.on_state = lambda state: failed.set() if state is PeerState.FAILED else None
        await node._transport._dtls.aclose()  # close_notify, as a node that restarts sends it
        async with asyncio.timeout(5):
            await failed.wait()
        await client.accept_answer(await node.answer_offer(await client.create_offer(restart=True), POLICY))
        await connected(client, node)
        push(client, 1, video(1))
        await tap.until(lambda: tap.has(2))


async def test_statistics_tell_the_path_the_codecs_and_the_streams() -> None:
    """The objects of W3C are there, refer to each other, and count."""
    async with call() as (client, node):
        tap = listen(node, 1)
        push(client, 1, *map(video, range(4)))
        await tap.until(lambda: tap.has(4))
        kinds = {msgspec.to_builtins(item)["type"] for item in node.statistics(time.monotonic())}
        assert kinds >= {"transport", "candidate-pair", "local-candidate", "remote-candidate", "codec", "inbound-rtp"}
        transport, pair = find(node, TransportStatistics), find(node, CandidatePairStatistics)
        assert transport.selected_candidate_pair_id == pair.id
        assert pair.local_candidate_id == find(node, LocalCandidate).id
        assert (transport.dtls_state, transport.dtls_role, transport.ice_role) == ("connected", "client", "controlled")
        assert transport.srtp_cipher == "SRTP_AEAD_AES_256_GCM"
        assert transport.packets_received >= 4
        assert transport.bytes_received > 4 * len(KEY_FRAME)
        assert find(node, CodecStatistics).mime_type == "audio/opus"
        ids = [item.id for item in node.statistics(time.monotonic())]
        assert len(ids) == len(set(ids))


async def test_candidates_may_come_later() -> None:
    """An offer without candidates is answered, and a trickled one makes the connection."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        offer = await client.create_offer()
        lines = offer.split("\r\n")
        candidates = [line for line in lines if line.startswith("a=candidate")]
        bare = [line for line in lines if line not in candidates and line != "a=end-of-candidates"]
        bare.insert(bare.index("a=rtcp-mux"), "a=ice-options:trickle")
        await client.accept_answer(await node.answer_offer("\r\n".join(bare), POLICY))
        await node.add_candidate("candidate:9 1 tcp 1 127.0.0.1 9 typ host tcptype active", "0")
        await node.add_candidate(candidates[0].removeprefix("a="), "0")
        await node.add_candidate("", "0")
        await node.add_candidate(candidates[0], "0")  # too late, and ignored
        with pytest.raises(SdpError):
            await node.add_candidate("candidate:nonsense")
        await connected(client, node)


async def test_a_blackout_is_noticed_in_seconds() -> None:
    """Silence of the network makes the peer disconnected, and its end connected again; media goes on."""
    config = PeerConfig(addresses=("127.0.0.1",), silence_s=2.2, impairment=Impairment())
    states: asyncio.Queue[PeerState] = asyncio.Queue()
    async with call(config=config) as (client, node):
        tap = listen(node, 0)
        client.on_state = states.put_nowait
        began = time.monotonic()
        client.impair(Impairment(loss=1.0))
        async with asyncio.timeout(8):
            assert await states.get() is PeerState.DISCONNECTED
        assert 2.0 < time.monotonic() - began < 6.0
        client.impair(Impairment())
        async with asyncio.timeout(8):
            assert await states.get() is PeerState.CONNECTED
        push(client, 0, audio(0))
        await tap.until(lambda: tap.frames)


async def test_loss_is_repaired() -> None:
    """On a network that loses a tenth of all datagrams, all pictures arrive: retransmissions fill the holes."""
    config = PeerConfig(addresses=("127.0.0.1",), impairment=Impairment(seed=7))
    async with call(config=config) as (client, node):
        tap = listen(node, 1)
        push(client, 1, video(0))
        await tap.until(lambda: tap.frames)
        client.impair(Impairment(loss=0.1))
        for number in range(1, 31):
            push(client, 1, video(number))
            await asyncio.sleep(0.01)
        client.impair(Impairment())
        push(client, 1, video(31))
        await tap.until(lambda: tap.frames[-1].rtp_time - tap.frames[0].rtp_time == 31 * 3000)
        sent = [item for item in client.statistics(time.monotonic()) if isinstance(item, OutboundRtp)]
        assert sum(item.retransmitted_packets_sent for item in sent) > 0
        assert len(tap.frames) > 28


@pytest.mark.parametrize("way", ["send", "receive"])
async def test_one_direction_suffers_alone(way: str) -> None:
    """A tenth of what goes one way is lost there, as its receiver counts, and nothing of what goes the other way."""
    bad = TwoWayImpairment(**{way: Impairment(loss=0.1, seed=3)})
    async with Peer(replace(LOOPBACK, impairment=bad)) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        await negotiate(client, node)
        await connected(client, node)
        taps = listen(client, 0), listen(node, 0)
        for number in range(110):
            push(client, 0, audio(number))
            push(node, 0, audio(number))
        for tap in taps:
            await tap.until(partial(tap.came_to, 100 * 960))
        suffers, is_well = (node, client) if way == "send" else (client, node)
        assert find(is_well, InboundRtp).network_lost == 0
        assert 2 <= find(suffers, InboundRtp).network_lost <= 25


async def test_ports_and_families_can_be_chosen() -> None:
    """IPv6 loopback works like IPv4's, and ports stay in the range that was given."""
    config = PeerConfig(addresses=("::1",), ports=(42000, 42400))
    async with call(config=config) as (client, node):
        for peer in (client, node):
            local = find(peer, LocalCandidate)
            assert local.address == "::1"
            assert 42000 <= local.port <= 42400
        tap = listen(node, 0)
        push(client, 0, audio(0))
        await tap.until(lambda: tap.frames)


async def test_no_path_fails_by_itself() -> None:
    """When no candidates fit each other, both sides say so as soon as their patience ends."""
    async with (
        Peer(PeerConfig(addresses=("127.0.0.1",), patience_s=0.3)) as client,
        Peer(PeerConfig(addresses=("::1",), patience_s=0.3)) as node,
    ):
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        await client.accept_answer(await node.answer_offer(await client.create_offer(), POLICY))
        for peer in (client, node):
            async with asyncio.timeout(10):
                with pytest.raises(IceFailed):
                    await peer.connected()
            assert peer.state is PeerState.FAILED


async def test_a_wrong_candidate_does_not_end_the_search() -> None:
    """The only candidate of the peer leads nowhere; its own check comes later and is enough (RFC 8863)."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        offer = await client.create_offer()
        lines = [
            f"a=candidate:1 1 udp 1 ::1 {line.split()[5]} typ host" if line.startswith("a=candidate") else line
            for line in offer.split("\r\n")
        ]
        await client.accept_answer(await node.answer_offer("\r\n".join(lines), POLICY))
        await connected(client, node)


@pytest.mark.parametrize("path", OFFERS, ids=lambda path: path.stem)
async def test_every_known_offer_is_answered_by_a_peer(path: Path) -> None:
    """What real and faulty clients offer gets lines, an answer that can be read, and a second answer to the same."""
    text = path.read_bytes().decode()
    async with Peer(LOOPBACK) as peer:
        for _ in range(2):
            answer = parse_sdp(await peer.answer_offer(text, POLICY))
            assert len(answer.media) == len(peer.lines) == len(parse_sdp(text).media)
            assert not answer.media[0].rejected
        for line, media in zip(peer.lines, answer.media, strict=True):
            assert (line.receiver is not None) is media.direction.receives
            assert (line.sender is not None) is media.direction.sends
            assert line.rejected is media.rejected
        assert parse_sdp(await peer.create_offer()).media[0].payloads == answer.media[0].payloads


async def test_rubbish_in_parameter_sets_is_passed_over() -> None:
    """What is no ASCII came out of the base64 reader as a ValueError of its own."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.H264])
        offer = (await client.create_offer()).replace("mode=1", "mode=1;sprop-parameter-sets=\u00e9")
        assert await node.answer_offer(offer, POLICY)


async def test_a_place_may_be_used_again() -> None:
    """A rejected line that comes back with another mid and kind is a new line; fewer lines are an error."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP8])
        offer = await client.create_offer()
        await client.accept_answer(await node.answer_offer(offer, POLICY))
        old = node.lines[1].receiver
        assert old is not None
        ended = Collector()
        old.add_tap(ended)
        audio_line, video_line = offer.split("m=")[1:]
        again = offer.split("m=")[0].replace("BUNDLE 0 1", "BUNDLE 0 x") + "m=" + audio_line
        again += "m=" + audio_line.replace("a=mid:0", "a=mid:x").replace("a=ssrc:", "a=x-ssrc:")
        await node.answer_offer(again, POLICY)
        assert [(line.kind, line.mid) for line in node.lines] == [(Kind.AUDIO, "0"), (Kind.AUDIO, "x")]
        assert ended.ended
        with pytest.raises(SdpError):
            await node.answer_offer(offer[: -len("m=" + video_line)], POLICY)
