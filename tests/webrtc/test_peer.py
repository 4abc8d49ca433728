"""Two peers on loopback: frames both ways, what is refused, what is told, endings."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from pexrtc_py.errors import CodecMismatch, IceFailed, LocalProtocolError, SdpError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction, parse_sdp
from pexrtc_py.webrtc.peer import IceServer, Peer, PeerState
from pexrtc_py.webrtc.transport_statistics import (
    CandidatePairStatistics,
    CodecStatistics,
    LocalCandidate,
    TransportStatistics,
)
from tests.support.peers import KEY_FRAME, LOOPBACK, POLICY, States, audio, call, find, listen, push, video
from tests.support.taps import Collector

OFFERS = [
    path
    for path in sorted((Path(__file__).parent.parent / "data" / "sdp").glob("*-offer.sdp"))
    if "unknown-codecs" not in path.stem
]


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


async def test_the_other_side_learns_of_the_end() -> None:
    """Closing one peer is noticed by the other at once, as a failure of its transport."""
    async with call() as (client, node):
        states = States(node)
        await client.aclose()
        async with asyncio.timeout(5):
            await states.failed.wait()
    assert states.all == [PeerState.FAILED, PeerState.CLOSED]


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
        assert "\u00e9" in offer
        assert not parse_sdp(await node.answer_offer(offer, POLICY)).media[0].rejected
