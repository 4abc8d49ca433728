"""`pexrtc doctor`: get into a conference step by step, each green or red, with the cure; and capture its node."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import typer

from ..probe.attempts import Plan, PlanKind
from ..probe.doctor import DoctorConfig
from ..probe.ends import EndConfig
from ..probe.monitor import RepeatConfig
from ..probe.thresholds import Threshold, profile
from ..signalling import SessionConfig
from ..tasks import first_of
from ..webrtc.peer import PeerConfig
from .doctor_capture import capture_node, check_target
from .exits import ExitCode
from .joining import WayIn, find_session, is_bare_node, peer_config
from .options import (
    CaFile,
    Extension,
    Insecure,
    Json,
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
from .probe import bundle_config, carry_out, read_repeats
from .probe_options import Bundle, BundleShows, Count, Every, FailIf, Html, Junit, Metrics, RelayOnly, Textfile
from .probe_output import Output, OutputOptions, parse_metrics_address
from .probe_plans import PlanOptions, make_plans
from .running import Stopping, run
from .screen import Screen

__all__ = ["doctor"]


def doctor(
    where: Annotated[
        str,
        typer.Argument(
            metavar="URL|ALIAS",
            help="A join link, an alias with its domain, an alias with --node; or the URL of a node, which is then "
            "looked at without joining.",
        ),
    ],
    node: Node = None,
    relay_only: RelayOnly = False,
    one_node: Annotated[
        bool, typer.Option("--one-node", help="Go to one node only, not to every one that DNS names.")
    ] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Nobody else sends, so no media need come.")] = False,
    capture: Annotated[
        Path | None,
        typer.Option(
            "--capture",
            metavar="FILE",
            help="Write how the node answers, with names, ids, addresses and secrets replaced.",
        ),
    ] = None,
    fail_if: FailIf = None,
    every: Every = None,
    count: Count = None,
    metrics: Metrics = None,
    json: Json = False,
    junit_file: Junit = None,
    textfile: Textfile = None,
    html_file: Html = None,
    bundle: Bundle = None,
    bundle_shows: BundleShows = None,
    name: Name = "Doctor",
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
    """Find out why calls do not come up: DNS, TCP, TLS, joining, the call, ICE, DTLS, media, step by step.

        pexrtc doctor https://node.example.com/webapp3/m/meet.alice

        pexrtc doctor --relay-only meet.alice@example.com

        pexrtc doctor https://node.example.com

    Each step is timed, and a red one comes with its cure. With an alias and its domain every node that DNS names is
    looked at.

    With --capture it does not examine: it joins without sending media, asks what any client may ask, calls, and writes
    what the node said: requests, answers, events and session descriptions. Tokens, PINs, ids, names, addresses and keys
    are replaced, the same by the same. Read it before you pass it on.

        pexrtc doctor --capture node.json https://node.example.com/webapp/m/meet.alice

    Exit code 0: all green; 3: refused; 4: not reached; 1: a threshold was missed, such as a certificate with
    less than a week to go.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)
    if capture is not None:
        raise typer.Exit(_capture(where, way, name, peer_config(media_address, media_ports), capture, screen))

    def prepare() -> tuple[Callable[[], Coroutine[object, object, list[Plan]]], RepeatConfig, Output]:
        explicit = tuple(Threshold.parse(text) for text in fail_if or ())
        options = PlanOptions(
            kind=PlanKind.JOIN,
            name=name,
            thresholds=explicit or profile("reachability"),
            relay_only=relay_only,
            all_nodes=not one_node,
            wants_media=not alone,
            media_addresses=tuple(media_address or ()),
            media_ports=media_ports,
        )
        written = OutputOptions(
            json=json,
            junit=junit_file,
            textfile=textfile,
            html=html_file,
            bundle=bundle,
            bundle_config=bundle_config(bundle_shows),
            metrics=parse_metrics_address(metrics),
            monitors=every is not None or count is not None,
        )

        async def find() -> list[Plan]:
            if where.startswith(("http://", "https://")) and is_bare_node(where):
                return [_node_plan(where, way, options)]
            return await make_plans([where], way, options)

        return find, read_repeats(every, count, 0.0), Output(written, screen)

    carry_out(prepare, screen, collect=bundle is not None)


def _capture(where: str, way: WayIn, name: str, peer: PeerConfig, path: Path, screen: Screen) -> ExitCode:
    async def work(stopping: Stopping) -> ExitCode:
        session = await find_session(where, way, name=name)
        check_target(path)
        await first_of(capturing=capture_node(session, peer, path, screen), stop=stopping.wait())
        return ExitCode.DONE

    return run(work, screen)


def _node_plan(url: str, way: WayIn, options: PlanOptions) -> Plan:
    """Look at a node alone: nobody joins anything."""
    session = SessionConfig(node_url=url, alias="", display_name=options.name, http=way.http)
    doctor = DoctorConfig(thresholds=options.thresholds, joins=False)
    return Plan(end=EndConfig(session=session), kind=PlanKind.JOIN, doctor=doctor)
