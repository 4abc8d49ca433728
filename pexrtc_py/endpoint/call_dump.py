"""The statistics and descriptions of a call into a dump, once a second for as long as the call lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..webrtc.peer import Peer, PeerConfig
from ..webrtc.stats_dump import ConnectionDump

__all__ = ["dumping"]

_EVERY_S = 1.0  # as webrtc-internals


@contextmanager
def dumping(peer: Peer, config: PeerConfig) -> Iterator[ConnectionDump | None]:
    """Dump a peer's statistics while the block lasts, where its configuration asks for that; in the event loop."""
    if config.dump is None:
        yield None
        return
    # Servers without their names and passwords; the node's tokens are nowhere in here.
    configuration = {
        "bundlePolicy": "max-bundle",
        "iceTransportPolicy": "relay" if config.relay_only else "all",
        "iceServers": [{"urls": list(server.urls)} for server in config.ice_servers],
    }
    connection = config.dump.connect(time.monotonic(), configuration)
    reading = _Reading(peer, connection)
    try:
        yield connection
    finally:
        reading.end()


class _Reading:
    """Reads each second; a timer, so that nothing of it can end the call."""

    def __init__(self, peer: Peer, connection: ConnectionDump) -> None:
        self._peer = peer
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_EVERY_S, self._read)

    def _read(self) -> None:
        self._timer = self._loop.call_later(_EVERY_S, self._read)
        self._take()

    def _take(self) -> None:
        now = time.monotonic()
        self._connection.statistics(self._peer.statistics(now), now)

    def end(self) -> None:
        """Read once more, and close."""
        self._timer.cancel()
        self._take()
        self._connection.close(time.monotonic())
