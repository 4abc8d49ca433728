"""The options that `pexrtc probe` and `pexrtc doctor` have in common: how often, what to write, when to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BAD",
    "OUTPUT",
    "RUNS",
    "Bundle",
    "BundleShows",
    "Count",
    "Csv",
    "Every",
    "FailIf",
    "Html",
    "Json",
    "Junit",
    "Metrics",
    "Nagios",
    "RelayOnly",
    "Textfile",
]

RUNS, OUTPUT, BAD = "Again and again", "What to write", "When to fail"
"""Panels of the help."""

FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="THRESHOLD",
        help='Such as "video.freeze_ratio > 1%", "p95(video.delay_ms) > 300ms over 10s after 5s"; repeat.',
        show_default=False,
        rich_help_panel=BAD,
    ),
]
Every = Annotated[
    str | None,
    typer.Option(
        "--every",
        metavar="TIME",
        help="Do it again every so often: 5m, 1h; for ever without --count.",
        show_default=False,
        rich_help_panel=RUNS,
    ),
]
Count = Annotated[
    int | None,
    typer.Option("--count", metavar="N", help="Do it so many times.", show_default=False, rich_help_panel=RUNS),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[ADDRESS:]PORT",
        help="Serve /metrics (Prometheus), /status (JSON), /healthz there; on loopback unless an address is given.",
        show_default=False,
        rich_help_panel=RUNS,
    ),
]
Textfile = Annotated[
    Path | None,
    typer.Option(
        "--prometheus",
        "--textfile",
        metavar="FILE.prom",
        help="Keep the metrics in a file, for the node exporter.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", show_default=False, rich_help_panel=OUTPUT),
]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write every sample as CSV, for a spreadsheet.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a report to look at; of several conferences an overview, and one each.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        metavar="FILE.zip|DIR",
        help="On failure, write all that is needed to find out why, without secrets, names and addresses.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
BundleShows = Annotated[
    list[str] | None,
    typer.Option(
        "--bundle-shows",
        metavar="names|addresses",
        help="With --bundle: leave these as they are; repeat. Secrets never are.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
RelayOnly = Annotated[
    bool, typer.Option("--relay-only", help="Media over TURN only, by the servers that the node names.")
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the result as one JSON object; one a line with --every.", rich_help_panel=OUTPUT
    ),
]
Nagios = Annotated[bool, typer.Option("--nagios", help="Print a Nagios line; exit 0, 2 or 3.", rich_help_panel=OUTPUT)]
