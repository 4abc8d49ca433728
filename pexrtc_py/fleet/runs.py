"""One run of a job, from its entry in the file to what came of it.

Every error becomes an `Ended` that says whether trying again can help; a bug is one too, with its traceback in the log,
so that one job never costs its neighbours in the process.
"""

from __future__ import annotations

import logging
from typing import assert_never

from ..errors import IdentityProviderRequired, PexrtcError, PinInvalid, PinRequired, SessionClosedError, SessionClosedOK
from ..recorder.persistence import is_final
from ..tasks import first_of
from .active_run import ActiveRun
from .entries import AnnounceJob, Job, ProbeJob, RecordJobEntry
from .joining import session_of, somebody_is_there
from .media_runs import run_announcement, run_probe
from .messages import Ended, Outcome
from .record_run import run_recording

__all__ = ["carry_out"]

logger = logging.getLogger(__name__)

_HOPELESS = (PinRequired, PinInvalid, IdentityProviderRequired)


async def carry_out(active: ActiveRun) -> Ended:
    """Carry out a run and return what became of it; `active.afterwards` is the caller's to do then.

    Cancelling leaves the conference and closes the files.
    """
    run = active.run
    try:
        outcome, reason, result = await _carry_out(active, run.job)
    except SessionClosedOK as exc:
        outcome, reason, result = Outcome.DONE, str(exc), {}
    except SessionClosedError as exc:
        outcome, reason, result = Outcome.REMOVED if is_final(exc) else Outcome.FAILED, str(exc), {}
    except _HOPELESS as exc:
        outcome, reason, result = Outcome.REFUSED, str(exc), {}
    except PexrtcError as exc:
        outcome, reason, result = Outcome.FAILED, str(exc), {}
    except Exception as exc:
        logger.exception("! bug in %s", run.job.id)
        outcome, reason, result = Outcome.FAILED, f"bug: {type(exc).__name__}", {}
    return Ended(
        job_id=run.job.id,
        number=run.number,
        outcome=outcome,
        reason=reason,
        result=result,
        goes_on=active.afterwards is not None,
    )


async def _carry_out(active: ActiveRun, job: Job) -> tuple[Outcome, str, dict[str, object]]:
    session = await session_of(job)
    if active.run.conference_only:
        name, _ = await first_of(people=somebody_is_there(session), stop=active.until_stopped())
        if name == "stop":
            return Outcome.DONE, "stopped before anybody came", {}
    match job:
        case RecordJobEntry():
            return await run_recording(active, job, session)
        case AnnounceJob():
            return await run_announcement(active, job, session)
        case ProbeJob():
            return await run_probe(active, job, session)
        case _:
            assert_never(job)
