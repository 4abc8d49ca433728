"""The encrypted path: two transports on loopback, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from aiortc.rtcdtlstransport import generate_certificate
from cryptography.hazmat.primitives.asymmetric import rsa

from pexrtc_py.errors import DtlsFailed, IceFailed
from pexrtc_py.protocol.sdp import Fingerprint, Setup, parse_candidate
from pexrtc_py.webrtc.dtls import Certificate, DtlsTransport
from pexrtc_py.webrtc.transport import MediaTransport
from pexrtc_py.webrtc.transport_config import TransportConfig, TransportHandlers, TransportState
from pexrtc_py.webrtc.transport_statistics import TransportStatistics

LOOPBACK = TransportConfig(addresses=("127.0.0.1",))


def rtp(sequence: int, *, ssrc: int = 7, payload: bytes = b"media") -> bytes:
    """A small RTP packet."""
    return struct.pack("!BBHII", 0x80, 96, sequence, 0, ssrc) + payload


@dataclass
class End:
    """A transport and what it handed out."""

    config: TransportConfig = LOOPBACK
    received: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    states: list[TransportState] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    on_state: Callable[[TransportState], None] | None = None

    def __post_init__(self) -> None:
        handlers = TransportHandlers(
            on_rtp=lambda packet, _: self._note(self.received, packet),
            on_rtcp=lambda packet, _: self._note(self.reports, packet),
            on_state=self._follow,
        )
        self.transport = MediaTransport(self.config, handlers)

    def _follow(self, state: TransportState) -> None:
        self._note(self.states, state)
        if self.on_state is not None:
            self.on_state(state)

    def _note(self, where: list[Any], what: object) -> None:
        where.append(what)
        self.changed.set()

    def is_in(self, state: TransportState) -> bool:
        """Whether this is its state."""
        return self.transport.state is state

    async def until(self, condition: object) -> None:
        """Wait until a callable is true; looked at after each change."""
        assert callable(condition)
        async with asyncio.timeout(15):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


async def connect(a: End, b: End) -> None:
    """Let a call b."""
    await a.transport.gather()
    await b.transport.gather()
    a.transport.start(b.transport.local_parameters(Setup.ACTIVE), controlling=True, client=False)
    b.transport.start(a.transport.local_parameters(Setup.ACTPASS), controlling=False, client=True)
    async with asyncio.timeout(10):
        await a.transport.connected()
        await b.transport.connected()


async def test_packets_pass_both_ways() -> None:
    """What one end sends the other receives as it was, RTP and RTCP apart."""
    a, b = End(), End()
    try:
        await connect(a, b)
        for sequence in range(10):
            a.transport.media.send_rtp([rtp(sequence)])
        b.transport.media.send_rtcp(struct.pack("!BBHI", 0x80, 201, 1, 9))
        await b.until(lambda: len(b.received) == 10)
        await a.until(lambda: a.reports)
        assert b.received == [rtp(sequence) for sequence in range(10)]
        assert a.reports == [struct.pack("!BBHI", 0x80, 201, 1, 9)]
        assert not a.received
        assert not b.reports
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


async def test_hundreds_of_packets_pass_in_one_burst() -> None:
    """More than one wake-up reads are all there and in order: nothing is lost between socket and callback."""
    a, b = End(), End()
    try:
        await connect(a, b)
        packets = [rtp(sequence, payload=bytes(1000)) for sequence in range(200)]
        for packet in packets:
            a.transport.media.send_rtp([packet])
        await b.until(lambda: len(b.received) == len(packets))
        assert b.received == packets
        assert a.transport.media.counts.packets_sent == b.transport.media.counts.packets_received == len(packets)
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


def test_uvloop_carries_the_same() -> None:
    """The path is the same on uvloop's loop."""
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_packets_pass_both_ways())
        runner.run(test_hundreds_of_packets_pass_in_one_burst())


async def test_strangers_and_damage_are_dropped() -> None:
    """Datagrams that are no media of the peer change nothing: they are counted, or ignored."""
    a, b = End(), End()
    try:
        await connect(a, b)
        local = b.transport.local_parameters(Setup.ACTIVE).candidates[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stun = bytes.fromhex("000100082112a442") + bytes(12)
            for data in (
                b"",
                b"\x80",
                b"\x80\xc8",
                rtp(1),
                bytes([0x80]) + bytes(1700),
                b"\x16\xfe\xfd" + bytes(60),
                stun + bytes.fromhex("0009000100000000"),
                stun + bytes.fromhex("8022000100000000"),
                bytes.fromhex("000100042112a442") + bytes(12) + bytes.fromhex("00200000"),
                b"\xff" * 100,
            ):
                stranger.sendto(data, (local.host, local.port))
        a.transport.media.send_rtp([bytes(2000)])  # too long for an SRTP packet
        a.transport.media.send_rtp([b""])
        a.transport.media.send_rtp([rtp(1)])
        await b.until(lambda: b.received)
        assert b.received == [rtp(1)]
        assert b.transport.media.counts.packets_discarded == 4
        assert a.transport.media.counts.packets_discarded == 2
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


async def test_packets_before_the_handshake_are_dropped() -> None:
    """Sending too early, or too late, is no error."""
    end = End()
    end.transport.media.send_rtp([rtp(1)])
    end.transport.media.send_rtcp(rtp(1))
    await end.transport.aclose()
    await end.transport.aclose()
    end.transport.media.send_rtp([rtp(1)])
    with pytest.raises(IceFailed):
        await end.transport.connected()
    assert end.states == [TransportState.CLOSED]


async def test_a_wrong_certificate_is_refused() -> None:
    """Whoever cannot show the announced certificate gets no media."""
    a, b = End(), End()
    try:
        await a.transport.gather()
        await b.transport.gather()
        wrong = replace(
            b.transport.local_parameters(Setup.ACTIVE), fingerprints=(Fingerprint(algorithm="sha-256", value="00:11"),)
        )
        a.transport.start(wrong, controlling=True, client=False)
        b.transport.start(a.transport.local_parameters(Setup.ACTPASS), controlling=False, client=True)
        with pytest.raises(DtlsFailed, match="not the announced one"):
            async with asyncio.timeout(10):
                await a.transport.connected()
        assert a.states == [TransportState.CONNECTING, TransportState.FAILED]
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


class _RsaCertificate(Certificate):
    """A certificate as GStreamer and older gateways have: an RSA key."""

    @classmethod
    def make(cls) -> _RsaCertificate:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        # aiortc's type says elliptic curves only; its code signs with whatever key it is given.
        return cls(key=cast(Any, key), cert=generate_certificate(cast(Any, key)))


@pytest.mark.parametrize("client", [True, False], ids=["we-open", "they-open"])
async def test_rsa_peers_are_taken(client: bool) -> None:
    """A peer with an RSA certificate shakes hands with us in both roles; stock aiortc fails as DTLS client."""
    a, b = End(), End()
    b.transport._certificate = _RsaCertificate.make()
    b.transport._dtls = DtlsTransport(b.transport._ice, b.transport._certificate, b.transport._follow_dtls)
    try:
        await a.transport.gather()
        await b.transport.gather()
        a.transport.start(b.transport.local_parameters(Setup.ACTPASS), controlling=True, client=client)
        b.transport.start(a.transport.local_parameters(Setup.ACTPASS), controlling=False, client=not client)
        async with asyncio.timeout(10):
            await a.transport.connected()
            await b.transport.connected()
        a.transport.media.send_rtp([rtp(1)])
        await b.until(lambda: b.received)
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


async def test_media_before_our_keys_is_kept() -> None:
    """Packets sent by a peer that is done with the handshake before us are handed out, in order."""
    a, b = End(), End()
    packets = [rtp(sequence) for sequence in range(20)]

    def send_at_once(state: TransportState) -> None:
        if state is TransportState.CONNECTED:
            for packet in packets:
                a.transport.media.send_rtp([packet])

    a.on_state = send_at_once
    try:
        await connect(a, b)  # a is the DTLS server: it is done when its last message leaves, b when that arrives
        await b.until(lambda: len(b.received) == len(packets))
        assert b.received == packets
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


async def test_closing_goes_on_when_it_is_cancelled() -> None:
    """A second close waited for ever for the first one, which was cancelled and left the socket open."""
    a, b = End(), End()
    sockets = len(list(Path("/proc/self/fd").iterdir()))
    await connect(a, b)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await a.transport.aclose()
    async with asyncio.timeout(10):
        await a.transport.aclose()
    await b.transport.aclose()
    assert len(list(Path("/proc/self/fd").iterdir())) == sockets


async def test_a_peer_names_only_so_many_addresses() -> None:
    """Each candidate has us send checks to wherever it points; there was no end to them."""
    a, b = End(), End()
    await connect(a, b)
    for port in range(1000, 1300):
        await a.transport.add_candidate(parse_candidate(f"candidate:1 1 udp 1 192.0.2.1 {port} typ host"))
    assert len(a.transport._newest.remote_candidates) <= 100
    await asyncio.gather(a.transport.aclose(), b.transport.aclose())


async def test_closing_leaves_nothing_behind() -> None:
    """Calls come and go without a file descriptor or a task left, whoever closes first and however often."""
    a, b = End(), End()
    await connect(a, b)  # loads what is loaded once
    await asyncio.gather(a.transport.aclose(), a.transport.aclose(), b.transport.aclose())
    sockets, tasks = len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
    for _ in range(5):
        a, b = End(), End()
        await connect(a, b)
        await b.transport.aclose()
        await a.until(partial(a.is_in, TransportState.FAILED))
        await a.transport.aclose()
    assert len(list(Path("/proc/self/fd").iterdir())) == sockets
    assert len(asyncio.all_tasks()) == tasks


async def test_what_found_no_room_in_the_socket_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Datagrams that the kernel dropped, because nobody read in time, are told by the statistics and at the end."""
    a, b = End(), End()
    try:
        await connect(a, b)

        def overflowed() -> int:
            return sum(
                item.datagrams_overflowed
                for item in b.transport.statistics(0.0)
                if isinstance(item, TransportStatistics)
            )

        assert overflowed() == 0
        count = 4000  # no turn of the loop in between: 4 MB, where a socket has 2 at most
        a.transport.media.send_rtp([rtp(sequence, payload=bytes(1000)) for sequence in range(count)])
        await b.until(lambda: len(b.received) + overflowed() == count)
        assert overflowed() > 0
    finally:
        await a.transport.aclose()
        await b.transport.aclose()
    assert f"{count - len(b.received)} datagrams found no room" in caplog.text
    assert b.transport.datagrams_overflowed == count - len(b.received)  # known after the end too
