"""When a conference mixes its sound: every 20 ms of one clock, and what becomes of ticks that were missed.

Pure: its thread tells the time, and how far the event loop has come. Ticks are counted from a beginning, so nothing
drifts, and those that were missed are made up for, so nothing is lost by them. But not before the loop has read what
waited in its sockets meanwhile, or the mix would run dry and be late by the whole stall:

- When the thread is late by more than a tick, or the loop does not take what was mixed (it stands still: nobody would
  hear what is mixed now), the loop is asked to turn some times, more often after a longer stall, for a turn takes only
  so many packets of a socket. Mixing goes on when it has, and 20 ms have gone: sockets may be read that much late.
- Then one tick after the other is made without waiting, each with its own time, until none is owed.
- More than three seconds are not made up for: time goes on without them, and what was said meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["TICK_S", "Tick", "Ticks"]

TICK_S = 0.02
# Late by more than this the loop reads first.
_LATE_S, _READING_S = 0.03, 0.02
# So many batches are not taken by a loop that stands still; what inputs hold in reserve lasts a little longer.
_UNTAKEN = 3
# Turns of the loop: two, so that one began after it was asked, and one more for this much time without. A turn takes 64
# packets of a socket, and sound with a good picture has 200 a second.
_TURNS, _TURN_S = 2, 0.25
# Sockets, and the queues in between, hold about so much.
_LONGEST_S = 3.0
# How often it is looked whether the loop has turned.
_LOOK_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """20 ms to be mixed now."""

    number: int
    """Counted from 0."""
    time: float
    """When they are, or were, due; seconds of the clock."""
    owed_s: float
    """How much is to be made up for after them."""
    anew: bool
    """Whether time went on without some: what waits to be mixed is to be left out."""


class Ticks:
    """The ticks of one mix. Driven by `handle_timer`, as `next_timer` says, and by `handle_turned`.

    Args:
        now: when the first is due, seconds.
        ask: asks the loop for `handle_turned` after so many turns; with how many.
    """

    def __init__(self, now: float, ask: Callable[[int], None]) -> None:
        self._origin = now
        self._ask = ask
        self._number = 0
        self._owed_until = 0
        self._asked_at: float | None = None
        self._look_at = now
        self._turns = 0
        self._turned = False

    def next_timer(self) -> float:
        """Return when `handle_timer` is to be called next, seconds."""
        return self._look_at if self._asked_at is not None else self._due

    def handle_turned(self) -> None:
        """Learn that the loop has turned as often as it was asked to. May be called in another thread."""
        self._turned = True

    def handle_timer(self, now: float, *, untaken: int) -> Tick | None:
        """Return the tick to be made now, None when it is too early.

        Args:
            now: seconds.
            untaken: how many of the ticks made before the loop has not taken yet.
        """
        late = now - self._due
        if self._asked_at is not None:
            turns = _TURNS + int(late / _TURN_S)
            if self._turned and turns > self._turns:
                # The stall was not over when the loop was asked, or the loop did not turn at once.
                self._ask_for(turns)
            if not self._turned or now - self._asked_at < _READING_S:
                self._look_at = now + _LOOK_S
                return None
            self._asked_at = None
            missed = int(late / TICK_S)
            anew = late > _LONGEST_S
            if anew:
                self._number += missed
            self._owed_until = self._number + (0 if anew else missed) + 1
            return self._next(now, anew=anew)
        if late < 0:
            return None
        if self._number > self._owed_until and (late > _LATE_S or untaken >= _UNTAKEN):
            self._asked_at, self._look_at, self._turns = now, now + _READING_S, 0
            self._ask_for(_TURNS + int(late / _TURN_S))
            return None
        return self._next(now, anew=False)

    @property
    def _due(self) -> float:
        return self._origin + self._number * TICK_S

    def _ask_for(self, turns: int) -> None:
        """Ask for so many turns in all."""
        self._turned = False
        self._ask(turns - self._turns)
        self._turns = turns

    def _next(self, now: float, *, anew: bool) -> Tick:
        time = self._due
        self._number += 1
        return Tick(number=self._number - 1, time=time, owed_s=max(0, int((now - time) / TICK_S)) * TICK_S, anew=anew)
