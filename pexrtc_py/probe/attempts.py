"""One run of whatever kind, as one result: also when nobody would let it in. What repeats or runs many needs that.

A plan says what to do; an attempt does it once. Only what the user must mend before anything can be tried (an address
that is none) is an error.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal

from ..errors import (
    PexrtcError,
    RefusedError,
    SessionClosed,
    SourceError,
    Throttled,
    TokenExpired,
    UsageError,
    WriteError,
)
from ..signalling import SessionConfig
from ..tasks import first_of
from ..version import __version__
from .doctor import DoctorConfig, examine
from .ends import EndConfig
from .evidence import Evidence
from .result import Cause, ProbeResult, shown_node
from .running import RunConfig, probe_pair, probe_single
from .series import OnSample
from .thresholds import Threshold, judge

__all__ = ["MAX_PARTICIPANTS", "Plan", "PlanKind", "attempt", "cause_of", "each_node", "spread"]

MAX_PARTICIPANTS: Final = 20
"""The hard cap on participants that one process sends into conferences: each takes a port licence of somebody."""
_GRACE_S: Final = 8.0
"""How long a run may take to end by itself once it was asked to."""
_JOINING_GRACE_S: Final = 0.5
"""The same before anything was measured: joining does not listen, and has nothing to write."""
_ID_STEP: Final = 1 << 17
"""Between the first frame ids of plans that run together, so that none takes another's pictures for its own."""


class PlanKind(StrEnum):
    """What is tried."""

    SINGLE = "single"
    ECHO = "echo"
    PAIR = "pair"
    JOIN = "join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, where, and when to fail."""

    end: EndConfig
    kind: PlanKind = PlanKind.SINGLE
    second: EndConfig | None = None
    """The other end of a pair."""
    run: RunConfig = field(default_factory=RunConfig)
    doctor: DoctorConfig = field(default_factory=DoctorConfig)
    """Of the kind `JOIN`."""

    @property
    def participants(self) -> int:
        """How many licences it takes."""
        return 2 if self.kind is PlanKind.PAIR else 1

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """When it fails."""
        return self.doctor.thresholds if self.kind is PlanKind.JOIN else self.run.thresholds


async def attempt(
    plan: Plan,
    *,
    stop: asyncio.Event | None = None,
    on_sample: OnSample | None = None,
    evidence: Evidence | None = None,
    again: bool = False,
) -> ProbeResult:
    """Try once; what keeps it from beginning stands in the result. Cancelling is safe.

    Args:
        plan: what to do.
        stop: ends it early, and well; while it is still joining, and measures nothing, half a second later.
        on_sample: is told every sample as it is taken, in whatever thread.
        evidence: collects what a support bundle needs.
        again: it could be tried before. What cannot be used now, such as a file of certificates that is being renewed,
            is a result, too, and may be there the next time.

    Raises:
        UsageError: something given cannot be used, so that trying again would not help; not when `again`.
    """
    stop = stop or asyncio.Event()
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    measures = threading.Event()

    def tell(moment: float, metric: str, stream: str, value: float) -> None:
        if not metric.startswith("self."):  # how late we are is told from the first moment
            measures.set()
        if on_sample is not None:
            on_sample(moment, metric, stream, value)

    try:
        what, found = await first_of(run=_run(plan, stop, tell, evidence), stop=_long_after(stop, measures))
    except PexrtcError as exc:
        if isinstance(exc, UsageError) and not again:
            raise
        error, cause = str(exc), cause_of(exc)
    else:
        if what == "run" and isinstance(found, ProbeResult):
            return found
        error, cause = "stopped before it had begun", Cause.STOPPED
    kind: Literal["single", "pair", "join"] = (
        "pair" if plan.kind is PlanKind.PAIR else "join" if plan.kind is PlanKind.JOIN else "single"
    )
    return ProbeResult(
        kind=kind,
        target=plan.end.session.alias,
        node=shown_node(plan.end.session.node_url),
        started=started,
        duration_s=round(time.monotonic() - began, 3),
        version=__version__,
        verdict=judge(plan.thresholds, ()),
        error=error,
        cause=cause,
    )


async def _run(plan: Plan, stop: asyncio.Event, on_sample: OnSample | None, evidence: Evidence | None) -> ProbeResult:
    match plan.kind:
        case PlanKind.JOIN:
            return await examine(plan.end, plan.doctor, evidence=evidence)
        case PlanKind.PAIR if plan.second is not None:
            return await probe_pair(plan.end, plan.second, plan.run, stop=stop, on_sample=on_sample, evidence=evidence)
        case _:
            echo = plan.kind is PlanKind.ECHO
            return await probe_single(plan.end, plan.run, echo=echo, stop=stop, on_sample=on_sample, evidence=evidence)


async def _long_after(stop: asyncio.Event, measures: threading.Event) -> None:
    await stop.wait()
    if not measures.is_set():
        await asyncio.sleep(_JOINING_GRACE_S)
    if measures.is_set():
        await asyncio.sleep(_GRACE_S)


def cause_of(error: PexrtcError) -> Cause:
    """Return what kind of failure an error is."""
    match error:
        case Throttled():
            return Cause.UNREACHABLE
        case RefusedError():
            return Cause.REFUSED
        case SessionClosed() | TokenExpired():
            return Cause.REMOVED
        case SourceError() | WriteError() | UsageError():
            return Cause.FAILED
        case _:
            return Cause.UNREACHABLE


def each_node(session: SessionConfig) -> list[SessionConfig]:
    """Return a session for each node that is known, in their order, each without the others to fall back to."""
    return [replace(session, node_url=url, fallback_urls=()) for url in (session.node_url, *session.fallback_urls)]


def spread(plans: Sequence[Plan]) -> list[Plan]:
    """Return plans that run together with pictures that cannot be taken for each other's.

    Raises:
        UsageError: together they would send more participants into conferences than is decent.
    """
    participants = sum(plan.participants for plan in plans)
    if participants > MAX_PARTICIPANTS:
        raise UsageError(f"{participants} participants at once: at most {MAX_PARTICIPANTS}, each takes a licence")

    def placed(plan: Plan, number: int) -> Plan:
        reference = replace(plan.end.reference, first_id=plan.end.reference.first_id + number * _ID_STEP)
        second = plan.second
        if second is not None:
            second = replace(second, reference=reference)
        return replace(plan, end=replace(plan.end, reference=reference), second=second)

    return [placed(plan, number) for number, plan in enumerate(plans)]
