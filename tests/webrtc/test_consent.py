"""Consent to send (RFC 7675): who is silent is told as disconnected in seconds, and sent nothing more after thirty."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from aioice.ice import CandidatePair
from aioice.stun import Class, Message, Method, TransactionTimeout

from pexrtc_py.errors import IceFailed
from pexrtc_py.webrtc.ice import IceCandidate, IceConnection, MediaProtocol
from pexrtc_py.webrtc.peer import PeerState
from tests.support.peers import States, audio, call, listen, push

from .test_ice import make_connection

ANSWER_WAIT_S = 0.5


class Clockwork:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Asked(MediaProtocol):
    """A local address from which checks are asked; they are answered, or not."""

    def __init__(self, connection: IceConnection, clock: Clockwork, is_answered: Callable[[float], bool]) -> None:
        super().__init__(connection)
        self.local_candidate = IceCandidate("1", 1, "udp", 1, "127.0.0.1", 1, "host")
        self.asked: list[float] = []
        self._clock = clock
        self._is_answered = is_answered

    async def request(
        self,
        request: Message,
        addr: tuple[str, int],
        integrity_key: bytes | None = None,
        retransmissions: int | None = None,
    ) -> tuple[Message, tuple[str, int]]:
        self.asked.append(self._clock.now)
        if not self._is_answered(self._clock.now):
            await self._clock.sleep(ANSWER_WAIT_S)
            raise TransactionTimeout
        await self._clock.sleep(0.02)
        return Message(message_method=Method.BINDING, message_class=Class.RESPONSE), addr


class Watch:
    """A connection whose consent is checked in virtual time, and what it tells."""

    def __init__(self, is_answered: Callable[[float], bool]) -> None:
        self.clock = Clockwork()
        self.begun = self.clock.now
        self.ice = make_connection()
        self.ice.clock, self.ice.sleep = lambda: self.clock.now, self.clock.sleep
        self.ice.remote_username, self.ice.remote_password = "them", "theirPasswordOf24Letters"
        self.protocol = Asked(self.ice, self.clock, lambda now: is_answered(now - self.begun))
        self.ice.selected = CandidatePair(self.protocol, IceCandidate("1", 1, "udp", 1, "127.0.0.1", 2, "host"))
        self.silences: list[tuple[float, float]] = []
        """When, from the beginning on, how many seconds of silence were told."""
        self.ice.on_silence = lambda silence_s: self.silences.append((self.clock.now - self.begun, silence_s))

    async def run(self) -> float:
        """Check until the consent is over; return after how long that was."""
        async with asyncio.timeout(5):
            await self.ice.query_consent()
        return self.clock.now - self.begun


async def test_silence_is_told_in_seconds_and_ends_after_thirty() -> None:
    """A peer that answers nothing is asked each second from the third on, told of each time, and over at 30 s."""
    watch = Watch(lambda now: False)
    assert 30.0 <= await watch.run() < 32.0
    assert next(at for at, silence_s in watch.silences if silence_s >= 4.0) < 6.0
    assert all(at - silence_s < 1e-6 for at, silence_s in watch.silences)
    asked = [at - watch.begun for at in watch.protocol.asked]
    assert asked[0] <= 2.1
    assert all(0.4 < later - earlier <= 1.1 for earlier, later in pairwise(asked))
    assert watch.ice.consent_responses == 0
    assert watch.ice.consent_requests == len(asked)
    await watch.ice.close()


async def test_thirty_seconds_count_from_the_last_answer() -> None:
    """Who answers for a minute, and again at 80 s, has until 110 s; while he answers no silence of 4 s is told."""
    watch = Watch(lambda now: now < 60 or 80 < now < 81)
    assert 110.0 <= await watch.run() < 113.0
    assert all(silence_s < 4 for at, silence_s in watch.silences if at < 60)
    assert any(silence_s > 19 for at, silence_s in watch.silences if at < 81)
    assert any(silence_s < 0.1 for at, silence_s in watch.silences if 80 < at < 82)


async def test_a_peer_that_answers_is_asked_for_ever() -> None:
    """Ten minutes without media: answered checks alone keep the consent, and are few."""
    watch = Watch(lambda now: now < 600)
    assert await watch.run() >= 630
    early = [at for at in watch.protocol.asked if at - watch.begun < 600]
    assert len(early) < 600 / 1.9


async def test_media_stops_when_the_consent_is_over() -> None:
    """Over sockets, its clock ten times as fast: connected, disconnected, failed; from then on nothing is sent."""
    async with call() as (client, node):
        states = States(client)
        tap = listen(node, 0)
        push(client, 0, audio(0))
        await tap.until(lambda: tap.frames)
        # The node hears all and says nothing: no answers, no checks and no reports of its own.
        theirs, ice = node._transport._ice, client._transport._ice
        theirs._route = None
        for protocol in theirs.protocols:
            protocol.transport.sendto = lambda data, addr=None: None  # type: ignore[method-assign]  # this one only
        sent: list[bytes] = []
        assert ice._route is not None
        send, addr = ice._route
        ice._route, ice._socket = (partial(_keep, sent, send), addr), None  # one by one, not in bursts
        begun = time.monotonic()
        ice.clock = lambda: begun + 10 * (time.monotonic() - begun)
        ice.sleep = lambda seconds: asyncio.sleep(seconds / 10)
        number = 1
        async with asyncio.timeout(12):
            while not states.failed.is_set():
                push(client, 0, audio(number))
                number += 1
                await asyncio.sleep(0.02)  # the pace of the media
        assert states.all == [PeerState.DISCONNECTED, PeerState.FAILED]
        assert 2.5 < time.monotonic() - begun < 6.0
        assert isinstance(client._transport.error, IceFailed)
        assert "silent" in str(client._transport.error)
        await asyncio.sleep(0.05)  # what is under way arrives
        heard = len(tap.frames)
        assert heard > 50, "sent while there was consent"
        assert len(sent) > 50
        del sent[:]
        for late in range(number, number + 20):
            push(client, 0, audio(late))
            await asyncio.sleep(0.01)
        assert sent == []
        assert len(tap.frames) == heard


def _keep(
    sent: list[bytes], send: Callable[[bytes, tuple[str, int]], None], data: bytes, addr: tuple[str, int]
) -> None:
    sent.append(data)
    send(data, addr)
