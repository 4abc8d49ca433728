"""A local address behind a bad network: `impairment.py` put between the socket and everything above it.

STUN and DTLS suffer like media, in each direction as told, so that a blackout looks like one to the consent checks too.
Only addresses that were gathered with an impairment pay for it; relays (TURN) are not impaired.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

from .ice import IceConnection, MediaProtocol
from .impairment import ImpairedLink, Impairment, TwoWayImpairment
from .udp import UdpTransport

__all__ = ["ImpairedProtocol", "ImpairedTransport", "TimedLink"]

_Datagram = tuple[bytes, Any]


class TimedLink:
    """A link with the loop's clock: what is pushed comes out at `deliver`, with its address, in its own time."""

    def __init__(self, impairment: Impairment, deliver: Callable[[bytes, Any], None]) -> None:
        self._link: ImpairedLink[_Datagram] = ImpairedLink(impairment)
        self._deliver = deliver
        self._timer: asyncio.TimerHandle | None = None

    def push(self, data: bytes, addr: object) -> None:
        """Put a datagram into it."""
        self._link.push((data, addr), len(data), time.monotonic())
        self._pull()

    def change(self, impairment: Impairment) -> None:
        """Go on with another impairment; what is under way stays so."""
        self._link.change(impairment)

    def close(self) -> None:
        """Lose what is under way. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pull(self) -> None:
        self.close()
        now = time.monotonic()
        for data, addr in self._link.pull(now):
            self._deliver(data, addr)
        due = self._link.next_timer()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - now), self._pull)


class ImpairedProtocol(MediaProtocol):
    """Takes datagrams late, twice or never.

    Args:
        connection: whose protocol it is.
        impairment: of what comes in.
    """

    def __init__(self, connection: IceConnection, impairment: Impairment) -> None:
        super().__init__(connection)
        self._link = TimedLink(impairment, super().datagram_received)

    def media_received(self, packet: bytes, arrival: float) -> None:
        """Take media that was read late; its arrival is when it leaves the link."""
        self.datagram_received(packet, ("", 0))

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Give a datagram to the link."""
        if isinstance(data, bytes):
            self._link.push(data, addr)

    def connection_lost(self, exc: Exception | None) -> None:
        """Lose what is under way."""
        self._link.close()
        super().connection_lost(exc)

    def change(self, impairment: TwoWayImpairment) -> None:
        """Go on with another impairment, in both directions."""
        self._link.change(impairment.receive)
        if isinstance(self.transport, ImpairedTransport):
            self.transport.change(impairment.send)


class ImpairedTransport(UdpTransport):
    """Sends datagrams late, twice or never."""

    def __init__(self, sock: socket.socket, protocol: asyncio.DatagramProtocol, impairment: Impairment) -> None:
        super().__init__(sock, protocol)
        self._link = TimedLink(impairment, super().sendto)

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Give a datagram to the link."""
        if not self.is_closing():
            self._link.push(bytes(data), addr)

    @property
    def can_burst(self) -> bool:
        """Each datagram has its own fate."""
        return False

    def close(self) -> None:
        """Close the socket; what is under way is lost."""
        self._link.close()
        super().close()

    def change(self, impairment: Impairment) -> None:
        """Go on with another impairment."""
        self._link.change(impairment)
