"""Bursts into a socket that has no room for them: what is left follows, in order, up to a bound."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pexrtc_py.webrtc.burst import can_burst, send_burst
from pexrtc_py.webrtc.udp import UdpTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sendmmsg is Linux's")

PACKETS = [number.to_bytes(4, "big") + bytes(1000) for number in range(200)]


def as_it_is(slot: object, length: object) -> int:
    """Encrypt nothing."""
    return 0


@contextmanager
def full_socket() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two real sockets, of which the first has room for a few packets until the second has read them.

    Of one machine and not of UDP, whose loopback hands over at once and so never is full.
    """
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    for end in (sender, receiver):
        end.setblocking(False)
    with sender, receiver:
        yield sender, receiver


async def read(receiver: socket.socket, count: int) -> list[bytes]:
    """Return the next datagrams."""
    async with asyncio.timeout(10):
        return [await asyncio.get_running_loop().sock_recv(receiver, 2048) for _ in range(count)]


def test_a_burst_that_fits_in_part_gives_back_the_rest() -> None:
    """The kernel took some of the packets and said so; the others were dropped."""
    with full_socket() as (sender, receiver):
        assert can_burst()
        sent = send_burst(sender.fileno(), (), PACKETS, as_it_is)
        taken = len(PACKETS) - len(sent.rest)
        assert 0 < taken < 64
        assert sent.rest == PACKETS[taken:]
        assert [receiver.recv(2048) for _ in range(taken)] == PACKETS[:taken]
        with pytest.raises(BlockingIOError):
            receiver.recv(2048)
        assert (sent.packets, sent.dropped, sent.error) == (len(PACKETS), 0, None)


async def test_nothing_is_lost_for_want_of_room_in_the_socket() -> None:
    """What found no room follows as soon as there is some, before what is sent later."""
    with full_socket() as (sender, receiver):
        transport = UdpTransport(sender, asyncio.DatagramProtocol())
        assert transport.can_burst
        for start in range(0, len(PACKETS), 10):
            transport.send_burst(PACKETS[start : start + 10], as_it_is, ())
        assert await read(receiver, len(PACKETS)) == PACKETS
        assert transport.dropped == 0
        transport.close()


async def test_what_waits_for_room_has_a_bound() -> None:
    """While nobody reads the newest are kept, the others counted; closing forgets them."""
    with full_socket() as (sender, receiver):
        transport = UdpTransport(sender, asyncio.DatagramProtocol())
        assert transport.can_burst
        for _ in range(10):
            transport.send_burst(PACKETS, as_it_is, ())
        assert len(transport._waiting) == 1024
        taken = 10 * len(PACKETS) - 1024 - transport.dropped
        assert await read(receiver, taken) == PACKETS[:taken]
        transport.close()
        assert not transport._waiting
        assert transport.send_burst(PACKETS, as_it_is, ()) is None
