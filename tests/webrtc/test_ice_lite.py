"""ICE-lite on our side, and towards it: who only answers sends no check, never controls, and takes the path chosen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from aioice import stun

from pexrtc_py.errors import IceFailed, UsageError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction, parse_sdp
from pexrtc_py.webrtc.peer import IceServer, Peer, PeerConfig, PeerState
from pexrtc_py.webrtc.transport_statistics import CandidatePairStatistics, TransportStatistics
from tests.support.peers import LOOPBACK, POLICY, audio, connected, find, listen, negotiate, push
from tests.support.waiting import until

LITE = replace(LOOPBACK, ice_lite=True)


@contextmanager
def requests_of(peer: Peer) -> Iterator[list[stun.Message]]:
    """The STUN requests that a peer sends, from now on."""
    sent: list[stun.Message] = []

    def keep(send: Callable[..., None], data: bytes, addr: object) -> None:
        if data and data[0] < 2 and (message := stun.parse_message(bytes(data))).message_class is stun.Class.REQUEST:
            sent.append(message)
        send(data, addr)

    for protocol in peer._transport._newest.protocols:
        transport = protocol.transport
        transport.sendto = partial(keep, transport.sendto)  # type: ignore[method-assign]  # of this instance only
    yield sent


def lined(peer: Peer) -> Peer:
    """Give a peer a line of sound."""
    peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
    return peer


@pytest.mark.parametrize("lite_offers", [True, False], ids=["lite-offers", "lite-answers"])
async def test_a_lite_end_answers_and_follows(lite_offers: bool) -> None:
    """Whoever offers, the full end controls, checks and nominates; media passes both ways."""
    async with Peer(LITE) as lite, Peer(LOOPBACK) as full:
        caller, called = (lite, full) if lite_offers else (full, lite)
        offer = await lined(caller).create_offer()
        await called._transport.gather()
        with requests_of(lite) as asked, requests_of(full) as checks:
            answer = await called.answer_offer(offer, POLICY)
            said = parse_sdp(offer), parse_sdp(answer)
            assert [text.ice_lite for text in said] == [lite_offers, not lite_offers]
            await caller.accept_answer(answer)
            await connected(lite, full)
            taps = listen(lite, 0), listen(full, 0)
            for peer, tap in zip((full, lite), taps, strict=True):
                push(peer, 0, *map(audio, range(5)))
                await tap.until(partial(tap.has, 5))
        assert not asked
        assert checks
        roles = [find(peer, TransportStatistics).ice_role for peer in (lite, full)]
        assert roles == ["controlled", "controlling"]
        pairs = [find(peer, CandidatePairStatistics) for peer in (lite, full)]
        assert all(pair.nominated for pair in pairs)
        assert pairs[0].consent_requests_sent == 0


async def test_a_lite_end_without_a_candidate_of_the_peer() -> None:
    """The peer names no address (behind NAT those would be wrong): its checks tell where it is."""
    async with Peer(LITE) as lite, lined(Peer(LOOPBACK)) as full:
        lines = (await full.create_offer()).splitlines(keepends=True)
        offer = "".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))
        await full.accept_answer(await lite.answer_offer(offer, POLICY))
        await connected(lite, full)
        assert find(lite, CandidatePairStatistics).nominated


async def test_a_lite_end_follows_an_ice_restart() -> None:
    """New credentials, a new socket, the same DTLS: the peer's new checks move the path, and sound goes on."""
    async with Peer(LITE) as lite, lined(Peer(LOOPBACK)) as full:
        await negotiate(full, lite)
        await connected(lite, full)
        before = {address(full), address(lite)}
        await full.accept_answer(await lite.answer_offer(await full.create_offer(restart=True), POLICY))
        await connected(lite, full)
        assert before.isdisjoint({address(full), address(lite)})
        tap = listen(lite, 0)
        push(full, 0, *map(audio, range(5)))
        await tap.until(partial(tap.has, 5))


def address(peer: Peer) -> tuple[str, int]:
    """The local end of the path in use."""
    pair = peer._transport._ice.selected
    assert pair is not None
    return pair.local_addr


async def test_checks_without_nomination_choose_nothing() -> None:
    """A path that the peer has checked but not chosen carries nothing; a wrong password is refused."""
    async with Peer(LITE) as lite, lined(Peer(LOOPBACK)) as full:
        offer = await full.create_offer()
        answer = parse_sdp(await lite.answer_offer(offer, POLICY))
        line = answer.media[0]
        ours = parse_sdp(offer).media[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))
            where = line.candidates[0].host, line.candidates[0].port
            for password, nominate, wanted in (
                ("wrong" * 5, True, stun.Class.ERROR),
                (line.ice_pwd, False, stun.Class.RESPONSE),
                (line.ice_pwd, True, stun.Class.RESPONSE),
            ):
                assert lite._transport._ice.selected is None
                request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
                request.attributes["USERNAME"] = f"{line.ice_ufrag}:{ours.ice_ufrag}"
                request.attributes["PRIORITY"] = 1
                request.attributes["ICE-CONTROLLING"] = 1
                if nominate:
                    request.attributes["USE-CANDIDATE"] = None
                request.add_message_integrity((password or "").encode())
                sock.sendto(bytes(request), where)
                async with asyncio.timeout(5):
                    data = await asyncio.get_running_loop().sock_recv(sock, 2048)
                assert stun.parse_message(data).message_class is wanted
            selected = await until(lambda: lite._transport._ice.selected)
            assert selected.remote_addr == sock.getsockname()


async def test_a_peer_in_the_wrong_role_is_corrected() -> None:
    """A full peer that takes itself for controlled learns by the conflict of roles that it is not."""
    async with Peer(LITE) as lite, Peer(LOOPBACK) as full:
        offer = (await lined(lite).create_offer()).replace("a=ice-lite\r\n", "")
        await lite.accept_answer(await full.answer_offer(offer, POLICY))
        await connected(lite, full)
        assert [find(peer, TransportStatistics).ice_role for peer in (lite, full)] == ["controlled", "controlling"]


async def test_two_lite_ends_fail_at_once() -> None:
    """Neither would look for a path: that is said, and not waited for."""
    async with Peer(LITE) as caller, Peer(LITE) as called:
        await negotiate(lined(caller), called)
        for peer in (caller, called):
            with pytest.raises(IceFailed, match="both sides are ICE-lite"):
                async with asyncio.timeout(5):
                    await peer.connected()
            assert peer.state is PeerState.FAILED


@pytest.mark.parametrize(
    ("name", "config"),
    [("relay_only", {"relay_only": True}), ("ice_servers", {"ice_servers": (IceServer(urls=("stun:192.0.2.1",)),)})],
)
def test_what_does_not_go_with_lite(name: str, config: dict[str, object]) -> None:
    """Servers are for those whom nobody can reach; the error names what was given."""
    with pytest.raises(UsageError, match=f"ice_lite .* {name}"):
        PeerConfig(ice_lite=True, **config)  # type: ignore[arg-type]  # of a table
