"""How much more the way carries than what is sent: by how far apart packets arrive that left together.

A picture leaves as a burst of packets, which arrive one after the other at the pace of the slowest link. So each
picture probes the way with nothing added, where libwebrtc sends padding. What it finds is what the link carries,
not what others leave of it: it permits to try more, and no more than that (`LossRate.handle_room`).
"""

from __future__ import annotations

from collections import deque

from .rtcp_transport import TICKS_PER_SECOND

__all__ = ["RoomMeter"]

_WINDOW_TICKS = TICKS_PER_SECOND
_LEAST_BURSTS, _LEAST_PACKETS = 4, 8  # of a window; packets but the first of each burst. Fewer may be chance
_MOST_BURSTS = 256


class RoomMeter:
    """Measures the pace at which bursts arrive, over a second. Driven by `note`.

    The lesser of two paces counts. That of all together, spans and bytes summed up: a receiver that reads now and then,
    and then all that came, tells of spans too short and too long, which are right together. And that of the burst in
    the middle: a busy machine on the way lets packets go at once that had queued apart, and makes up for it in between.
    """

    def __init__(self) -> None:
        self._bursts: deque[tuple[int, int, int, int]] = deque()
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._bursts.clear()
        self._packets = self._bytes = self._ticks = 0
        self._left = float("-inf")
        self._first = self._last = 0
        self._burst_packets = self._burst_bytes = 0

    def note(self, left: float, arrival: int, size: int) -> None:
        """Note a packet that arrived, in the order of numbers.

        Args:
            left: when it was sent; the same of packets sent together.
            arrival: in ticks of the peer.
            size: bytes.
        """
        if left == self._left and arrival >= self._last:
            self._last = arrival
            self._burst_packets += 1
            self._burst_bytes += size
            return
        if self._burst_packets:
            self._add(self._last, self._burst_packets, self._burst_bytes, self._last - self._first)
        self._left, self._first, self._last = left, arrival, arrival
        self._burst_packets = self._burst_bytes = 0

    def _add(self, at: int, packets: int, size: int, ticks: int) -> None:
        ticks = max(ticks, packets)  # nothing is read off faster than a packet a tick: 38 Mb/s
        bursts = self._bursts
        bursts.append((at, packets, size, ticks))
        self._packets += packets
        self._bytes += size
        self._ticks += ticks
        while not at - _WINDOW_TICKS <= bursts[0][0] <= at or len(bursts) > _MOST_BURSTS:
            _, packets, size, ticks = bursts.popleft()
            self._packets -= packets
            self._bytes -= size
            self._ticks -= ticks

    @property
    def bitrate_bps(self) -> int | None:
        """What the way carries, bits per second; None while too little was sent in bursts to tell."""
        if len(self._bursts) < _LEAST_BURSTS or self._packets < _LEAST_PACKETS:
            return None
        paces = sorted(size / ticks for _, _, size, ticks in self._bursts)
        return int(min(self._bytes / self._ticks, paces[len(paces) // 2]) * 8 * TICKS_PER_SECOND)
