"""`pexrtc probe`: measure a conference, with a pair or alone, and say pass or fail."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, WriteError
from ..media.marks_source import ReferenceConfig
from ..probe.doctor import DoctorConfig, examine
from ..probe.ends import EndConfig
from ..probe.metrics import list_metrics
from ..probe.rendering import junit, live_line, nagios, reason_text, table, write_prometheus
from ..probe.report import html_report
from ..probe.result import ProbeResult, parse_result, serialize_result
from ..probe.running import RunConfig, probe_pair, probe_single
from ..probe.thresholds import PROFILES, Threshold, profile
from ..webrtc.impairment import PRESETS, Impairment
from .exits import ExitCode
from .joining import peer_config, session_config
from .options import Insecure, MediaAddress, Name, NodeUrl, PinFile, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["probe"]


def _show_metrics(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(list_metrics())
        raise typer.Exit


def probe(
    alias: Annotated[str, typer.Argument(help="Alias of the conference, or of a test call service.")],
    node_url: NodeUrl,
    pair: Annotated[bool, typer.Option("--pair", help="Two participants measure each other: full reference.")] = False,
    join_only: Annotated[bool, typer.Option("--join-only", help="Only get in, step by step, with the cures.")] = False,
    echo: Annotated[
        bool, typer.Option("--echo", help="The other side is a test call and sends back what it gets.")
    ] = False,
    duration: Annotated[float, typer.Option("--duration", metavar="SECONDS", help="How long to measure.")] = 30.0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if", metavar="THRESHOLD", help='Such as "video.freeze_ratio > 1%"; repeat.', show_default=False
        ),
    ] = None,
    profile_name: Annotated[
        str | None, typer.Option("--profile", help=f"Named thresholds: {', '.join(PROFILES)}.", show_default=False)
    ] = None,
    impair: Annotated[
        str | None,
        typer.Option("--impair", metavar="NAME", help=f"A bad network: {', '.join(PRESETS)}.", show_default=False),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="With --pair: time mute, chat, DTMF, presentation.")
    ] = False,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Size of the pictures sent.")] = "1280x720",
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="With --join-only: nobody else sends, so nothing need come.")
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print every sample as a line of JSON, then the result.")
    ] = False,
    nagios_line: Annotated[bool, typer.Option("--nagios", help="Print a Nagios line; exit 0, 2 or 3.")] = False,
    junit_file: Annotated[Path | None, typer.Option("--junit", metavar="FILE", show_default=False)] = None,
    prometheus_file: Annotated[Path | None, typer.Option("--prometheus", metavar="FILE", show_default=False)] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", show_default=False)] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="With --html: an earlier --json beside it.", show_default=False),
    ] = None,
    name: Name = "Probe",
    pin_file: PinFile = None,
    media_address: MediaAddress = None,
    insecure: Insecure = False,
    list_: Annotated[
        bool, typer.Option("--list-metrics", callback=_show_metrics, is_eager=True, help="Name all metrics and leave.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Measure what a participant sees and hears, and say pass or fail.

        pexrtc probe --node http://127.0.0.1:8080 --pair --duration 10 --html report.html meet.alice

    Exit code 1 when a threshold is missed. It leaves the conference on every way out.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    explicit = tuple(Threshold.parse(text) for text in fail_if or ())
    named = profile_name if profile_name is not None else None if explicit or join_only else "default"
    thresholds = (*explicit, *(profile(named) if named else ()))
    earlier = [parse_result(compare.read_bytes(), name=str(compare))] if compare is not None else []
    end = EndConfig(
        session=session_config(node_url, alias, name=name, pin_file=pin_file, insecure=insecure),
        peer=replace(peer_config(media_address), impairment=_impairment(impair)),
        reference=_reference(size),
    )

    nagios_codes: list[int] = []  # a plugin's codes are not ours: 0, 2, 3

    def tell(moment: float, metric: str, stream: str, value: float) -> None:
        sys.stdout.write(live_line(moment, metric, stream, value) + "\n")

    async def measure(stopping: Stopping) -> ProbeResult:
        if join_only:
            return await examine(end, DoctorConfig(thresholds=thresholds, wants_media=not alone))
        config = RunConfig(duration_s=duration, thresholds=thresholds, control=control)
        on_sample = tell if jsonl else None
        if pair:
            second = replace(
                end, session=replace(end.session, display_name=f"{name} 2"), peer=peer_config(media_address)
            )
            return await probe_pair(end, second, config, stop=stopping.event, on_sample=on_sample)
        return await probe_single(end, config, echo=echo, stop=stopping.event, on_sample=on_sample)

    async def work(stopping: Stopping) -> ExitCode:
        result = await measure(stopping)
        _write(result, earlier, junit_file, prometheus_file, html_file)
        if nagios_line:
            line, code = nagios(result)
            sys.stdout.write(line)
            nagios_codes.append(code)
            return ExitCode.DONE
        if json or jsonl:
            sys.stdout.write(serialize_result(result).decode() + "\n")
        _show(result, screen)
        return ExitCode.DONE if result.passed else ExitCode.UNREACHABLE if result.error else ExitCode.THRESHOLD_MISSED

    code = run(work, screen)
    raise typer.Exit(nagios_codes[0] if nagios_codes else 3 if nagios_line else code)


def _impairment(name: str | None) -> Impairment | None:
    if name is not None and name not in PRESETS:
        raise UsageError(f"--impair {name}: only {', '.join(PRESETS)}")
    return PRESETS[name] if name is not None else None


def _reference(size: str) -> ReferenceConfig:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 160 <= int(width) <= 3840 and 90 <= int(height) <= 2160):
        raise UsageError(f"--size {size}: say 1280x720; from 160x90 to 3840x2160")
    return ReferenceConfig(width=int(width) & ~1, height=int(height) & ~1)


def _write(
    result: ProbeResult, earlier: Sequence[ProbeResult], junit_file: Path | None, prom: Path | None, html: Path | None
) -> None:
    try:
        if junit_file is not None:
            junit_file.write_text(junit(result), encoding="utf-8")
        if html is not None:
            html.write_text(html_report([*earlier, result]), encoding="utf-8")
    except OSError as exc:
        raise WriteError(f"{exc.filename}: {exc.strerror}") from exc
    if prom is not None:
        write_prometheus(result, prom, ended=time.time())


def _show(result: ProbeResult, screen: Screen) -> None:
    for step in result.steps:
        state = {True: "ok", False: "FAILED", None: "-"}[step.passed]
        took = f"{step.milliseconds:.0f} ms" if step.milliseconds is not None else ""
        screen.note(f"{state:7} {step.name:6} {took:>8}  {step.detail}")
        if step.cure:
            screen.note(f"        {step.cure}")
    for row in table(result):
        screen.note(f"{row.outcome or '':7} {row.metric:30} {row.value:>12}  {row.stream}")
    for reason in result.verdict.failures:
        screen.note(f"FAILED  {reason_text(reason)}")
    screen.note("passed" if result.passed else "failed" + (f": {result.error}" if result.error else ""))
