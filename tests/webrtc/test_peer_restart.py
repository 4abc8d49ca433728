"""ICE restarts of a call: done, refused, ignored, and after a failure."""

from __future__ import annotations

import asyncio

import pytest

from pexrtc_py.errors import IceFailed, SdpError
from pexrtc_py.webrtc.peer import PeerState
from pexrtc_py.webrtc.transport_statistics import LocalCandidate, TransportStatistics
from tests.support.peers import POLICY, States, audio, call, connected, find, listen, push, video


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
        states = States(client)
        await node._transport._dtls.aclose()
        async with asyncio.timeout(5):
            await states.failed.wait()
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
        states = States(client)
        await node._transport._dtls.aclose()  # close_notify, as a node that restarts sends it
        async with asyncio.timeout(5):
            await states.failed.wait()
        await client.accept_answer(await node.answer_offer(await client.create_offer(restart=True), POLICY))
        await connected(client, node)
        push(client, 1, video(1))
        await tap.until(lambda: tap.has(2))
