"""What the fleet shows to the world: webhooks, uploads, metrics. Driven by what the supervisor tells."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from ..errors import PexrtcError, UsageError
from ..service.kept_files import KeptFile, read_note
from ..service.metrics import Figure, JobSample, MachineSample
from ..service.uploads import UploadConfig, Uploads, forget_gone, remove_expired
from ..service.webhooks import WebhookConfig, Webhooks
from .entries import Job, RecordJobEntry
from .jobs import FleetFile, WebhookTable
from .leftovers import Leftovers
from .messages import Outcome
from .record_run import note_file
from .status import FleetStatus, JobStatus
from .supervisor import FileDone, Happening, JobEnded, JobRefused, JobStarted, RunFinished

__all__ = ["World", "job_sample", "machine_sample"]

logger = logging.getLogger(__name__)

_DAY_S = 86400.0
_NOTES_DAYS = 30
"""How long the note of a file tells what became of it, when it is gone."""


class World:
    """Tells webhooks, uploads files, mends what was killed, and removes what is old, while its block lasts.

    Its webhooks and its upload are those of the file it was made with: they change with a new start only. Recordings of
    jobs that the file has no more are looked after until then.
    """

    def __init__(self, file: FleetFile) -> None:
        """Prepare.

        Raises:
            UsageError: a secret cannot be read, or the upload's target cannot be used.
        """
        self._file = file
        self._recordings: list[RecordJobEntry] = []
        self.apply(file)
        self._webhooks = [Webhooks(_webhook(table)) for table in file.webhooks]
        self._busy: Counter[str] = Counter()
        """Runs that need their files once more at the end, by job, see `RecordJobEntry.reads_again`."""
        self.uploads: Uploads | None = None
        if file.upload.to is not None:
            config = UploadConfig(to=file.upload.to, delete=file.upload.delete)
            self.uploads = Uploads(config, on_uploaded=self._note_upload, may_remove=self._may_remove)
        self._leftovers = Leftovers()
        self._lost = asyncio.Event()
        self._forgot_at = float("-inf")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin."""
        for webhooks in self._webhooks:
            await self._stack.enter_async_context(webhooks)
        if self.uploads is not None:
            await self._stack.enter_async_context(self.uploads)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def apply(self, file: FleetFile) -> None:
        """Look after the recordings of another version of the file, too."""
        new = [job for job in file.jobs if isinstance(job, RecordJobEntry)]
        # By where their files are, so that a list that changes for years does not grow.
        places = {_place(job) for job in new}
        self._recordings = [*new, *(job for job in self._recordings if _place(job) not in places)]

    def note(self, happening: Happening) -> None:
        """Learn what happened; it never waits."""
        match happening:
            case JobStarted():
                if isinstance(happening.job, RecordJobEntry) and happening.job.reads_again:
                    self._busy[happening.job.id] += 1
                self._post("job.start", happening.job, {"path": happening.path})
            case FileDone():
                self._post("job.segment", happening.job, {"path": happening.path, "bytes": happening.bytes})
                self._upload(Path(happening.path))
            case JobEnded():
                ended = happening.ended
                good = ended.outcome in (Outcome.DONE, Outcome.MISSED)
                about = {"outcome": str(ended.outcome), "reason": ended.reason, "result": ended.result}
                self._post("job.stop" if good else "job.error", happening.job, about)
                if not ended.goes_on:
                    self._let_go(happening.job.id)
                if ended.outcome is Outcome.LOST and isinstance(happening.job, RecordJobEntry):
                    self._lost.set()
            case RunFinished():
                self._let_go(happening.job_id)
            case JobRefused():
                self._post("job.refused", happening.job, {"reason": happening.reason})
            case _:
                assert_never(happening)

    def _let_go(self, job_id: str) -> None:
        self._busy[job_id] = max(0, self._busy[job_id] - 1)
        if not self._busy[job_id]:
            del self._busy[job_id]
        if self.uploads is not None:
            self.uploads.sweep()

    async def resume(self) -> None:
        """Upload what an earlier fleet left. Cancelling is safe."""
        if self.uploads is not None and (found := await self.uploads.resume(self._folders())):
            logger.info("= %d files of earlier are uploaded", found)

    async def recording_lost(self) -> None:
        """Wait until the process of a recording died, which left something to mend. Cancelling is safe."""
        await self._lost.wait()
        self._lost.clear()

    async def mend_leftovers(self) -> None:
        """Make whole what killed runs left, and treat it like what was recorded well. Cancelling is safe."""
        async for job, path in self._leftovers.mend(self._recordings):
            if self._file.upload.needs_notes:
                note_file(job, path)
            with suppress(OSError):
                self.note(FileDone(job=job, path=str(path), bytes=path.stat().st_size))

    async def keep_tidy(self, wall_clock: float) -> None:
        """Remove what was kept long enough, and each day the notes of what is long gone. Blocks in a thread."""
        upload = self._file.upload
        if upload.keep_days is not None:
            for folder in self._folders():
                await asyncio.to_thread(
                    remove_expired,
                    folder,
                    now=wall_clock,
                    keep_s=upload.keep_days * _DAY_S,
                    uploads=self.uploads is not None,
                )
        if upload.needs_notes and not 0 <= wall_clock - self._forgot_at < _DAY_S:
            self._forgot_at = wall_clock
            for folder in self._folders():
                await asyncio.to_thread(forget_gone, folder, now=wall_clock, keep_s=_NOTES_DAYS * _DAY_S)

    def _folders(self) -> set[Path]:
        return {job.folder for job in self._recordings}

    @property
    def counters(self) -> Mapping[str, int]:
        """Totals for metrics."""
        totals = {
            "webhooks_delivered": sum(one.delivered for one in self._webhooks),
            "webhooks_failed": sum(one.failed for one in self._webhooks),
            "webhooks_dropped": sum(one.dropped for one in self._webhooks),
        }
        if self.uploads is not None:
            totals |= {
                "uploads": self.uploads.uploaded,
                "upload_failures": self.uploads.failures,
                "files_removed": self.uploads.removed,
            }
        return totals

    def _post(self, event: str, job: Job, about: Mapping[str, object]) -> None:
        for webhooks in self._webhooks:
            webhooks.post(event, {"job": job.id, "kind": job.kind, "alias": job.alias, **about})

    def _upload(self, path: Path) -> None:
        if self.uploads is None:
            return
        try:
            self.uploads.add(path, read_note(path))
        except PexrtcError as exc:
            logger.error("! not uploaded: %s", exc)

    def _may_remove(self, kept: KeptFile) -> bool:
        return kept.job not in self._busy

    def _note_upload(self, path: Path, kept: KeptFile) -> None:
        for webhooks in self._webhooks:
            about = {"job": kept.job, "path": str(path), "to": kept.to, "key": kept.key, "bytes": kept.size}
            webhooks.post("file.uploaded", {**about, "sha256": kept.sha256})


def _place(job: RecordJobEntry) -> tuple[object, ...]:
    """Return by what the files of a job are known, and what may be half made of them."""
    return job.id, job.alias, job.output, job.transcode


def _webhook(table: WebhookTable) -> WebhookConfig:
    try:
        secret = Path(table.secret_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "no text"
        raise UsageError(f"secret_file {table.secret_file}: {reason}") from exc
    return WebhookConfig(url=table.url, secret=secret, events=frozenset(table.events))


def job_sample(status: JobStatus) -> JobSample:
    """Make of a job's status what metrics are made of."""
    result = status.result
    figures = result.get("figures")
    return JobSample(
        job=status.id,
        kind=status.kind,
        alias=status.alias,
        state=status.state,
        runs=status.runs,
        failures=status.failures,
        refusals=status.refusals,
        media_seconds=status.seconds,
        bytes=status.bytes,
        last={name: float(value) for name, value in result.items() if isinstance(value, int | float)},
        passed=_passed(status),
        figures=tuple(_figure(one) for one in figures) if isinstance(figures, list) else (),
    )


def machine_sample(status: FleetStatus, counters: Mapping[str, int]) -> MachineSample:
    """Make of the fleet's status what metrics are made of."""
    return MachineSample(
        cpu_ratio=status.cpu,
        memory_free_bytes=status.memory_free_bytes,
        workers=tuple((one.name, one.cpu_s, one.rss_bytes, one.restarts) for one in status.workers),
        counters=counters,
    )


def _passed(status: JobStatus) -> bool | None:
    return status.outcome == Outcome.DONE if status.kind == "probe" and status.outcome is not None else None


def _figure(one: Mapping[str, object]) -> Figure:
    value = one.get("value")
    return Figure(
        metric=str(one.get("metric")),
        stream=str(one.get("stream")),
        aggregate=str(one.get("aggregate")),
        value=float(value) if isinstance(value, int | float) else float("nan"),
    )
