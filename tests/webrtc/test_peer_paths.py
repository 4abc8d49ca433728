"""How two peers find a path, which one it is, and networks that are bad or have none."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest

from pexrtc_py.errors import IceFailed, SdpError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.impairment import Impairment, TwoWayImpairment
from pexrtc_py.webrtc.peer import Peer, PeerConfig, PeerState
from pexrtc_py.webrtc.statistics import InboundRtp, OutboundRtp
from pexrtc_py.webrtc.transport_statistics import LocalCandidate
from tests.support.peers import LOOPBACK, POLICY, audio, call, connected, find, listen, negotiate, push, video


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
