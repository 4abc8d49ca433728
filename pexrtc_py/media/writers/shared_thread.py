"""The one thread of a process that writes recordings.

A hand-over per frame to a thread per call costs as much as receiving the frame (0.89 % of a core a call against 0.51 %,
measured), so all writers share one thread, which takes what has come every `BATCH_S`. The price: a disk that blocks
holds up every recording of the process; each keeps its frames meanwhile, within its bound of memory.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

__all__ = ["BATCH_S", "WriterJob", "add_job", "wake"]

logger = logging.getLogger(__name__)

BATCH_S = 0.15
"""Seconds between two rounds. Part of what a SIGKILL loses; 0.1 to 0.25 cost the same (measured)."""


class WriterJob(Protocol):
    """What the thread calls in every round."""

    def run(self) -> bool:
        """Write what has come. Return False when done for good. Must not raise."""


_lock = threading.Lock()
_jobs: list[WriterJob] = []
_awake = threading.Event()
_thread: threading.Thread | None = None


def add_job(job: WriterJob) -> None:
    """Have `job` called from the shared thread, which starts with the first job and ends with the last."""
    global _thread
    with _lock:
        _jobs.append(job)
        if _thread is None:
            # A daemon: a recording that nobody closes must not keep the process from ending; its file plays anyhow.
            _thread = threading.Thread(target=_run, name="pexrtc-shared-writer", daemon=True)
            _thread.start()
    _awake.set()


def wake() -> None:
    """Begin the next round now."""
    _awake.set()


def _run() -> None:
    global _thread
    while True:
        _awake.wait(BATCH_S)
        _awake.clear()
        with _lock:
            jobs = tuple(_jobs)
        done = [job for job in jobs if not _runs(job)]
        with _lock:
            for job in done:
                _jobs.remove(job)
            if not _jobs:
                _thread = None
                return


def _runs(job: WriterJob) -> bool:
    try:
        return job.run()
    except Exception:  # a defect in one writer must not stop the others
        logger.exception("! writer thread: %r failed", job)
        return False
