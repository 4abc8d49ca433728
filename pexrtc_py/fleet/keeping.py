"""What becomes of one job over time: waits, runs, is tried again. Pure: time and dice go in.

Driven by `decide` (now and then, and when something changed), and by what the engine reports. A run that fails is tried
again after a delay that doubles; one that ran well for a while begins anew with the shortest. What only people can
change (a wrong PIN: trying on would lock the conference) is held until the file is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from ..errors import LocalProtocolError
from ..protocol.backoff import Backoff
from .entries import Job
from .messages import Ended, Outcome, Run, Started
from .when import LATE_S, Always, Occurrence, due, parse_when

__all__ = ["JobState", "Keeper"]

AGAIN_S: Final = 2.0
"""Between the end of a run that went well and the next: a conference that is over is not joined in the same moment."""
_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 60.0
_STABLE_S: Final = 60.0
"""A run that lasted so long was no false start."""
_REFUSED_S: Final = 5.0
"""How soon to look again whether there is room."""


class JobState(StrEnum):
    """What a job does at the moment."""

    WAITING = "waiting"
    """For its time."""
    STARTING = "starting"
    """An engine has it; it is not in the conference yet, or nobody else is."""
    RUNNING = "running"
    STOPPING = "stopping"
    """Asked to finish."""
    RETRYING = "retrying"
    """Failed; waits before it is tried again."""
    REFUSED = "refused"
    """There is no room; looks again."""
    HELD = "held"
    """Only people can help."""


_ACTIVE: Final = frozenset({JobState.STARTING, JobState.RUNNING, JobState.STOPPING})


class Keeper:
    """Keeps one job going.

    Attributes:
        job: as the file has it.
        state: what it does.
        reason: why, in one line; empty when all is well.
        since: when the state began, seconds since the epoch.
        run: number of the latest run.
        failures: runs that failed, were lost or were refused by the node.
        refusals: starts for which there was no room.
        ended: what became of the latest run.
        path: where the latest recording goes to.
    """

    def __init__(self, job: Job, now: float, *, dice: Callable[[], float]) -> None:
        self.job = job
        self.state = JobState.WAITING
        self.reason = ""
        self.since = now
        self.run = 0
        self.failures = 0
        self.refusals = 0
        self.ended: Ended | None = None
        self.path: str | None = None
        self._backoff = Backoff(dice, first_s=_FIRST_DELAY_S, ceiling_s=_LONGEST_DELAY_S)
        self._not_before = 0.0
        self._occurrence: Occurrence | None = None
        self._done: Occurrence | None = None
        self._goes_on_until = 0.0
        """Until when what was broken off is begun again, however long ago it was due."""
        self._next_job: Job | None = None
        self._leaving = False

    @property
    def is_active(self) -> bool:
        """Whether an engine has a run of it."""
        return self.state in _ACTIVE

    @property
    def returns(self) -> bool:
        """Whether the next run takes the place of one that was lost with its process."""
        return self.ended is not None and self.ended.outcome is Outcome.LOST

    @property
    def is_gone(self) -> bool:
        """Whether the job is no longer wanted and has ended."""
        return self._leaving and not self.is_active

    def change(self, job: Job | None, now: float) -> bool:
        """Take what the file says now, None for a job it has no more. Return whether a run must finish first."""
        if job == self.job and self._next_job is None and not self._leaving:
            if self.state is JobState.HELD:  # the file was read again: somebody may have helped
                self._begin_anew(job, now)
            return False
        self._leaving = job is None
        if self.is_active:
            self._next_job = job
            self._set_state(JobState.STOPPING, now, "the file has changed" if job is not None else "no longer wanted")
            return True
        if job is not None:
            self._begin_anew(job, now)
        return False

    def decide(self, now: float) -> Run | None:
        """Return the run that is to be started now, None if there is none; start it, or `refuse` it."""
        if self.is_active or self._leaving or self.state is JobState.HELD or now < self._not_before:
            return None
        when = parse_when(self.job.when)
        occurrence, _ = due(when, self.job.zone, now)
        if occurrence is None and now < self._goes_on_until:
            occurrence = self._occurrence
        if occurrence is None or occurrence == self._done:
            if self.state is not JobState.WAITING:
                self._set_state(JobState.WAITING, now, self.reason)
            return None
        self._occurrence = occurrence
        return Run(
            job=self.job,
            number=self.run + 1,
            conference_only=when[0] is Always.CONFERENCE,
            stop_at=occurrence.end if occurrence.end < float("inf") else None,
        )

    def next_look(self, now: float) -> float:
        """Return when to call `decide` again at the latest, seconds since the epoch."""
        if self.is_active or self._leaving or self.state is JobState.HELD:
            return float("inf")
        if now < self._not_before:
            return self._not_before
        return due(parse_when(self.job.when), self.job.zone, now)[1]

    def start(self, run: Run, now: float) -> None:
        """Learn that an engine has the run that was decided on.

        Raises:
            LocalProtocolError: it is not the next one.
        """
        if self.is_active or run.number != self.run + 1:
            raise LocalProtocolError(f"run {run.number} of {self.job.id} after run {self.run}, {self.state}")
        self.run = run.number
        self.path = None
        self._set_state(JobState.STARTING, now, "")

    def refuse(self, reason: str, now: float) -> bool:
        """Learn that there is no room. Return whether that is news."""
        is_news = self.state is not JobState.REFUSED
        self.refusals += is_news
        self._not_before = now + _REFUSED_S
        if is_news:
            self._set_state(JobState.REFUSED, now, reason)
        self.reason = reason
        return is_news

    def handle_started(self, report: Started, now: float) -> None:
        """Learn that a run is in its conference."""
        if report.number == self.run and self.is_active:
            self.path = report.path
            if self.state is JobState.STARTING:
                self._set_state(JobState.RUNNING, now, "")

    def handle_ended(self, report: Ended, now: float) -> None:
        """Learn what became of a run."""
        if report.number != self.run or not self.is_active:
            return
        was_running_s = now - self.since if self.state is JobState.RUNNING else 0.0
        self.ended = report
        if report.outcome in (Outcome.DONE, Outcome.MISSED):
            self._backoff.reset()
            self._not_before = now + AGAIN_S
            if self._occurrence is not None and float("-inf") < self._occurrence.start and self._ends_itself:
                self._done = self._occurrence
            self._set_state(JobState.WAITING, now, report.reason)
        elif report.outcome is Outcome.REFUSED:
            self.failures += 1
            self._set_state(JobState.HELD, now, report.reason)
        elif report.outcome is Outcome.REMOVED:
            self._not_before = now + self.job.removed_wait_s
            self._set_state(JobState.RETRYING, now, report.reason)
        else:
            self.failures += 1
            if was_running_s >= _STABLE_S:
                self._backoff.reset()
            self._not_before = now + self._backoff.next_delay()
            if self.state is JobState.RUNNING and self._ends_itself:
                self._goes_on_until = self._not_before + LATE_S
            self._set_state(JobState.RETRYING, now, report.reason)
        if self._next_job is not None:
            self._begin_anew(self._next_job, now)

    def stop(self, now: float) -> None:
        """Learn that the run was asked to finish."""
        if self.is_active:
            self._set_state(JobState.STOPPING, now, "asked to finish")

    @property
    def _ends_itself(self) -> bool:
        return self._occurrence is not None and self._occurrence.end == float("inf")

    def _begin_anew(self, job: Job, now: float) -> None:
        self.job, self._next_job = job, None
        self._backoff.reset()
        self._not_before = now
        self._done = self._occurrence = None
        self._goes_on_until = 0.0
        self._set_state(JobState.WAITING, now, "")

    def _set_state(self, state: JobState, now: float, reason: str) -> None:
        self.state, self.since, self.reason = state, now, reason
