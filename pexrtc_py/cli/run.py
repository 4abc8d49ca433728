"""`pexrtc run`: a list of jobs, kept going."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from ..fleet.jobs import FleetFile, load_jobs
from ..fleet.running import FleetOptions, run_fleet
from ..service.local_pages import parse_listen
from .exits import ExitCode
from .options import Json, Quiet, Verbose, configure_logging
from .running import Stopping, obeying, run
from .screen import Screen

__all__ = ["run_command"]


def run_command(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS.toml", help="What to keep going.")],
    check: Annotated[
        bool, typer.Option("--check", help="Read the file, say what is in it, and start nothing.")
    ] = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="ADDRESS:PORT", help="Serve /metrics (Prometheus), /status (JSON) and /healthz there."
        ),
    ] = None,
    textfile: Annotated[
        Path | None,
        typer.Option("--textfile", metavar="FILE.prom", help="Keep the metrics in a file."),
    ] = None,
    status: Annotated[
        Path | None,
        typer.Option("--status", metavar="FILE", help="Keep the status in a file, JSON."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Keep recordings, announcements and probes going: one process per core, each job tried again when it fails.

        pexrtc run /etc/pexrtc/jobs.toml --metrics 127.0.0.1:9464 --status /run/pexrtc/status.json

    JOBS.toml says what to keep going; --check tells whether it can be read. Times end in _s, sizes in _bytes; where a
    key is not known, all there are are told.

    \b
        [defaults]
        node = "https://node.example.com"

    \b
        [[record]]
        alias = "board"
        output = "/srv/recordings/{alias}-{date}-{time}.mkv"
        pin_file = "/etc/pexrtc/board.pin"
        when = "conference"              # or "always", "Mon-Fri 09:00-10:30", "2026-12-24 18:00", "every 15m"

    \b
        [[announce]]
        alias = "lobby"
        files = ["/srv/clips/welcome.mkv"]
        when = ["Mon-Fri 09:00", "Mon-Fri 13:00"]

    \b
        [[probe]]
        alias = "test.call"
        when = "every 15m"
        fail_if = ["audio.loss_ratio > 3%"]

    \b
        [limits]                         # new jobs are refused beyond them, and looked at again
        cpu = 0.85
        disk_free_bytes = 5_000_000_000

    \b
        [upload]
        to = "s3://bucket/recordings"    # or a directory; credentials from the environment
        delete = "hash"                  # only what was read back and compared; never without this line

    \b
        [[webhook]]                      # Standard Webhooks: signed with time, retried
        url = "https://example.com/hook"
        secret_file = "/etc/pexrtc/hook.secret"

    SIGHUP reads the file again and touches only jobs that changed. SIGTERM or Ctrl-C lets all jobs finish, for at most
    drain_s of [fleet]; a second one stops now. It leaves with 0 when all had finished, 6 when some had to be killed,
    and 2 when the file cannot be used.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    options = FleetOptions(
        path=jobs,
        listen=parse_listen(metrics, option="--metrics") if metrics is not None else None,
        status=status,
        textfile=textfile,
    )

    async def work(stopping: Stopping) -> ExitCode:
        if check:
            _show(load_jobs(jobs), screen)
            return ExitCode.DONE
        reload = asyncio.Event()
        with obeying({signal.SIGHUP: reload.set}):
            finished = await run_fleet(options, stopping=stopping.wait, reload=reload, note=screen.note)
        return ExitCode.DONE if finished else ExitCode.FAILED

    raise typer.Exit(run(work, screen))


def _show(file: FleetFile, screen: Screen) -> None:
    rows = {job.id: job.when if isinstance(job.when, str) else ", ".join(job.when) for job in file.jobs}
    screen.table(rows)
    screen.note(f"{len(file.jobs)} jobs")
    screen.result(
        {"jobs": [{"id": job.id, "kind": job.kind, "alias": job.alias, "when": job.when} for job in file.jobs]}
    )
