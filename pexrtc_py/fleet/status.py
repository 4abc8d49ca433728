"""How a fleet stands, as one value: for the status file, the local page, metrics and programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from ..errors import WriteError
from .engine import WorkerStatus
from .keeping import Keeper

__all__ = ["FleetStatus", "JobStatus", "serialize_status", "write_status"]

SCHEMA = "pexrtc.fleet/1"


class JobStatus(Struct, frozen=True, kw_only=True):
    """One job."""

    id: str
    kind: str
    alias: str
    state: str
    """`waiting`, `starting`, `running`, `stopping`, `retrying`, `refused` (no room) or `held` (people must help)."""
    reason: str
    """Why, in one line."""
    since: float
    """When the state began, seconds since the epoch."""
    runs: int
    """How many were started."""
    failures: int
    """How many of them failed."""
    refusals: int
    """How often there was no room."""
    worker: str | None
    """Where it runs."""
    path: str | None
    """Where its latest recording goes to."""
    seconds: float
    """Of media in the run so far."""
    bytes: int
    """On disk in the run so far."""
    outcome: str | None
    """Of the latest run that is over."""
    result: dict[str, object]
    """Its figures."""

    @classmethod
    def of(cls, keeper: Keeper, *, worker: str | None, progress: Mapping[str, float]) -> Self:
        """Tell how a job stands."""
        return cls(
            id=keeper.job.id,
            kind=keeper.job.kind,
            alias=keeper.job.alias,
            state=str(keeper.state),
            reason=keeper.reason,
            since=keeper.since,
            runs=keeper.run,
            failures=keeper.failures,
            refusals=keeper.refusals,
            worker=worker,
            path=keeper.path,
            seconds=round(progress.get("seconds", 0.0), 3),
            bytes=int(progress.get("bytes", 0)),
            outcome=str(keeper.ended.outcome) if keeper.ended is not None else None,
            result=keeper.ended.result if keeper.ended is not None else {},
        )


class FleetStatus(Struct, frozen=True, kw_only=True):
    """All of it."""

    time: float
    """When this was so, seconds since the epoch."""
    since: float
    """When the fleet began."""
    draining: bool
    cpu: float | None
    """Share of all cores in use lately."""
    memory_free_bytes: int | None
    workers: tuple[WorkerStatus, ...]
    jobs: tuple[JobStatus, ...]
    schema: str = SCHEMA


def serialize_status(status: FleetStatus) -> bytes:
    """Return the status as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n"


def write_status(path: Path, status: FleetStatus) -> None:
    """Write the status to a file, which is whole at any moment. Blocks.

    Raises:
        WriteError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(serialize_status(status))
        draft.replace(path)
    except OSError as exc:
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
