"""Runs again and again: a monitor for ever, or a number of times. One round tries every plan once, all together.

Rounds begin at equal distances from the first; one that could not begin in time is left out, and never two at once. A
signal to stop ends the round that is under way, early and well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import UsageError
from ..tasks import task_owner
from .attempts import Plan, attempt
from .evidence import Evidence
from .result import Cause, ProbeResult
from .series import OnSample

__all__ = ["MAX_COUNT", "MAX_EVERY_S", "MIN_EVERY_S", "RepeatConfig", "Round", "repeat", "run_together"]

MIN_EVERY_S: Final = 10.0
"""A node logs every join, and somebody pays for its licences."""
MAX_EVERY_S: Final = 7 * 24 * 3600.0
MAX_COUNT: Final = 10_000
_REST_S: Final = 1.0
"""Between rounds that follow each other without an interval."""
_LEAST_REST_S: Final = 5.0
"""Between the media of two rounds with an interval: joining and leaving take their time."""
_STAGGER_S: Final = 0.2
"""Between the starts of plans of one round: nobody likes twenty participants at a stroke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatConfig:
    """How often, and how many times.

    Raises:
        UsageError: more often or more times than is decent.
    """

    every_s: float | None = None
    """From start to start; None: one round after the other, which needs a count."""
    count: int | None = 1
    """How many rounds; None: until stopped, which needs an interval."""

    def __post_init__(self) -> None:
        if self.every_s is not None and not MIN_EVERY_S <= self.every_s <= MAX_EVERY_S:
            raise UsageError(f"every {self.every_s:g} s: from {MIN_EVERY_S:g} s to a week ({MAX_EVERY_S:g} s)")
        if self.count is not None and not 1 <= self.count <= MAX_COUNT:
            raise UsageError(f"count {self.count}: from 1 to {MAX_COUNT}; for ever needs an interval")
        if self.count is None and self.every_s is None:
            raise UsageError("for ever needs an interval: every 5m, for example")

    def check_duration(self, duration_s: float) -> None:
        """Make sure that runs of so many seconds fit.

        Raises:
            UsageError: they do not.
        """
        if self.every_s is not None and duration_s + _LEAST_REST_S > self.every_s:
            raise UsageError(
                f"every {self.every_s:g} s: a run has {duration_s:g} s of media, and needs {_LEAST_REST_S:g} s to rest"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round brought."""

    number: int
    """From 1."""
    results: Sequence[ProbeResult]
    """In the order of the plans."""
    evidence: Sequence[Evidence | None]
    """Likewise."""


async def repeat(
    plans: Sequence[Plan],
    config: RepeatConfig,
    on_round: Callable[[Round], None],
    *,
    stop: asyncio.Event,
    on_sample: Callable[[Plan], OnSample | None] = lambda plan: None,
    collect: bool = False,
) -> None:
    """Try all plans again and again. Cancelling is safe.

    Args:
        plans: what is tried in each round.
        config: how often.
        on_round: told each round as it ends; it writes what there is to write.
        stop: ends it, early and well.
        on_sample: makes what is told every sample of a plan.
        collect: whether to collect what support bundles need.

    Raises:
        UsageError: something given cannot be used, in the first round; in a later one that is a result.
        PexrtcError: `on_round` could not write.
    """
    began, number = time.monotonic(), 0
    while not stop.is_set() and (config.count is None or number < config.count):
        number += 1
        evidence = [Evidence(plan.thresholds) if collect else None for plan in plans]
        results = await run_together(plans, stop=stop, on_sample=on_sample, evidence=evidence, again=number > 1)
        if number > 1 and all(result.cause is Cause.STOPPED for result in results):
            return  # a monitor was ended while it joined again: nobody failed
        on_round(Round(number=number, results=results, evidence=evidence))
        if config.count is None or number < config.count:
            await _rest(began, config, stop)


async def _rest(began: float, config: RepeatConfig, stop: asyncio.Event) -> None:
    """Wait for the next start, or for the end."""
    seconds = _REST_S if config.every_s is None else config.every_s - (time.monotonic() - began) % config.every_s
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def run_together(
    plans: Sequence[Plan],
    *,
    stop: asyncio.Event,
    on_sample: Callable[[Plan], OnSample | None] = lambda plan: None,
    evidence: Sequence[Evidence | None] | None = None,
    again: bool = False,
) -> list[ProbeResult]:
    """Try several plans at once; the results are in their order. Cancelling is safe.

    Raises:
        UsageError: something given cannot be used; not when `again`, see `attempt`.
    """
    evidence = evidence or [None] * len(plans)
    async with task_owner() as tasks:
        started = []
        for number, (plan, kept) in enumerate(zip(plans, evidence, strict=True)):
            trying = attempt(plan, stop=stop, on_sample=on_sample(plan), evidence=kept, again=again)
            work = _later(number * _STAGGER_S, trying)
            started.append(tasks.start(work, name=f"pexrtc probe {number + 1}"))
        return [await task for task in started]


async def _later(seconds: float, trying: Coroutine[object, object, ProbeResult]) -> ProbeResult:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        trying.close()
        raise
    return await trying
