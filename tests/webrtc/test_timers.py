"""The shared timer: everybody who is due is called, whatever another raises."""

from __future__ import annotations

import asyncio
import time

from pexrtc_py.webrtc.timers import SharedTimer, Timed


class Ticking:
    """Wants to be called every 10 ms."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self._due = time.monotonic()

    def next_timer(self) -> float | None:
        return self._due

    def handle_timer(self, now: float) -> None:
        self.calls += 1
        self._due = now + 0.01
        self.called.set()


class Failing(Ticking):
    """Raises each time, and stays due."""

    def handle_timer(self, now: float) -> None:
        self.calls += 1
        raise OSError(28, "no space left on device")


async def test_one_that_raises_does_not_keep_the_others_from_their_turn() -> None:
    """Those after it in the list were never called again: no reports, no requests for what was lost."""
    told: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context.get("exception")))
    failing, other = Failing(), Ticking()
    waiting: list[Timed] = [failing, other]
    timer = SharedTimer(lambda: waiting)
    timer.arm()
    async with asyncio.timeout(5):
        while other.calls < 3:
            other.called.clear()
            await other.called.wait()
    timer.close()
    assert failing.calls >= 3
    assert len(told) in (failing.calls, failing.calls - 1)  # the loop may be about to tell of the last
    assert all(isinstance(exc, OSError) for exc in told)
