"""What goes through a TURN relay (RFC 8656), by aioice's client of it: channels that are bound in time, and sending.

Private names of aioice stand here and in `ice`; see there.
"""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import Callable

from aioice.turn import TurnClientProtocol, TurnTransport

__all__ = ["ChannelTimes", "abandon_relays", "keep_channels", "send_relayed"]

# TURN over TCP queues in the process; media older than what these bytes take is too late.
_MAX_RELAY_BUFFER = 256 * 1024
# A channel lasts 600 s, but the permission that comes with it 300 s (RFC 8656 sections 12 and 9): bound anew in time
# for both, and again soon when that was not answered.
_CHANNEL_INTERVAL_S = 240.0
_CHANNEL_RETRY_S = 10.0


class ChannelTimes(dict[int, float]):
    """When each channel of a relay is to be bound anew, in place of aioice's own table of that.

    aioice writes the wall clock's time of the next binding here and compares it with the wall clock: set back by more
    than two minutes, channels would end before they are bound anew, and with them the call. What it writes is taken as
    "bound now", and what it reads is later than any time, or earlier when the channel is due.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self.bound = 0
        """How often channels have been bound."""

    def is_due(self, channel: int) -> bool:
        """Whether a channel is to be bound anew."""
        return self.clock() >= super().__getitem__(channel)

    def __setitem__(self, channel: int, when: float) -> None:
        """Note that a channel has been bound."""
        self.bound += 1
        super().__setitem__(channel, self.clock() + _CHANNEL_INTERVAL_S)

    def __getitem__(self, channel: int) -> float:
        """Return what is earlier than now when it is due, once: who reads that binds it, and others need not."""
        if not self.is_due(channel):
            return math.inf
        super().__setitem__(channel, self.clock() + _CHANNEL_RETRY_S)
        return -math.inf


def keep_channels(transport: TurnTransport) -> None:
    """Have the channels of a relay that was just made bound anew in time, whatever is done to the wall clock."""
    _inner(transport).channel_refresh_at = ChannelTimes()


def abandon_relays(relays: list[TurnTransport]) -> None:
    """Wait no longer for the server to say that allocations are deleted."""
    for relay in relays:
        task: asyncio.Task[None] | None = relay._TurnTransport__close_task  # type: ignore[attr-defined]  # mangled name
        if task is not None:
            task.cancel()


def send_relayed(transport: TurnTransport, data: bytes, addr: tuple[str, int]) -> None:
    """Send through a TURN relay without a task per packet, once the channel to the peer is bound."""
    inner = _inner(transport)
    times = inner.channel_refresh_at
    assert isinstance(times, ChannelTimes), "every relay is made by gathering, which sees to that"
    channel = inner.peer_to_channel.get(addr)
    if channel is None or times.is_due(channel):
        transport.sendto(data, addr)
        return
    below = inner.transport
    if isinstance(below, asyncio.WriteTransport) and below.get_write_buffer_size() > _MAX_RELAY_BUFFER:
        return
    inner._send(struct.pack("!HH", channel, len(data)) + data)


def _inner(transport: TurnTransport) -> TurnClientProtocol:
    inner: TurnClientProtocol = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]  # mangled name
    return inner
