"""A bad network between two processes that knows nothing of them: a UDP relay, to which their descriptions are bent.

Both sides see the relay as the other one's only address. Each direction is an `ImpairedLink`; what is wrong with it may
change while a call lasts. The relay works in the benchmark's own process, which does nothing else meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from pexrtc_py.webrtc.impaired import TimedLink
from pexrtc_py.webrtc.impairment import Impairment

__all__ = ["Relay"]

_LOOPBACK = "127.0.0.1"
_Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    """The relay's socket that faces one of the two."""

    def __init__(self, forward: Callable[[bytes, object], None]) -> None:
        self._forward = forward
        self._transport: asyncio.DatagramTransport | None = None
        self.peer: _Address | None = None
        """Where it is; what its description said until something came from it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: _Address) -> None:
        self.peer = addr
        self._forward(data, addr)

    @property
    def transport(self) -> asyncio.DatagramTransport:
        """The socket."""
        assert self._transport is not None
        return self._transport

    @property
    def port(self) -> int:
        """The socket's port."""
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def send(self, data: bytes) -> None:
        """Send to whoever is on this side."""
        if self.peer is not None:
            self.transport.sendto(data, self.peer)


class Relay:
    """Between who offers and who answers. Use it with `async with`.

    Args:
        to_offerer: what is wrong on the way to who offered.
        to_answerer: what is wrong on the way back.
    """

    def __init__(self, to_offerer: Impairment, to_answerer: Impairment) -> None:
        self._ways = (
            TimedLink(to_offerer, lambda data, _: self._offerer.send(data)),
            TimedLink(to_answerer, lambda data, _: self._answerer.send(data)),
        )
        self._offerer = _Side(self._ways[1].push)
        self._answerer = _Side(self._ways[0].push)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for side in (self._offerer, self._answerer):
            await loop.create_datagram_endpoint(lambda side=side: side, local_addr=(_LOOPBACK, 0))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for way in self._ways:
            way.close()
        for side in (self._offerer, self._answerer):
            side.transport.close()

    def bend_offer(self, sdp: str) -> str:
        """Return the offer as the answerer shall see it."""
        return _bent(sdp, self._offerer, self._answerer.port)

    def bend_answer(self, sdp: str) -> str:
        """Return the answer as the offerer shall see it."""
        return _bent(sdp, self._answerer, self._offerer.port)

    def change(self, to_offerer: Impairment, to_answerer: Impairment) -> None:
        """Go on with other impairments; what is under way stays so."""
        for way, impairment in zip(self._ways, (to_offerer, to_answerer), strict=True):
            way.change(impairment)


def _bent(sdp: str, side: _Side, port: int) -> str:
    """Replace all candidates by the relay, and remember where the first one on loopback was."""
    lines: list[str] = []
    for line in sdp.splitlines():
        if not line.startswith("a=candidate:"):
            lines.append(line)
            continue
        parts = line.split()
        if side.peer is None and parts[1] == "1" and parts[2].lower() == "udp" and parts[4] == _LOOPBACK:
            side.peer = (_LOOPBACK, int(parts[5]))
            lines.append(f"a=candidate:1 1 udp 2130706431 {_LOOPBACK} {port} typ host")
    assert side.peer is not None, f"no candidate on {_LOOPBACK}"
    return "\r\n".join(lines) + "\r\n"
