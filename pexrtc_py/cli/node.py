"""`pexrtc node`: an embedded conferencing node, for trying and for testing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..node.config import NodeConfig, load_node_file
from ..node.server import Node
from .dialling import dial
from .exits import ExitCode
from .impairing import parse_impairment
from .options import MediaAddress, MediaPorts, Quiet, Verbose, configure_logging, read_ports
from .running import Stopping, run
from .screen import Screen

__all__ = ["node"]


def node(
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8080",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help='A TOML file: [conferences."meet.alice"] with pin = "1234", guest_pin, ...'
        ),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Let any alias come to life when somebody joins it; always so on loopback.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = None,
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Serve HTTPS with a certificate made for this run.")
    ] = False,
    faults: Annotated[
        bool, typer.Option("--faults", help="Open a door on loopback by which tests ask this node to fail.")
    ] = False,
    media_address: MediaAddress = None,
    media_ports: MediaPorts = None,
    impair: Annotated[
        list[str] | None,
        typer.Option(
            "--impair",
            metavar="NETWORK",
            help="A bad network to every client: a name (see `pexrtc probe --help`), loss=5%,delay=100ms, send:3g, ...",
        ),
    ] = None,
    rtmp_ports: Annotated[
        str | None,
        typer.Option(
            "--rtmp-ports",
            metavar="FIRST-LAST",
            help="Local TCP ports for RTMP publishers, one for each call: 40100-40199. Default: any.",
        ),
    ] = None,
    relay_only: Annotated[
        bool, typer.Option("--relay-only", help="Tell clients to send media through the TURN servers of --config only.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Run a conferencing node on this machine.

    It speaks the Client REST API v2 to any Pexip client. The first line on stdout is its URL:

        pexrtc node --listen 127.0.0.1:0

    Aliases come to life when somebody joins them, on loopback; elsewhere only with --open, or those of --config.
    Ctrl-C ends it.
    """
    configure_logging(verbose)
    screen = Screen(quiet=quiet)

    async def serve(stopping: Stopping) -> ExitCode:
        settings = _config(listen, config, open_=open_)
        settings = replace(
            settings,
            tls_cert=tls_cert,
            tls_key=tls_key,
            self_signed=self_signed,
            media_addresses=tuple(media_address or ()),
            media_ports=read_ports(media_ports),
            impairment=parse_impairment(*(impair or ())),
            rtmp_ports=read_ports(rtmp_ports, "--rtmp-ports"),
            use_relay_candidates_only=relay_only or settings.use_relay_candidates_only,
            faults=faults,
        )
        async with Node(settings, dial=dial) as running:
            sys.stdout.write(running.url + "\n")
            if running.faults is not None:
                sys.stdout.write(f"faults {running.faults.url} token {running.faults.token}\n")
            sys.stdout.flush()
            screen.note(f"a browser sees it at {running.url}/")
            if settings.is_open:
                way = f"--node {running.url}{' --insecure' if self_signed else ''}"
                screen.note(f"any alias is a conference; try: pexrtc announce {way} meet.alice FILE")
            await stopping.wait()
        return ExitCode.DONE

    raise typer.Exit(run(serve, screen))


def _config(listen: str, path: Path | None, *, open_: bool) -> NodeConfig:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {listen}: say ADDRESS:PORT, for example 127.0.0.1:8080")
    config = NodeConfig(listen=(host, int(port)), open=True if open_ else None)
    if path is None:
        return config
    file = load_node_file(path)
    return replace(
        config,
        conferences=file.conferences,
        open=True if open_ else file.open,
        version=file.version,
        token_lifetime_s=file.token_lifetime_s,
        stun=file.stun,
        turn=file.turn,
        use_relay_candidates_only=file.use_relay_candidates_only,
    )
