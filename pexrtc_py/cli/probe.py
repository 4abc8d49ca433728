"""`pexrtc probe`: measure a conference, with a pair or alone, once or again and again, and say pass or fail."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..errors import PexrtcError, UsageError, WriteError
from ..probe.attempts import Plan, PlanKind
from ..probe.bundle import BundleConfig
from ..probe.metrics import list_metrics
from ..probe.monitor import RepeatConfig, repeat
from ..probe.redaction import Redaction
from ..probe.rendering import live_line
from ..probe.result import parse_result
from ..probe.series import OnSample
from ..probe.thresholds import PROFILES, Threshold, profile
from ..protocol.escaping import visible
from ..webrtc.impairment import PRESETS
from .exits import ExitCode
from .impairing import parse_impairment, parse_time
from .joining import WayIn
from .lines import Results
from .options import (
    CaFile,
    Extension,
    Insecure,
    MediaAddress,
    MediaPorts,
    Name,
    Node,
    PinFile,
    Proxy,
    Quiet,
    Verbose,
    configure_logging,
)
from .probe_options import (
    Bundle,
    BundleShows,
    Count,
    Csv,
    Every,
    FailIf,
    Html,
    Json,
    Junit,
    Metrics,
    Nagios,
    RelayOnly,
    Textfile,
)
from .probe_output import Output, OutputOptions, parse_metrics_address
from .probe_plans import PlanOptions, dumped_plan, make_plans, read_size
from .running import Stopping, run
from .screen import Screen
from .stats_dumping import StatsDumpFile, stats_dumping

__all__ = ["bundle_config", "carry_out", "probe", "read_repeats"]


def _show_metrics(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(list_metrics())
        raise typer.Exit


def probe(
    aliases: Annotated[
        list[str],
        typer.Argument(
            metavar="ALIAS...",
            help="Conferences or test call services: an alias, an alias with its domain, or a join link. "
            "Several are measured at once.",
        ),
    ],
    node: Node = None,
    pair: Annotated[bool, typer.Option("--pair", help="Two participants measure each other: full reference.")] = False,
    echo: Annotated[
        bool, typer.Option("--echo", help="The other side is a test call and sends back what it gets.")
    ] = False,
    join_only: Annotated[bool, typer.Option("--join-only", help="Only get in, step by step: `pexrtc doctor`.")] = False,
    network_only: Annotated[
        bool, typer.Option("--network-only", help="Look at packets, decode nothing: ten cost little.")
    ] = False,
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="How long to measure: 30, 90s, 5m.")
    ] = "30s",
    control: Annotated[
        bool, typer.Option("--control", help="With --pair: time mute, chat, DTMF, presentation.")
    ] = False,
    impair: Annotated[
        list[str] | None,
        typer.Option(
            "--impair",
            metavar="NETWORK",
            help=f"A bad network, both ways: {', '.join(PRESETS)}; or values: loss=5%, "
            "delay=100ms, jitter, burst, reorder, duplicate, rate=500k, queue; or both: 3g,loss=10%. One way only: "
            "send:3g, receive:loss=5%; repeat for the other. With --pair it is the first one's.",
        ),
    ] = None,
    relay_only: RelayOnly = False,
    all_nodes: Annotated[
        bool, typer.Option("--all-nodes", help="Go to every node that DNS names, not to the first.")
    ] = False,
    size: Annotated[str, typer.Option("--size", metavar="WxH[@FPS]", help="Pictures sent.")] = "1280x720@30",
    alone: Annotated[
        bool, typer.Option("--alone", help="Nobody else sends, so no sound and picture need come.")
    ] = False,
    fail_if: FailIf = None,
    profile_name: Annotated[
        str | None,
        typer.Option("--profile", help=f"Named thresholds: {', '.join(PROFILES)}. Without --fail-if: default."),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list-metrics",
            callback=_show_metrics,
            is_eager=True,
            help="Name all metrics with unit and source, and leave.",
        ),
    ] = False,
    every: Every = None,
    count: Count = None,
    metrics: Metrics = None,
    json: Json = False,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help="Print every sample as a line of JSON, then the result."),
    ] = False,
    nagios_line: Nagios = False,
    junit_file: Junit = None,
    csv_file: Csv = None,
    textfile: Textfile = None,
    html_file: Html = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="With --html: an earlier --json beside it."),
    ] = None,
    bundle: Bundle = None,
    bundle_shows: BundleShows = None,
    stats_dump: StatsDumpFile = None,
    name: Name = "Probe",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    media_address: MediaAddress = None,
    media_ports: MediaPorts = None,
    insecure: Insecure = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Measure what a participant sees and hears, and say pass or fail.

        pexrtc probe --node https://node.example.com --pair --duration 10 --html report.html meet.alice

    As a monitor, with a line of JSON for each run, and metrics for Prometheus:

        pexrtc probe --every 5m --json --metrics 9464 --bundle /var/lib/probe test.call@example.com

    Against a bad network, failing on what people notice:

        pexrtc probe --pair --impair 3g --fail-if "video.freeze_ratio > 5%" meet.alice@example.com

    It sends moving pictures and chirps into the conference, under the name of --name, and leaves on every way out.
    Exit code 0: all well; 1: a threshold was missed; 3: refused; 4: no network or no media; 5: thrown out or cut off.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)

    def prepare() -> tuple[Callable[[], Coroutine[object, object, list[Plan]]], RepeatConfig, Output]:
        kind = _kind(pair=pair, echo=echo, join_only=join_only)
        explicit = tuple(Threshold.parse(text) for text in fail_if or ())
        named = profile_name or (None if explicit or join_only else "default")
        options = PlanOptions(
            kind=kind,
            name=name,
            duration_s=parse_time(duration, what="--duration"),
            thresholds=(*explicit, *(profile(named) if named else ())),
            control=control,
            network_only=network_only,
            relay_only=relay_only,
            all_nodes=all_nodes,
            wants_media=not alone,
            reference=read_size(size),
            impairment=parse_impairment(*(impair or ())),
            media_addresses=tuple(media_address or ()),
            media_ports=media_ports,
        )
        if compare is not None and html_file is None:
            raise UsageError("--compare puts an earlier run beside this one in the report: it needs --html")
        repeats = read_repeats(every, count, options.duration_s if kind is not PlanKind.JOIN else 0.0)
        written = OutputOptions(
            json=json,
            jsonl=jsonl,
            nagios=nagios_line,
            junit=junit_file,
            csv=csv_file,
            textfile=textfile,
            html=html_file,
            bundle=bundle,
            bundle_config=bundle_config(bundle_shows),
            metrics=parse_metrics_address(metrics),
            monitors=every is not None or count is not None,
        )
        earlier = [parse_result(_read(compare), name=str(compare))] if compare is not None else []
        way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)
        return (
            lambda: make_plans(aliases, way, options),
            repeats,
            Output(written, screen, earlier, all_figures=bool(verbose)),
        )

    carry_out(prepare, screen, nagios_line=nagios_line, live=jsonl, collect=bundle is not None, stats_dump=stats_dump)


def carry_out(
    prepare: Callable[[], tuple[Callable[[], Coroutine[object, object, list[Plan]]], RepeatConfig, Output]],
    screen: Screen,
    *,
    nagios_line: bool = False,
    live: bool = False,
    collect: bool = False,
    stats_dump: Path | None = None,
) -> None:
    """Plan, try as often as asked, write, and leave with the exit code that says how it went."""
    codes: list[int] = []

    async def work(stopping: Stopping) -> ExitCode:
        find, repeats, output = prepare()
        plans = await find()
        output.lines.on_lost = partial(_stop_from_thread, asyncio.get_running_loop(), stopping)
        async with output.page(), stats_dumping(stats_dump) as dumped:
            plans = [dumped_plan(plan, dumped) for plan in plans]
            on_sample = _teller(plans, output.lines) if live else lambda plan: None
            await repeat(plans, repeats, output.take, stop=stopping.event, on_sample=on_sample, collect=collect)
        output.finish()
        codes.append(output.nagios_code)
        return ExitCode.DONE if nagios_line else output.exit_code

    async def guarded(stopping: Stopping) -> ExitCode:
        try:
            return await work(stopping)
        except PexrtcError as exc:
            if nagios_line and not isinstance(exc, WriteError):  # files come after the line
                sys.stdout.write(f"PEXRTC UNKNOWN - {visible(str(exc)).replace('|', '/')}\n")
            raise

    code = run(guarded, screen)
    raise typer.Exit(code if not nagios_line else codes[0] if codes else 3)


def _stop_from_thread(loop: asyncio.AbstractEventLoop, stopping: Stopping) -> None:
    loop.call_soon_threadsafe(stopping.event.set)


def _teller(plans: Sequence[Plan], lines: Results) -> Callable[[Plan], OnSample]:
    """Return what makes the printer of samples of one plan; of several each line says which."""
    several = len(plans) > 1

    def teller(plan: Plan) -> OnSample:
        target = plan.end.session.alias if several else None

        def tell(moment: float, metric: str, stream: str, value: float) -> None:
            lines.write(live_line(moment, metric, stream, value, target=target))

        return tell

    return teller


def read_repeats(every: str | None, count: int | None, duration_s: float) -> RepeatConfig:
    """Read `--every` and `--count`.

    Raises:
        UsageError: they are none, or runs of this duration do not fit.
    """
    seconds = parse_time(every, what="--every") if every is not None else None
    repeats = RepeatConfig(every_s=seconds, count=count if every is not None or count is not None else 1)
    repeats.check_duration(duration_s)
    return repeats


def bundle_config(shows: list[str] | None) -> BundleConfig:
    """Read `--bundle-shows`.

    Raises:
        UsageError: there is no such thing to show.
    """
    words = {word.strip() for text in shows or () for word in text.split(",")}
    if unknown := words - {"names", "addresses"}:
        raise UsageError(f"--bundle-shows {sorted(unknown)[0]}: only names, addresses")
    return BundleConfig(redaction=Redaction(names="names" in words, addresses="addresses" in words))


def _kind(*, pair: bool, echo: bool, join_only: bool) -> PlanKind:
    chosen = [kind for kind, wanted in _KINDS.items() if {"pair": pair, "echo": echo, "join": join_only}[wanted]]
    if len(chosen) > 1:
        raise UsageError("only one of --pair, --echo, --join-only")
    return chosen[0] if chosen else PlanKind.SINGLE


_KINDS = {PlanKind.PAIR: "pair", PlanKind.ECHO: "echo", PlanKind.JOIN: "join"}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"--compare {path}: {(exc.strerror or str(exc)).lower()}") from exc
