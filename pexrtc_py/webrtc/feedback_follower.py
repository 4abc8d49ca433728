"""What transport-wide feedback tells a sender: that a queue grows on the way, before anything is lost.

The peer reports when each of our packets arrived. Groups of packets that take longer and longer fill a queue, which
aiortc's detector (libwebrtc's of before 2017, draft-ietf-rmcat-gcc-02 section 5) finds out; what got through in that
second is what the path carries. Only that is told: how a rate grows again is the business of `LossRate`, so whoever has
little to send (slides) is not held to what it happened to send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from aiortc.rate import (
    TIMESTAMP_GROUP_LENGTH_MS,
    BandwidthUsage,
    InterArrival,
    OveruseDetector,
    OveruseEstimator,
)

from .rtcp_transport import TICKS_PER_SECOND, TransportFeedback
from .rtp import signed_difference, unwrap

__all__ = ["FeedbackFollower"]

_TICKS_PER_MS = 90  # of the timestamps given to the detector: any scale does
_KEPT = 4096  # packets whose report is waited for
_WINDOW_MS = 1000  # over which is counted what got through
_STEP_MS = 10_000  # arrivals that part by more are of another clock, or made up
_PAUSE_S = 0.5  # between two decreases: the first must have reached the queue and come back


class FeedbackFollower:
    """Watches the way of one peer's packets. Driven by `note_sent` and `handle_feedback`.

    Args:
        on_queue: told the bits per second that got through, and the time, when a queue has grown.
    """

    def __init__(self, on_queue: Callable[[int, float], None]) -> None:
        self._on_queue = on_queue
        self._sent: dict[int, tuple[float, int]] = {}
        self._order: deque[int] = deque()
        self._reference: int | None = None
        self._quiet_until = 0.0
        self._through: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._begin()

    def _begin(self) -> None:
        self._groups = InterArrival(TIMESTAMP_GROUP_LENGTH_MS * _TICKS_PER_MS, 1 / _TICKS_PER_MS)
        self._estimator = OveruseEstimator()
        self._detector = OveruseDetector()
        self._through.clear()
        self._latest_ms: int | None = None

    def note_sent(self, number: int, sizes: Sequence[int], now: float) -> None:
        """Note that packets have left, numbered from `number` on, with their bytes."""
        for size in sizes:
            if number not in self._sent:
                self._order.append(number)
            self._sent[number] = now, size
            number = (number + 1) & 0xFFFF
        while len(self._order) > _KEPT:
            del self._sent[self._order.popleft()]

    def handle_feedback(self, feedback: TransportFeedback, now: float) -> None:
        """Take a report of the peer. One that is wrong harms the peer's own picture only."""
        before = self._reference
        reference = feedback.reference if before is None else unwrap(feedback.reference & 0xFFFFFF, before, 24)
        self._reference = reference
        queue = False
        for index, arrival in enumerate(feedback.arrivals):
            if arrival is None:
                continue
            sent = self._sent.get((feedback.base_sequence + index) & 0xFFFF)
            if sent is None:
                continue
            arrival_ms = reference * 64 + arrival * 1000 // TICKS_PER_SECOND
            queue |= self._add(arrival_ms, *sent)
        if not queue or now < self._quiet_until:
            return
        self._quiet_until = now + _PAUSE_S
        passed_ms = self._through[-1][0] - self._through[0][0]
        self._on_queue(round(sum(size for _, size in self._through) * 8000 / max(passed_ms, _WINDOW_MS / 2)), now)

    def _add(self, arrival_ms: int, sent: float, size: int) -> bool:
        """Note a packet that arrived; return whether a queue is growing."""
        if self._latest_ms is not None and abs(arrival_ms - self._latest_ms) > _STEP_MS:
            self._begin()
        self._latest_ms = arrival_ms
        through = self._through
        through.append((arrival_ms, size))
        while through[0][0] < arrival_ms - _WINDOW_MS:
            through.popleft()
        ticks = int(sent * 1000 * _TICKS_PER_MS) & 0xFFFFFFFF
        deltas = self._groups.compute_deltas(ticks, arrival_ms, size)
        if deltas is not None:
            apart_ms = signed_difference(deltas.timestamp, 0, 32) / _TICKS_PER_MS
            state = self._detector.state()
            self._estimator.update(deltas.arrival_time, apart_ms, deltas.size, state, arrival_ms)
            self._detector.detect(self._estimator.offset(), apart_ms, self._estimator.num_of_deltas(), arrival_ms)
        return self._detector.state() is BandwidthUsage.OVERUSING
