"""Calls through a TURN server that is not ours: coturn, over UDP and TCP, and what happens when there is none."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from pexrtc_py import Node, NodeConfig
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.errors import IceFailed
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.models import TurnServer
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.ice_relay import ChannelTimes
from pexrtc_py.webrtc.peer import IceServer, Peer, PeerConfig
from pexrtc_py.webrtc.transport_statistics import LocalCandidate
from tests.interop.conftest import need_program
from tests.interop.ours import our_endpoint
from tests.support.commands import pexrtc
from tests.support.peers import POLICY, audio, connected, find, listen, push
from tests.support.programs import free_port, program, until_answers


class Coturn:
    """A TURN server on loopback."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.process = process

    def config(self, transport: str) -> PeerConfig:
        """Relay only, over this server."""
        return PeerConfig(
            addresses=("127.0.0.1",),
            relay_only=True,
            ice_servers=(IceServer(urls=(self.url(transport),), username="user", credential="secret"),),
        )

    def url(self, transport: str) -> str:
        """How it is reached."""
        return f"turn:127.0.0.1:{self.port}?transport={transport}"


@pytest_asyncio.fixture
async def coturn() -> AsyncIterator[Coturn]:
    """coturn with one user; a machine without it fails with the name of its package."""
    turnserver = need_program("turnserver", "coturn")
    port = free_port()
    command = (
        f"{turnserver} -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port={port} --allow-loopback-peers "
        "--no-cli --lt-cred-mech --user=user:secret --realm=test --no-tls --no-dtls --log-file=stdout --pidfile= "
        "--no-multicast-peers"
    )
    async with program(*command.split()) as process:
        await until_answers(port)
        yield Coturn(port, process)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_passes_through_relays_only(coturn: Coturn, transport: str) -> None:
    """Both ends show nothing but relays, connect, and exchange sound; the descriptions tell no other address."""
    config = coturn.config(transport)
    async with Peer(config) as client, Peer(config) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        offer = await client.create_offer()
        candidates = [line for line in offer.split("\r\n") if line.startswith("a=candidate")]
        assert candidates
        assert all(" typ relay raddr 0.0.0.0 rport 9" in line for line in candidates)
        await client.accept_answer(await node.answer_offer(offer, POLICY))
        await connected(client, node)
        assert find(client, LocalCandidate).candidate_type == "relay"
        taps = [listen(node, 0), listen(client, 0)]
        for number in range(50):
            push(client, 0, audio(number))
            push(node, 0, audio(number))
        for tap in taps:
            await tap.until(partial(tap.has, 50))
            assert not tap.gaps


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_channels_are_bound_anew(coturn: Coturn, transport: str) -> None:
    """Four minutes on, by the clock that nobody sets, media has the channel bound again, and none is lost by it."""
    async with Peer(coturn.config(transport)) as client, Peer(PeerConfig(addresses=("127.0.0.1",))) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        await client.accept_answer(await node.answer_offer(await client.create_offer(), POLICY))
        await connected(client, node)
        tap = listen(node, 0)
        push(client, 0, audio(0))
        await tap.until(partial(tap.has, 1))
        [times] = [found for found in gc.get_objects() if isinstance(found, ChannelTimes) and found.bound]
        before = times.bound
        times.clock = lambda: time.monotonic() + 241
        for number in range(1, 50):
            push(client, 0, audio(number))
        await tap.until(partial(tap.has, 50))
        assert not tap.gaps
        async with asyncio.timeout(5):
            while times.bound == before:  # noqa: ASYNC110 - nobody tells of a binding
                await asyncio.sleep(0.01)
        assert times.bound <= before + len(times)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_endpoint_reaches_a_node_through_a_relay_only(coturn: Coturn, transport: str) -> None:
    """The node names the server and wants relays only; known sound and pictures pass, and no other path is used."""
    server = TurnServer(urls=[coturn.url(transport)], username="user", credential="secret")
    far_marks, near_marks = range(1_000_000, 1_010_000), range(2_000_000, 2_010_000)
    async with (
        asyncio.timeout(45),
        Node(NodeConfig(turn=(server,), use_relay_candidates_only=True)) as node,
        our_endpoint(node.url, "meet.alice", hz=1000, first_id=far_marks.start) as far,
        our_endpoint(node.url, "meet.alice", name="Near", hz=700, first_id=near_marks.start) as near,
    ):
        await far.ear.hears(700)
        await near.ear.hears(1000)
        await far.eye.sees(near_marks)
        await near.eye.sees(far_marks)
        assert find(far.call.peer, LocalCandidate).candidate_type == "relay"
        assert find(near.call.peer, LocalCandidate).candidate_type == "relay"


async def test_a_probe_goes_by_relays_only_where_asked(coturn: Coturn) -> None:
    """`--relay-only` as typed: the pair is one of relays, a probe measures through it, and what it sends comes back."""
    server = TurnServer(urls=[coturn.url("udp")], username="user", credential="secret")
    async with asyncio.timeout(55), Node(NodeConfig(turn=(server,))) as node:
        arguments = ("--node", node.url, "meet.alice", "--json", "--relay-only")
        done = await pexrtc("doctor", *arguments, "--alone")
        assert done.code == ExitCode.DONE, done.err
        pair = next(step["detail"] for step in json.loads(done.out)["steps"] if step["name"] == "ICE")
        assert pair.startswith("relay to ")
        done = await pexrtc(
            *("probe", "--pair", "--size", "320x180", "--duration", "4", *arguments),
            *("--fail-if", "video.unread_ratio > 5%", "--fail-if", "audio.loss_ratio > 1%"),
        )
        assert done.code == ExitCode.DONE, done.err
        series = json.loads(done.out)["series"]
        measured = {(one["metric"], one["stream"]) for one in series}
        for stream in ("Probe → Probe 2", "Probe 2 → Probe"):
            assert {(metric, stream) for metric in ("video.delay_ms", "audio.delay_ms", "av.skew_ms")} <= measured


async def test_a_probe_without_a_relay_says_so() -> None:
    """`--relay-only` where the node names no TURN server: the step that fails is ICE, with what to do about it."""
    async with asyncio.timeout(30), Node(NodeConfig()) as node:
        done = await pexrtc("doctor", "--node", node.url, "meet.alice", "--json", "--relay-only")
    assert done.code == ExitCode.UNREACHABLE, done.err
    (failed,) = [step for step in json.loads(done.out)["steps"] if step["passed"] is False]
    assert failed["name"] == "ICE"
    assert "TURN" in failed["cure"]


async def test_a_server_that_dies_does_not_hold_us(coturn: Coturn) -> None:
    """Closing takes a second or two, not the minute that retransmissions to a dead server would."""
    async with Peer(coturn.config("udp")) as peer:
        peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        await peer.create_offer()
        coturn.process.kill()
        await coturn.process.wait()
        began = time.monotonic()
    assert time.monotonic() - began < 5.0


async def test_relay_only_without_a_relay_is_an_error() -> None:
    """A silent server costs two seconds and is named; no candidate of another kind is used instead."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = IceServer(urls=(f"turn:127.0.0.1:{silent.getsockname()[1]}",), username="u", credential="p")
        async with Peer(PeerConfig(relay_only=True, ice_servers=(server,))) as peer:
            peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
            began = time.monotonic()
            with pytest.raises(IceFailed, match=r"no TURN server gave a relay within 2 s \(127\.0\.0\.1:"):
                await peer.create_offer()
            assert 1.8 < time.monotonic() - began < 6.0


async def test_wrong_credentials_are_an_error(coturn: Coturn) -> None:
    """A server that refuses us is as good as none, and refuses at once."""
    url = f"turn:127.0.0.1:{coturn.port}"
    server = IceServer(urls=(url,), username="user", credential="wrong")
    async with Peer(PeerConfig(relay_only=True, ice_servers=(server,))) as peer:
        peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        with pytest.raises(IceFailed):
            await peer.create_offer()
