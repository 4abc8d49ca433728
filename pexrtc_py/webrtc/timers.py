"""One timer of the loop for all receivers and senders of a peer.

Each of them says when it wants to be called; the loop is woken for the earliest, at most every 20 ms, and then whoever
is due is called. At hundreds of packets a second it is wake-ups that cost, and none of them minds being 20 ms late: but
for requests for missing packets, since the picture stands until they are answered. A second, finer timer has those
alone (`Requests`); where nothing is lost it is never set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from math import ceil
from typing import Protocol

from .feedback import TransportFeedbackRecorder

__all__ = ["GRAIN_S", "REQUEST_GRAIN_S", "PolledRecorder", "Requests", "SharedTimer", "Timed"]

GRAIN_S = 0.02
"""Grain of the timer of all else."""
REQUEST_GRAIN_S = 0.002
"""Grain of the timer of requests: what is lost together is asked for together."""
# How often feedback is looked for while packets come; the recorder sends as often.
_POLL_S = 0.1


class Timed(Protocol):
    """Whatever waits for a time."""

    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...


class _Asking(Protocol):
    def next_request(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...


class Requests:
    """A receiver that is called for its requests alone."""

    def __init__(self, receiver: _Asking) -> None:
        self._receiver = receiver

    def next_timer(self) -> float | None:
        """When missing packets are to be asked for."""
        return self._receiver.next_request()

    def handle_timer(self, now: float) -> None:
        """Ask for them."""
        self._receiver.handle_timer(now)


class SharedTimer:
    """Calls whoever is due. `arm` is to be called whenever one of them wants to be called earlier than before.

    Args:
        timed: lists those who wait.
        grain_s: how late they may be called; the loop is woken no oftener.
    """

    def __init__(self, timed: Callable[[], Iterable[Timed]], *, grain_s: float = GRAIN_S) -> None:
        self._timed = timed
        self._grain = grain_s
        self._handle: asyncio.TimerHandle | None = None
        self._at = float("inf")
        self._fired = 0.0
        self._closed = False

    def arm(self) -> None:
        """Set the timer, when somebody wants to be called earlier than it is set for."""
        due = min((at for timed in self._timed() if (at := timed.next_timer()) is not None), default=float("inf"))
        if due >= self._at - self._grain:
            return
        if self._handle is not None:
            self._handle.cancel()
        # On a grid, so that the timers of all peers of a process wake it together.
        self._at = ceil(max(due, self._fired + self._grain / 2) / self._grain) * self._grain
        delay = max(0.0, self._at - time.monotonic())
        self._handle = asyncio.get_running_loop().call_later(delay, self._fire)

    def close(self) -> None:
        """Call nobody any more."""
        if self._handle is not None:
            self._handle.cancel()
        self._closed = True
        self._at = float("-inf")

    def _fire(self) -> None:
        now = self._fired = time.monotonic()
        self._handle = None
        self._at = float("-inf")  # whoever is due and not called yet must not have the timer set anew meanwhile
        failure: Exception | None = None
        for timed in self._timed():
            due = timed.next_timer()
            if due is None or due > now:
                continue
            try:
                timed.handle_timer(now)
            except Exception as exc:  # noqa: BLE001 - what a callback of a user raises is for the loop to tell, below
                failure = failure or exc
        if not self._closed:
            self._at = float("inf")
            self.arm()
        if failure is not None:
            raise failure


class PolledRecorder:
    """A recorder of transport-wide feedback, which tells nobody when it becomes due: while packets come it is asked.

    Args:
        recorder: the one of this peer.
        packets: counts what arrived so far.
    """

    def __init__(self, recorder: TransportFeedbackRecorder, packets: Callable[[], int]) -> None:
        self.recorder = recorder
        self._packets = packets
        self._seen = 0
        self._asked = 0.0

    def next_timer(self) -> float | None:
        """When the recorder is due, or is to be asked again; None while nothing arrives."""
        due = self.recorder.next_timer()
        return self._asked + _POLL_S if due is None and self._packets() != self._seen else due

    def handle_timer(self, now: float) -> None:
        """Let the recorder send what it has."""
        self._asked = now
        self._seen = self._packets()
        self.recorder.handle_timer(now)
