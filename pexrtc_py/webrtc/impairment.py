"""A bad network, made to measure and the same each time: for tests, and for showing how a call fares on one.

Pure: datagrams go in by `push` and come out of `pull` when their time has come; dice come from a seed. A datagram may
be anything, an address beside the bytes included; only its size matters here.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Generic, TypeVar

__all__ = ["PRESETS", "ImpairedLink", "Impairment", "TwoWayImpairment"]

Datagram = TypeVar("Datagram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What is wrong with one direction of a path. The default is nothing."""

    loss: float = 0.0
    """Fraction of datagrams lost, 0 to 1."""
    burst: float = 1.0
    """Mean number of datagrams lost one after the other; 1 or less: each by itself (Gilbert and Elliott's model, with
    everything lost in the bad state)."""
    delay_s: float = 0.0
    """Delay of every datagram, seconds."""
    jitter_s: float = 0.0
    """Further delay at random, evenly from 0 to this; the order is kept."""
    reorder: float = 0.0
    """Fraction of datagrams that come late and are overtaken."""
    reorder_s: float = 0.02
    """How much later those come, seconds."""
    duplicate: float = 0.0
    """Fraction of datagrams that come twice."""
    rate_bps: int | None = None
    """Bits per second that pass; None for any number."""
    queue_s: float = 0.3
    """Longest wait for the rate, seconds; what would wait longer is lost."""
    blackouts: tuple[tuple[float, float], ...] = ()
    """Pairs of start and duration in seconds since the first datagram, when nothing passes."""
    seed: int = 1
    """Of the dice: the same seed and the same datagrams give the same fate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoWayImpairment:
    """What is wrong with a path, each direction by itself. The default is nothing."""

    send: Impairment = Impairment()
    """Of what leaves here."""
    receive: Impairment = Impairment()
    """Of what comes in here."""

    @classmethod
    def of(cls, impairment: Impairment | TwoWayImpairment) -> TwoWayImpairment:
        """Return the impairment of each direction, where one alone means both."""
        return impairment if isinstance(impairment, cls) else cls(send=impairment, receive=impairment)  # type: ignore[arg-type]


# Network profiles of testRTC as published: rate in bits per second, delay one way in seconds, loss.
PRESETS: Mapping[str, Impairment] = {
    name: Impairment(rate_bps=rate, delay_s=delay, loss=loss)
    for name, rate, delay, loss in (
        ("call-drop", 50_000, 0.5, 0.2),
        ("dsl", 8_000_000, 0.04, 0.005),
        ("very-bad", 1_000_000, 0.5, 0.1),
        ("wifi", 30_000_000, 0.04, 0.002),
        ("wifi-lossy", 30_000_000, 0.04, 0.05),
        ("2.5g", 150_000, 0.2, 0.03),
        ("3g", 750_000, 0.25, 0.015),
        ("poor-3g", 400_000, 0.35, 0.05),
        ("4g", 4_000_000, 0.0, 0.02),
        ("poor-4g", 4_000_000, 0.35, 0.05),
        ("unstable-4g", 4_000_000, 0.5, 0.1),
        ("high-latency", 4_000_000, 0.6, 0.002),
        ("high-loss", 4_000_000, 0.005, 0.2),
        ("half-lost", 40_000_000, 0.01, 0.5),
    )
}
"""Named networks; each number holds for one direction."""


class ImpairedLink(Generic[Datagram]):
    """One direction of a bad path. Driven by `push`, and by `pull` when `next_timer` says so.

    Args:
        impairment: what is wrong; `change` takes another one.
    """

    def __init__(self, impairment: Impairment) -> None:
        self._impairment = impairment
        self._dice = random.Random(impairment.seed)
        self._due: list[tuple[float, int, Datagram]] = []
        self._count = count()
        self._bad = False
        self._busy_until = float("-inf")
        self._last_due = float("-inf")
        self._began: float | None = None
        self.lost = 0
        """Datagrams that will never come."""

    def change(self, impairment: Impairment) -> None:
        """Go on with another impairment; what is under way stays so, the dice and blackout times go on."""
        self._impairment = replace(impairment, seed=self._impairment.seed)

    def push(self, datagram: Datagram, size: int, now: float) -> None:
        """Send a datagram into the link.

        Args:
            datagram: comes out of `pull`, or never.
            size: bytes of it, for the rate.
            now: the time.
        """
        worse = self._impairment
        if self._began is None:
            self._began = now
        since = now - self._began
        if self._is_lost() or any(start <= since < start + length for start, length in worse.blackouts):
            self.lost += 1
            return
        leaves = now
        if worse.rate_bps is not None:
            leaves = max(now, self._busy_until) + size * 8 / worse.rate_bps
            if leaves - now > worse.queue_s + size * 8 / worse.rate_bps:
                self.lost += 1
                return
            self._busy_until = leaves
        due = leaves + worse.delay_s + (self._dice.random() * worse.jitter_s if worse.jitter_s else 0.0)
        if worse.reorder and self._dice.random() < worse.reorder:
            due += worse.reorder_s
        else:
            self._last_due = due = max(due, self._last_due)
        copies = 2 if worse.duplicate and self._dice.random() < worse.duplicate else 1
        for _ in range(copies):
            heapq.heappush(self._due, (due, next(self._count), datagram))

    def _is_lost(self) -> bool:
        loss, burst = self._impairment.loss, self._impairment.burst
        if loss <= 0:
            return False
        if burst <= 1 or loss >= 1:
            return self._dice.random() < loss
        # The bad state is left with 1/burst and entered so often that the fraction of time in it is `loss`.
        if self._bad:
            self._bad = self._dice.random() >= 1 / burst
        else:
            self._bad = self._dice.random() < loss / (burst * (1 - loss))
        return self._bad

    def next_timer(self) -> float | None:
        """Return when the next datagram comes out; None when none is under way."""
        return self._due[0][0] if self._due else None

    def pull(self, now: float) -> list[Datagram]:
        """Return the datagrams that have come out by now, in order."""
        out = []
        while self._due and self._due[0][0] <= now:
            out.append(heapq.heappop(self._due)[2])
        return out
