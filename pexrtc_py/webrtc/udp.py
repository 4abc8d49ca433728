"""A UDP socket on the event loop that is read until it is empty, on asyncio's loops and on uvloop alike.

asyncio reads one datagram per turn of the loop; a video frame is a burst of them. Here one wake-up takes up to
`DATAGRAMS_PER_WAKEUP`. Sending never waits for the network: a datagram that the kernel has no room for is dropped and
counted, because media that waits is media too late (congestion control and retransmission are the business of RTP). A
burst of media is another matter: half a second of it, after the machine stood still, may be more than a socket holds,
and the room is there again in some milliseconds. So what is left of one waits that long, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from .batch import BATCH, receive_batch, stamp
from .burst import Magazine, Sent, can_burst, send_again, send_burst
from .sweep import Sweep, sweep_of

__all__ = ["DATAGRAMS_PER_WAKEUP", "UdpTransport", "bind_udp"]

logger = logging.getLogger(__name__)

DATAGRAMS_PER_WAKEUP = 64
# Larger than any Ethernet frame; longer datagrams are no media and no handshake of ours.
_MAX_DATAGRAM = 2048
# A key frame at 4 Mb/s is some 100 kB and comes in one burst; Linux grants up to net.core.rmem_max (208 kB by default).
_SOCKET_BUFFER = 1 << 20
# What is left of bursts: a second at 10 Mb/s; beyond it the oldest go, which are the most useless. A socket of 208 kB
# is empty again after 17 ms at 100 Mb/s.
_MAX_WAITING = 1024
_RETRY_S = 0.005
_SO_MEMINFO, _MEMINFO = 55, struct.Struct("=9I")  # asm-generic/socket.h, linux/sock_diag.h
_MEMINFO_DROPS = 8


class UdpTransport(asyncio.DatagramTransport):
    """Owns a bound, non-blocking UDP socket.

    Attributes:
        dropped: datagrams that could not be sent, for want of buffer or by an error.
    """

    def __init__(self, sock: socket.socket, protocol: asyncio.DatagramProtocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._fd = sock.fileno()
        self._protocol = protocol
        self._closing = False
        self._sweep: Sweep | None = None
        self.dropped = 0
        self._overflowed = 0
        self._waiting: deque[tuple[bytes, tuple[Any, ...]]] = deque()
        self._retry: asyncio.TimerHandle | None = None
        protocol.connection_made(self)
        self._loop.add_reader(sock.fileno(), self._read_ready)

    @property
    def overflowed(self) -> int:
        """Datagrams that came and found no room in the socket, because we read too late; 0 where nobody counts them."""
        if not self._closing:
            with contextlib.suppress(OSError, struct.error):
                counts = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
                self._overflowed = _MEMINFO.unpack(counts)[_MEMINFO_DROPS]
        return self._overflowed

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send a datagram now or never."""
        if self._closing or addr is None:
            return
        try:
            self._socket.sendto(data, addr)
        except (BlockingIOError, InterruptedError):
            self.dropped += 1
        except OSError as exc:
            self._protocol.error_received(exc)

    @property
    def can_burst(self) -> bool:
        """Whether `send_burst` can be used."""
        return can_burst()

    def send_burst(
        self, packets: Sequence[bytes], protect: Callable[[Any, Any], int], addr: tuple[Any, ...]
    ) -> Sent | None:
        """Encrypt packets and send them by one system call; what there is no room for follows in milliseconds.

        See `burst.send_burst`.
        """
        if self._closing:
            return None
        if self._waiting:
            self._send_waiting()
        sent = send_burst(self._socket.fileno(), addr, packets, protect, hold=bool(self._waiting))
        if sent.rest or sent.dropped:
            self._follow_up(sent, addr)
        return sent

    def send_held(self, magazine: Magazine, first: int, count: int, addr: tuple[Any, ...]) -> None:
        """Send packets that were encrypted ahead; what there is no room for follows in milliseconds."""
        if self._closing:
            magazine.drop(count)
            return
        if self._waiting:
            self._send_waiting()
        taken = 0 if self._waiting else magazine.fire(self._fd, addr, first, count)
        if taken < count:
            hold = bool(self._waiting)
            self._follow_up(magazine.send(self._fd, addr, first + taken, count - taken, hold=hold), addr)

    def _follow_up(self, sent: Sent, addr: tuple[Any, ...]) -> None:
        """Keep what is left of a burst; report what went wrong."""
        self.dropped += sent.dropped
        if sent.error is not None:
            self._protocol.error_received(sent.error)
        self._waiting.extend((packet, addr) for packet in sent.rest)
        while len(self._waiting) > _MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        if self._waiting and self._retry is None and not self._closing:
            self._retry = self._loop.call_later(_RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._send_waiting()

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for addr, packets in groupby(waiting, itemgetter(1)):
            if self._closing:  # whoever was told of an error may have closed us
                return
            self._follow_up(send_again(self._socket.fileno(), addr, [packet for packet, _ in packets]), addr)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """`sockname`: the local address and port."""
        return self._socket.getsockname()[:2] if name == "sockname" and not self._closing else default

    def relax(self, on_media: Callable[[bytes, float], None]) -> None:
        """Read from now on together with other sockets, some milliseconds late; see `sweep`. Idempotent.

        Args:
            on_media: takes SRTP and SRTCP in place of the protocol, with its arrival by the kernel's clock.
        """
        if self._closing or self._sweep is not None:
            return
        sweep = sweep_of(self._loop)
        if sweep is not None and stamp(self._socket):
            self._sweep = sweep
            self._loop.remove_reader(self._socket.fileno())
            sweep.add(self._socket.fileno(), partial(self._read_batch, on_media))

    def _read_batch(self, on_media: Callable[[bytes, float], None]) -> None:
        while not self._closing:
            if receive_batch(self._socket.fileno(), on_media, self._protocol.datagram_received) < BATCH:
                return

    def is_closing(self) -> bool:
        """Whether `close` has been called."""
        return self._closing

    def close(self) -> None:
        """Close the socket; the protocol learns it in the next turn of the loop. Idempotent."""
        if not self._closing:
            if self.overflowed:
                logger.warning(
                    "! %d datagrams found no room in a socket of %d kB: the machine is too slow for its calls, or "
                    "net.core.rmem_max too small for their bursts",
                    self._overflowed,
                    self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 1024,
                )
            self._closing = True
            self._waiting.clear()
            if self._retry is not None:
                self._retry.cancel()
            if self._sweep is not None:
                self._sweep.remove(self._socket.fileno())
            else:
                self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close the socket; nothing is ever waiting in it."""
        self.close()

    def _read_ready(self) -> None:
        receive = self._socket.recvfrom
        handle = self._protocol.datagram_received
        try:
            for _ in range(DATAGRAMS_PER_WAKEUP):
                handle(*receive(_MAX_DATAGRAM))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as exc:
            if not self._closing:  # what we handed over may have made someone close us
                self._protocol.error_received(exc)


def bind_udp(
    address: str, ports: tuple[int, int] | None, *, choose: Callable[[int, int], int] = random.randint
) -> socket.socket:
    """Bind a socket to an address and to a free port, of a range when one is given.

    Args:
        address: IPv4 or IPv6 literal.
        ports: first and last port that may be used; None leaves it to the kernel.
        choose: where in the range to begin to look.

    Raises:
        OSError: the address is not ours, or no port of the range is free.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        if ports is None:
            sock.bind((address, 0))
            return sock
        first, last = ports
        start = choose(first, last)
        for port in (*range(start, last + 1), *range(first, start)):
            try:
                sock.bind((address, port))
            except OSError as exc:
                error = exc
            else:
                return sock
        raise OSError(error.errno, f"no free port from {first} to {last} on {address}")
    except BaseException:
        sock.close()
        raise
