"""Announcements and probes kept going."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ..announcer.announcement import play, play_with_slides
from ..announcer.material import announcement_of_sources
from ..endpoint.conference import open_conference
from ..errors import WriteError
from ..media.marks_source import ReferenceConfig
from ..media.player import Player
from ..probe.ends import EndConfig
from ..probe.result import ProbeResult, figures, serialize_result
from ..probe.running import RunConfig, probe_pair, probe_single
from ..recorder.naming import expand_template
from ..signalling import SessionConfig
from ..tasks import first_of
from .active_run import ActiveRun
from .entries import AnnounceJob, ProbeJob
from .joining import peer_of
from .messages import Outcome
from .record_run import free_path

__all__ = ["run_announcement", "run_probe"]

_ALONE_S = 3.0
"""How long is waited for media that need not come."""


async def run_announcement(
    active: ActiveRun, job: AnnounceJob, session: SessionConfig
) -> tuple[Outcome, str, dict[str, object]]:
    """Play once; return how it ended, why, and figures. Cancelling hangs up and leaves.

    Raises:
        PexrtcError: a file cannot be played, or there is no way into the conference.
    """
    peer = peer_of(job)
    main = await announcement_of_sources(job.files, loop=job.loop or None, peer=peer)
    slides = None
    if job.present:
        slides = await announcement_of_sources([job.present], loop=None, present=True, peer=peer)
    players: list[Player] = []

    def note(player: Player) -> None:
        players.append(player)
        active.progress = lambda: {"seconds": player.position_s}
        active.started()

    async def playing() -> None:
        async with open_conference(session) as conference:
            if slides is None:
                await play(conference, main, on_player=note)
            else:
                await play_with_slides(conference, main, slides, present_by=job.present_by, on_player=note)

    async def stop() -> None:
        await active.until_stopped()
        for player in players:
            player.stop()
        if players:  # the player ends, and with it the playing; without one there is nothing to wait for
            await asyncio.Event().wait()

    await first_of(playing=playing(), stop=stop())
    stopped = active.is_over
    seconds = round(players[-1].position_s, 3) if players else 0.0
    return Outcome.DONE, "stopped" if stopped else "finished", {"duration_s": seconds}


async def run_probe(active: ActiveRun, job: ProbeJob, session: SessionConfig) -> tuple[Outcome, str, dict[str, object]]:
    """Measure once; return how it ended, why, and the figures. Cancelling leaves.

    Raises:
        PexrtcError: an end could not join, or the report cannot be written.
    """
    began = datetime.now(job.zone)
    config = RunConfig(duration_s=job.duration_s, thresholds=job.thresholds, wants_media=not job.alone)
    if job.alone:
        config = replace(config, media_timeout_s=_ALONE_S)
    reference = ReferenceConfig(width=job.width, height=job.height, frame_rate=job.frame_rate)
    end = EndConfig(session=session, peer=peer_of(job), reference=reference)
    active.started()
    if job.pair:
        ends = [replace(end, session=replace(session, display_name=f"{job.name} {n}")) for n in (1, 2)]
        result = await probe_pair(ends[0], ends[1], config, stop=active.stopping)
    else:
        result = await probe_single(end, config, echo=job.echo, stop=active.stopping)
    if job.report is not None:
        report = free_path(expand_template(job.report, {"alias": session.alias}, began))
        await asyncio.to_thread(_write_report, report, result)
    found: dict[str, object] = {
        "duration_s": result.duration_s,
        "figures": [
            {"metric": one.metric, "stream": one.stream, "aggregate": one.aggregate, "value": one.value}
            for one in figures(result)
        ],
    }
    missed = ", ".join(reason.threshold for reason in result.verdict.failures)
    if result.error:
        return Outcome.FAILED, result.error, found
    if not result.passed:
        return Outcome.MISSED, f"missed {missed}", found
    return Outcome.DONE, "passed", found


def _write_report(path: Path, result: ProbeResult) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(serialize_result(result) + b"\n")
    except OSError as exc:
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
