"""Sockets read together: nothing is lost or late for long, arrivals are the kernel's, nothing is left behind."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pexrtc_py.webrtc.batch import StampedClock
from pexrtc_py.webrtc.sweep import HOLD_S
from pexrtc_py.webrtc.udp import UdpTransport, bind_udp
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recvmmsg is Linux's")


class Reader(asyncio.DatagramProtocol):
    """Keeps what a socket was sent."""

    def __init__(self) -> None:
        self.media: list[tuple[bytes, float, float]] = []
        self.others: list[tuple[bytes, object]] = []
        self.changed = asyncio.Event()

    def media_received(self, packet: bytes, arrival: float) -> None:
        self.media.append((packet, arrival, time.monotonic()))
        self.changed.set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.others.append((data, addr))
        self.changed.set()

    async def has(self, media: int, others: int) -> None:
        """Wait for so many datagrams."""
        async with asyncio.timeout(5):
            while len(self.media) < media or len(self.others) < others:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def relaxed(address: str, count: int) -> AsyncIterator[list[tuple[Reader, UdpTransport, tuple[object, ...]]]]:
    """So many sockets that are read together."""
    ends: list[tuple[Reader, UdpTransport, tuple[object, ...]]] = []
    for _ in range(count):
        sock, reader = bind_udp(address, None), Reader()
        transport = UdpTransport(sock, reader)
        transport.relax(reader.media_received)
        ends.append((reader, transport, sock.getsockname()))
    try:
        yield ends
    finally:
        for _, transport, _ in ends:
            transport.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_all_sockets_are_read_together(address: str) -> None:
    """More datagrams than one call takes, to several sockets, come in order; what is no media has its sender."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.bind((address, 0))
        async with relaxed(address, 3) as ends:
            for _, _, name in ends:
                for number in range(70):
                    sender.sendto(bytes((0x80, number)) * 40, name)
                sender.sendto(b"\x00stun", name)
            for reader, _, _ in ends:
                await reader.has(70, 1)
                assert [packet for packet, _, _ in reader.media] == [bytes((0x80, number)) * 40 for number in range(70)]
                assert reader.others == [(b"\x00stun", sender.getsockname())]


async def test_arrivals_are_when_the_kernel_took_them() -> None:
    """What waits for a sweep keeps the moment of its arrival, and is read within a hold of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        async with relaxed("127.0.0.1", 1) as [(reader, _, name)]:
            sent = []
            for _ in range(10):
                sent.append(time.monotonic())
                sender.sendto(b"\x80media", name)
                await asyncio.sleep(0.005)
            await reader.has(10, 0)
            lags = [arrival - moment for moment, (_, arrival, _) in zip(sent, reader.media, strict=True)]
            assert min(lags) > -0.001
            assert sorted(lags)[5] < 0.004
            late = [read - arrival for _, arrival, read in reader.media]
            assert sorted(late)[5] < HOLD_S + 0.05
            assert max(late) > 0.004  # several came together


def stand_still(sender: socket.socket, name: tuple[object, ...]) -> list[float]:
    """Send 65 datagrams in 1.3 s while nobody reads; return when."""
    sent = []
    for number in range(65):
        sent.append(time.monotonic())
        sender.sendto(b"\x80%d" % number, name)
        time.sleep(0.02)
    return sent


async def test_a_process_that_stood_still_finds_everything_when_it_came() -> None:
    """Longer than a second: nothing is lost, nothing is later than it was; what was older was said to come just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        async with relaxed("127.0.0.1", 1) as [(reader, _, name)]:
            sender.sendto(b"\x80first", name)
            await reader.has(1, 0)
            sent = stand_still(sender, name)
            await reader.has(66, 0)
            assert [packet for packet, _, _ in reader.media[1:]] == [b"\x80%d" % number for number in range(65)]
            lags = sorted(arrival - moment for moment, (_, arrival, _) in zip(sent, reader.media[1:], strict=True))
            assert lags[0] > -0.001
            assert lags[32] < 0.004
            assert reader.media[1][2] - reader.media[1][1] > 1.2


def test_stamps_of_before_the_clock_was_set_are_not_trusted() -> None:
    """While both clocks run alike stamps are good for half a minute; those from before a step for the last second."""
    clock = StampedClock()
    assert clock.oldest(100.0, 1_000_100.0) == 99.0
    assert clock.oldest(120.0, 1_000_120.01) == 99.0
    assert clock.oldest(150.0, 1_000_150.0) == 120.0
    assert clock.oldest(151.0, 1_003_751.0) == 150.0  # an hour ahead
    assert clock.to_monotonic == -1_003_600.0
    assert clock.oldest(160.0, 1_003_760.0) == 150.0
    assert clock.oldest(190.0, 1_003_790.0) == 160.0


async def test_a_socket_closed_by_what_it_received() -> None:
    """Whoever is handed a packet may close the transport; the others are read on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        async with relaxed("127.0.0.1", 2) as ends:
            (_, closing, first), (other, _, second) = ends
            closing._sweep._readers[closing._socket.fileno()] = closing.close  # type: ignore[union-attr]
            sender.sendto(b"\x80", first)
            sender.sendto(b"\x80", second)
            await other.has(1, 0)
            assert closing.is_closing()
            sender.sendto(b"\x80", second)
            await other.has(2, 0)


class Refusing(Reader):
    """Cannot take what has a mark."""

    def media_received(self, packet: bytes, arrival: float) -> None:
        if packet.endswith(b"!"):
            raise OSError(28, "no space left on device")
        super().media_received(packet, arrival)


async def test_what_a_call_raises_does_not_stop_the_others() -> None:
    """One datagram that could not be taken ended the reading of all calls of the process, for ever."""
    told: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context.get("exception")))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        async with relaxed("127.0.0.1", 1) as [(other, _, second)]:
            sock, refusing = bind_udp("127.0.0.1", None), Refusing()
            transport = UdpTransport(sock, refusing)
            transport.relax(refusing.media_received)
            first = sock.getsockname()
            for number in range(2):
                sender.sendto(b"\x80before", first)
                sender.sendto(b"\x80!", first)
                sender.sendto(b"\x80after", first)
                sender.sendto(b"\x80", second)
                await refusing.has(2 * number + 2, 0)
                await other.has(number + 1, 0)
            transport.close()
    assert [packet for packet, _, _ in refusing.media] == [b"\x80before", b"\x80after"] * 2
    assert [type(exc) for exc in told] == [OSError, OSError]


async def test_reading_goes_on_after_silence() -> None:
    """When nothing comes the loop is left alone; what comes later is read all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        async with relaxed("127.0.0.1", 1) as [(reader, transport, name)]:
            sender.sendto(b"\x80", name)
            await reader.has(1, 0)
            sweep = transport._sweep
            assert sweep is not None
            await until(lambda: sweep._timer is None)
            sender.sendto(b"\x80", name)
            await reader.has(2, 0)
