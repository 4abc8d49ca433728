"""How late the probe itself was: a machine too slow to measure must not be taken for a bad network.

Three things are watched: the event loop (what it reads late has arrived late, for all that anyone can tell), the
sending (what goes out late is heard and seen late), and the decoding (what had to be dropped was not lost by anybody
else). `too_slow` says in words what of it makes a verdict worth nothing. Where Linux tells how long a thread waited for
a core, that stands beside it as the cause.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ..tasks import task_owner
from .metrics import METRICS, aggregated
from .series import SeriesBook
from .thresholds import Series

__all__ = ["LoopWatch", "WorstLateness", "too_slow"]

_STEP_S: Final = 0.05
"""How often the loop is looked at: seldom enough to cost nothing."""
_SCHEDULE: Final = Path("/proc/thread-self/schedstat")
_LIMITS: Final = {
    # Half of the 90 ms by which sound may be early (ITU-R BT.1359-1), in one second of twenty: more, and delays and
    # skews of our own making pass for the conference's.
    "self.loop_late_ms": ("p95", 45.0, "its event loop ran up to {value:.0f} ms late"),
    "self.send_late_ms": ("p95", 45.0, "it sent up to {value:.0f} ms late"),
    "self.dropped": ("sum", 0.0, "{value:.0f} frames were dropped because decoding fell behind"),
}


class WorstLateness:
    """Keeps the worst since it was asked last. One thread notes, another may ask."""

    def __init__(self) -> None:
        self._worst: float | None = None

    def note(self, seconds: float) -> None:
        """Take one."""
        if self._worst is None or seconds > self._worst:
            self._worst = seconds

    def take(self) -> float | None:
        """Return the worst since the last time, None when there was none."""
        worst, self._worst = self._worst, None
        return worst


class LoopWatch:
    """Looks at the running event loop as long as it is entered, and writes a sample a second.

    Args:
        book: where samples go.
        began: when the run began, `time.monotonic`.
    """

    def __init__(self, book: SeriesBook, began: float) -> None:
        self._book, self._began = book, began
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        tasks = await self._stack.enter_async_context(task_owner())
        tasks.start(self._watch(), name="pexrtc probe lateness")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _watch(self) -> None:
        worst = WorstLateness()
        second, used, waited = time.monotonic(), time.process_time(), _waited_s()
        while True:
            due = time.monotonic() + _STEP_S
            await asyncio.sleep(_STEP_S)
            now = time.monotonic()
            worst.note(now - due)
            if now - second < 1.0:
                continue
            at, length = second - self._began, now - second
            self._book.add("self.loop_late_ms", at, 1000 * (worst.take() or 0.0))
            used_now, waited_now = time.process_time(), _waited_s()
            self._book.add("self.cpu_ratio", at, (used_now - used) / length)
            if waited is not None and waited_now is not None:
                self._book.add("self.wait_ratio", at, (waited_now - waited) / length)
            second, used, waited = now, used_now, waited_now


def _waited_s() -> float | None:
    """Return how long this thread has waited for a core in all; None where nobody says (Linux, CONFIG_SCHEDSTATS)."""
    try:
        return int(_SCHEDULE.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def too_slow(series: Sequence[Series]) -> tuple[str, ...]:
    """Return in words why the machine was too slow for its figures to be trusted; empty when it was not."""
    reasons = []
    for name, (aggregate, limit, words) in _LIMITS.items():
        assert name in METRICS
        figures = [aggregated(one.values, aggregate) for one in series if one.metric == name and one.values]
        if figures and max(figures) > limit:
            reasons.append("this machine was too slow: " + words.format(value=max(figures)))
    return tuple(reasons)
