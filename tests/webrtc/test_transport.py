"""The encrypted path: two transports on loopback, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Any

import pytest

from pexrtc_py.errors import IceFailed
from pexrtc_py.protocol.sdp import Setup
from pexrtc_py.webrtc.transport import MediaTransport
from pexrtc_py.webrtc.transport_config import TransportConfig, TransportHandlers, TransportState

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

    def __post_init__(self) -> None:
        handlers = TransportHandlers(
            on_rtp=lambda packet, _: self._note(self.received, packet),
            on_rtcp=lambda packet, _: self._note(self.reports, packet),
            on_state=lambda state: self._note(self.states, state),
        )
        self.transport = MediaTransport(self.config, handlers)

    def _note(self, where: list[Any], what: object) -> None:
        where.append(what)
        self.changed.set()

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
            a.transport.send_rtp(rtp(sequence))
        b.transport.send_rtcp(struct.pack("!BBHI", 0x80, 201, 1, 9))
        await b.until(lambda: len(b.received) == 10)
        await a.until(lambda: a.reports)
        assert b.received == [rtp(sequence) for sequence in range(10)]
        assert a.reports == [struct.pack("!BBHI", 0x80, 201, 1, 9)]
        assert not a.received
        assert not b.reports
    finally:
        await a.transport.aclose()
        await b.transport.aclose()


if __name__ == "__main__":
    pytest.main([__file__])

_ = IceFailed
