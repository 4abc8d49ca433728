"""What crosses between the fleet and its workers: one JSON object a line, no longer than `LINE_LIMIT`, no secrets.

PINs are read by the worker from the file that the job names; they are neither in arguments nor in these lines.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct, field

from .entries import Job

__all__ = [
    "LINE_LIMIT",
    "Beat",
    "Command",
    "Drain",
    "Ended",
    "FileClosed",
    "Finished",
    "Outcome",
    "Report",
    "Run",
    "Start",
    "Started",
    "Stop",
    "parse_command",
    "parse_report",
    "serialize",
]


LINE_LIMIT: Final = 1 << 22
"""Bytes of a line at most; the figures of a probe's run are some 10 kB."""
_LONGEST_REASON: Final = 1000


class Run(Struct, frozen=True, kw_only=True):
    """One run of a job."""

    job: Job
    """What to do."""
    number: int
    """Counts the runs of a job; a report of an earlier one is told by it."""
    conference_only: bool = False
    """Whether to wait until somebody is in the conference."""
    note_files: bool = False
    """Whether complete files get a note beside them, for uploads and retention."""
    stop_at: float | None = None
    """When to finish at the latest, seconds since the epoch."""


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """Carry out a run."""

    run: Run


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    """Finish a run."""

    job_id: str
    within_s: float | None = None
    """Seconds after which it is killed; None: it may take its time."""


class Drain(Struct, frozen=True, kw_only=True, tag="drain"):
    """Finish all runs and end. The end of the line from the fleet means the same."""


Command: TypeAlias = Start | Stop | Drain


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    """By itself, or asked to."""
    MISSED = "missed"
    """A probe missed a threshold."""
    FAILED = "failed"
    """By an error that may pass."""
    REFUSED = "refused"
    """By what only people can change: a PIN."""
    REMOVED = "removed"
    """Somebody put the participant out, and does not want it back at once."""
    LOST = "lost"
    """Its worker died."""


class Started(Struct, frozen=True, kw_only=True, tag="started"):
    """A run is in its conference and does its work."""

    job_id: str
    number: int
    path: str | None = None
    """Where a recording goes to."""


class FileClosed(Struct, frozen=True, kw_only=True, tag="file"):
    """A file of a run is complete."""

    job_id: str
    number: int
    path: str
    bytes: int


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """A run is over."""

    job_id: str
    number: int
    outcome: Outcome
    reason: str
    """In one line."""
    result: dict[str, object] = field(default_factory=dict)
    """Figures: files, seconds, bytes, packets; of a probe its figures."""
    goes_on: bool = False
    """Whether more is made of its files, until it is told as `Finished`; the next run need not wait for that."""


class Finished(Struct, frozen=True, kw_only=True, tag="finished"):
    """All is made that was to be made of the files of a run that ended before, or its worker died over it."""

    job_id: str
    number: int


class Beat(Struct, frozen=True, kw_only=True, tag="beat"):
    """A worker is alive; told each second."""

    worker: int
    cpu_s: float
    rss_bytes: int
    progress: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of each run that has something to show: seconds, bytes."""


Report: TypeAlias = Started | FileClosed | Ended | Finished | Beat

_COMMANDS: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def serialize(message: Command | Report) -> bytes:
    """Return a message as one line.

    That a run has ended must arrive, or it never ends for the fleet: where its figures are too many, it has none.
    """
    line = msgspec.json.encode(message) + b"\n"
    if len(line) < LINE_LIMIT or not isinstance(message, Ended):
        return line
    return serialize(msgspec.structs.replace(message, reason=message.reason[:_LONGEST_REASON], result={}))


def parse_command(line: bytes) -> Command:
    """Read what the fleet says.

    Raises:
        msgspec.MsgspecError: it is no command.
    """
    return _COMMANDS.decode(line)


def parse_report(line: bytes) -> Report:
    """Read what a worker says.

    Raises:
        msgspec.MsgspecError: it is no report.
    """
    return _REPORTS.decode(line)
