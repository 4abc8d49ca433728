"""What transport-wide feedback tells a sender: that a queue grows on the way, before anything is lost.

The peer reports when each of our packets arrived. Groups of packets that take longer and longer fill a queue, which
aiortc's detector (libwebrtc's of before 2017, draft-ietf-rmcat-gcc-02 section 5) finds out; what got through in that
second is what the path carries. A queue that is full grows no longer, before that detector is sure where it is short:
there packets get lost while none comes as soon as it might. That is told, and how much is carried as far as bursts
of packets can tell: how a rate grows again is the business of `LossRate`, so whoever has little to send
(slides) is not held to what it happened to send.
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

from .feedback_room import RoomMeter
from .rtcp_transport import TICKS_PER_SECOND, TransportFeedback
from .rtp import signed_difference, unwrap

__all__ = ["FeedbackFollower"]

_TICKS_PER_MS = 90  # of the timestamps given to the detector: any scale does
_REFERENCE_TICKS = TICKS_PER_SECOND * 64 // 1000  # unit of a report's reference
_KEPT = 4096  # packets whose report is waited for
_WINDOW_MS = 1000  # over which is counted what got through
_STEP_MS = 10_000  # arrivals that part by more are of another clock, or made up
_LEAST_MS = 250  # over which it is counted at least: a picture comes in one burst
_PAUSE_S = 0.5  # between two decreases: the first must have reached the queue and come back
_STANDS_MS = 50  # that all packets of a report were later than the fastest: jitter delays some of them only
_GREW_MS = 20  # likewise, before what the detector says is believed: a busy host makes packets late one after the other
_FORGOTTEN = 0.001  # ms by which the fastest is forgotten in each ms: clocks drift by a tenth of that
_FULL_LOSS, _FULL_PACKETS, _FULL_S = 0.1, 20, 0.4  # lost of so many in this time, more than chance loses on good ways
_FRESH_S = 1.0  # what was reported longer ago says nothing of the queue now
_REMEMBERED_S = 1.5  # as long as packets that were lost to a full queue are kept, and asked for


class FeedbackFollower:
    """Watches the way of one peer's packets. Driven by `note_sent` and `handle_feedback`.

    Args:
        on_queue: told the bits per second that got through, the time, and whether the queue is full: has grown till
            packets were lost, so that no more gets through.
        on_room: told the bits per second that the way carries as far as bursts can tell, the time, and whether a queue
            stands there; with each report, before `on_queue`.
        is_wanted: whether anybody can send at another rate; the detector rests while nobody can.
    """

    def __init__(
        self,
        on_queue: Callable[[int, float, bool], None],
        *,
        on_room: Callable[[int, float, bool], None] = lambda bps, now, is_crowded: None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._on_queue = on_queue
        self._on_room = on_room
        self._is_wanted = is_wanted
        self._sent: dict[int, tuple[float, int]] = {}
        self._order: deque[int] = deque()
        self._reference: int | None = None
        self._quiet_until = 0.0
        self._through: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._reports: deque[tuple[float, int, int]] = deque()
        self._reported = float("-inf")
        self._full = float("-inf")
        self._room = RoomMeter()
        self._begin()

    def _begin(self) -> None:
        self._groups = InterArrival(TIMESTAMP_GROUP_LENGTH_MS * _TICKS_PER_MS, 1 / _TICKS_PER_MS)
        self._estimator = OveruseEstimator()
        self._detector = OveruseDetector()
        self._through.clear()
        self._reports.clear()
        self._room.clear()
        self._latest_ms: int | None = None
        self._fastest_ms: float | None = None
        self._queue_ms = 0.0

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
        grows, wanted = False, self._is_wanted()
        came = lost = 0
        delays: list[float] = []
        known, base = self._sent, feedback.base_sequence
        note_room, ticks = self._room.note, reference * _REFERENCE_TICKS
        for index, arrival in enumerate(feedback.arrivals):
            sent = known.get((base + index) & 0xFFFF)
            if sent is None:
                continue
            if arrival is None:
                lost += 1
                continue
            came += 1
            arrival_ms = reference * 64 + arrival * 1000 // TICKS_PER_SECOND
            if self._latest_ms is not None and abs(arrival_ms - self._latest_ms) > _STEP_MS:
                self._begin()
            self._latest_ms = arrival_ms
            if wanted:
                grows |= self._add(arrival_ms, *sent)
                note_room(sent[0], ticks + arrival, sent[1])
            delays.append(arrival_ms - sent[0] * 1000)
        if delays:
            self._note_delays(delays, now)
        is_full = self._is_full(came, lost, now)
        if is_full:
            self._full = now
        grows &= self._queue_ms > _GREW_MS
        if wanted and (room_bps := self._room.bitrate_bps) is not None:
            self._on_room(room_bps, now, grows or self.is_crowded(now))
        if not (grows or is_full) or now < self._quiet_until or not self._through:
            return
        self._quiet_until = now + _PAUSE_S
        passed_ms = self._through[-1][0] - self._through[0][0]
        through = sum(size for _, size in self._through) * 8000 / max(passed_ms, _LEAST_MS)
        self._on_queue(round(through), now, is_full)

    def is_crowded(self, now: float) -> bool:
        """Whether a queue stands on the way, or packets that were lost to one may be asked for still."""
        return self._stands(now) or now - self._full < _REMEMBERED_S

    def _stands(self, now: float) -> bool:
        """Whether a queue stood on the way by the last report."""
        return self._queue_ms > _STANDS_MS and now - self._reported < _FRESH_S

    def _note_delays(self, delays: Sequence[float], now: float) -> None:
        """Note by how much the fastest packet of a report came later than the fastest of all."""
        least = min(delays)
        fastest = self._fastest_ms
        if fastest is not None:
            fastest += min(_FRESH_S, now - self._reported) * 1000 * _FORGOTTEN
        self._fastest_ms = least if fastest is None else min(fastest, least)
        self._queue_ms = least - self._fastest_ms
        self._reported = now

    def _is_full(self, came: int, lost: int, now: float) -> bool:
        """Note what one report tells; return whether packets get lost to a queue."""
        reports = self._reports
        reports.append((now, came, lost))
        while reports[0][0] < now - _FULL_S:
            reports.popleft()
        all_lost = sum(report[2] for report in reports)
        packets = all_lost + sum(report[1] for report in reports)
        return packets >= _FULL_PACKETS and all_lost > _FULL_LOSS * packets and self._stands(now)

    def _add(self, arrival_ms: int, sent: float, size: int) -> bool:
        """Note a packet that arrived; return whether a queue is growing."""
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
