"""Options that several commands share, each with one meaning everywhere.

Flags win over `PEXRTC_*` variables, those over defaults.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError

__all__ = [
    "CaFile",
    "Extension",
    "Insecure",
    "Json",
    "MediaAddress",
    "MediaPorts",
    "Name",
    "Node",
    "NodeUrl",
    "PinFile",
    "Proxy",
    "Quiet",
    "Verbose",
    "configure_logging",
    "read_pin",
    "read_ports",
]

NodeUrl = Annotated[
    str,
    typer.Option(
        "--node",
        envvar="PEXRTC_NODE",
        metavar="URL",
        help="The conferencing node: https://node.example.com, or http://127.0.0.1:PORT of `pexrtc node`.",
    ),
]
Node = Annotated[
    str | None,
    typer.Option(
        "--node",
        envvar="PEXRTC_NODE",
        metavar="URL",
        help="The conferencing node: https://node.example.com, http://127.0.0.1:PORT of `pexrtc node`, or a join link. "
        "Not needed when ALIAS is alias@domain (DNS knows its nodes) or a join link.",
    ),
]
Extension = Annotated[
    str | None,
    typer.Option("--extension", metavar="ALIAS", help="Where to go when ALIAS is a Virtual Reception."),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        envvar="PEXRTC_CA_FILE",
        metavar="FILE",
        help="Trust these certificates (PEM) instead of the system's.",
    ),
]
Proxy = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        envvar="PEXRTC_PROXY",
        metavar="URL",
        help="Reach the node through this HTTP proxy. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
    ),
]
Name = Annotated[str, typer.Option("--name", help="How the participant is called in the roster.")]
PinFile = Annotated[
    Path | None,
    typer.Option(
        "--pin-file",
        metavar="FILE",
        help="A file whose first line is the PIN. `-` asks at the terminal. Or set PEXRTC_PIN.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one result object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Log on stderr: -v what happens, -vv every message.")
]
MediaAddress = Annotated[
    list[str] | None,
    typer.Option(
        "--media-address",
        metavar="ADDRESS",
        help="Local address for media; repeat for several. Default: all of this host, loopback when the node is there.",
    ),
]
MediaPorts = Annotated[
    str | None,
    typer.Option(
        "--media-ports",
        metavar="FIRST-LAST",
        help="Local UDP ports of media, for firewalls: 40000-40999. Default: any.",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Do not check the node's TLS certificate. Only for a node of your own.")
]


def read_pin(pin_file: Path | None) -> str | None:
    """Return the PIN from `--pin-file`, the terminal or `PEXRTC_PIN`; None when none was given.

    Raises:
        UsageError: the file cannot be read, or there is no terminal to ask at.
    """
    if pin_file is None:
        return os.environ.get("PEXRTC_PIN") or None
    if str(pin_file) == "-":
        if not sys.stdin.isatty():
            raise UsageError("--pin-file -: no terminal to ask for the PIN at")
        with _ending_by_ctrl_c():
            return str(typer.prompt("PIN", hide_input=True, err=True))
    try:
        lines = pin_file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--pin-file {pin_file}: {getattr(exc, 'strerror', None) or exc}") from exc
    return lines[0].strip() if lines else None


@contextmanager
def _ending_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end a prompt, which the loop waits for: it would hear of it afterwards only.

    Raises:
        typer.Abort: it did; see `running.run`.
        UsageError: there is nobody to type.
    """
    wakeup = signal.set_wakeup_fd(-1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except typer.Abort as exc:
        if isinstance(exc.__context__, EOFError):
            raise UsageError("--pin-file -: no PIN was given") from exc
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        signal.set_wakeup_fd(wakeup)


def read_ports(text: str | None, option: str = "--media-ports") -> tuple[int, int] | None:
    """Return first and last port of `--media-ports`, or of another option; None when any will do.

    Raises:
        UsageError: it is no such range.
    """
    if text is None:
        return None
    first, dash, last = text.partition("-")
    read = all(port.isdecimal() and len(port) <= 5 for port in (first, last))
    if not (dash and read and 1024 <= int(first) <= int(last) <= 65535):
        raise UsageError(f"{option} {text}: say FIRST-LAST, between 1024 and 65535")
    return int(first), int(last)


def configure_logging(verbose: int) -> None:
    """Send logs to stderr: warnings by default, what happens with -v, every message of ours with -vv.

    Other libraries stay at WARNING: httpx writes whole URLs, aioice its credentials.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s %(message)s")
    ours = logging.getLogger("pexrtc_py")
    ours.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG))
    for name in ("aiortc", "aioice", "libav"):
        logging.getLogger(name).setLevel(logging.ERROR)
