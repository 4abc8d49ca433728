"""The options that `pexrtc probe` and `pexrtc doctor` have in common: how often, what to write, when to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
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

FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="THRESHOLD",
        help='Such as "video.freeze_ratio > 1%", "p95(video.delay_ms) > 300ms over 10s after 5s"; repeat.',
    ),
]
Every = Annotated[
    str | None,
    typer.Option("--every", metavar="TIME", help="Do it again every so often: 5m, 1h; for ever without --count."),
]
Count = Annotated[int | None, typer.Option("--count", metavar="N", help="Do it so many times.")]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[ADDRESS:]PORT",
        help="Serve /metrics (Prometheus), /status (JSON), /healthz there; on loopback unless an address is given.",
    ),
]
Textfile = Annotated[
    Path | None,
    typer.Option(
        "--prometheus", "--textfile", metavar="FILE.prom", help="Keep the metrics in a file, for the node exporter."
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write every sample as CSV, for a spreadsheet.")
]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Write a report to look at; of several conferences an overview, and one each."
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        metavar="FILE.zip|DIR",
        help="On failure, write all that is needed to find out why, without secrets, names and addresses.",
    ),
]
BundleShows = Annotated[
    list[str] | None,
    typer.Option(
        "--bundle-shows",
        metavar="names|addresses",
        help="With --bundle: leave these as they are; repeat. Secrets never are.",
    ),
]
RelayOnly = Annotated[
    bool, typer.Option("--relay-only", help="Media over TURN only, by the servers that the node names.")
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object; one a line with --every."),
]
Nagios = Annotated[bool, typer.Option("--nagios", help="Print a Nagios line; exit 0, 2 or 3.")]
