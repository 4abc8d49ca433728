"""`pexrtc doctor`: get into a conference step by step, and capture how its node answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..endpoint.call import CallConfig
from ..endpoint.conference import Conference, open_conference
from ..errors import PexrtcError, SessionClosed, UsageError, WriteError
from ..probe.doctor import DoctorConfig, examine
from ..probe.ends import EndConfig
from ..probe.result import ProbeResult
from ..protocol.sdp import Direction
from ..signalling import SessionConfig
from ..signalling.wire_capture import WireCapture
from ..tasks import first_of
from ..webrtc.peer import PeerConfig
from .exits import ExitCode
from .joining import WayIn, find_session, peer_config
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
from .probe import _show
from .running import Stopping, run
from .screen import Screen

__all__ = ["doctor"]

T = TypeVar("T")

_ASK_S = 10.0
"""How long each question of a capture may take."""
_LISTEN_S = 1.5
"""How long a capture listens to events after it has asked everything: what the answers set off comes within that."""


def doctor(
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The conference: its alias, alias@domain, or a join link.")
    ],
    node: Node = None,
    capture: Annotated[
        Path | None,
        typer.Option(
            "--capture",
            metavar="FILE",
            help="Write how the node answers, with names, ids, addresses and secrets replaced.",
            show_default=False,
        ),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Nobody else sends, so no media need come.")] = False,
    name: Name = "Doctor",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    media_address: MediaAddress = None,
    media_ports: MediaPorts = None,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Get in step by step, each timed, and say what to do about the one that fails.

    With --capture it joins once more, without sending media, asks what any client may ask, calls, and writes what the
    node said: requests, answers, events and session descriptions. Tokens, PINs, ids, names, addresses and keys are
    replaced, the same by the same. Read it before you pass it on.

    \b
        pexrtc doctor --node https://node.example.com meet.alice
        pexrtc doctor --capture node.json https://node.example.com/webapp/m/meet.alice
    """
    configure_logging(verbose)
    screen = Screen(quiet=quiet)
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)

    async def work(stopping: Stopping) -> ExitCode:
        session = await find_session(alias, way, name=name)
        peer = peer_config(media_address, media_ports)
        if capture is not None:
            _check_target(capture)
            await first_of(capturing=_capture(session, peer, capture, screen), stop=stopping.wait())
            return ExitCode.DONE
        examining = examine(EndConfig(session=session, peer=peer), DoctorConfig(wants_media=not alone))
        _, result = await first_of(examining=examining, stop=stopping.wait())
        if not isinstance(result, ProbeResult):
            return ExitCode.DONE
        _show(result, screen)
        return ExitCode.DONE if result.passed else ExitCode.UNREACHABLE

    raise typer.Exit(run(work, screen))


def _check_target(path: Path) -> None:
    if path.exists() or not path.absolute().parent.is_dir():
        raise UsageError(f"--capture {path}: " + ("it exists already" if path.exists() else "there is no such folder"))


async def _capture(session: SessionConfig, peer: PeerConfig, path: Path, screen: Screen) -> None:
    """Visit the conference and write what was said; also when the node refused, that is an answer too.

    Raises:
        PexrtcError: as joining does; what the node said until then is written first.
    """
    wire = WireCapture()
    known = {session.alias: "meet.captured", session.display_name: "Doctor"}
    for text in (session.conference_extension, session.call_tag):
        if text:
            known[text] = f"given-{len(known)}"
    try:
        await _visit(replace(session, http=replace(session.http, capture=wire)), peer, screen)
    finally:
        await asyncio.to_thread(_write, path, wire.render(known))
        screen.note(f"{path}: read it before you pass it on")


async def _visit(session: SessionConfig, peer: PeerConfig, screen: Screen) -> None:
    async with open_conference(session) as conference, AsyncExitStack() as stack:
        client = conference.client
        await _ask("events", conference.session.wait_for(lambda s: s.roster.synced), screen)
        await _ask("conference_status", client.conference_status(), screen)
        await _ask("participants", client.participants(), screen)
        await _ask("theme", client.theme(), screen)
        await _ask("available_layouts", client.available_layouts(), screen)
        await _ask("refresh_token", conference.session.refresh_now(), screen)
        config = CallConfig(audio=Direction.RECVONLY, video=Direction.RECVONLY, slides=Direction.INACTIVE, peer=peer)
        call = await _ask("calls", stack.enter_async_context(conference.call(config)), screen)
        if call is not None:
            await _ask("media", call.connected(), screen)
            await _ask("update", call.set_slides(Direction.RECVONLY), screen)
        await _listen(conference)


async def _ask(what: str, asked: Awaitable[T], screen: Screen) -> T | None:
    """Ask one thing; a refusal is an answer, and only told."""
    try:
        async with asyncio.timeout(_ASK_S):
            answer = await asked
    except SessionClosed:
        raise
    except (PexrtcError, TimeoutError) as exc:
        screen.note(f"{what}: " + ("no answer in time" if isinstance(exc, TimeoutError) else str(exc)))
        return None
    screen.note(f"{what}: captured")
    return answer


async def _listen(conference: Conference) -> None:
    try:
        async with asyncio.timeout(_LISTEN_S):
            await conference.ended()
    except TimeoutError:
        return


def _write(path: Path, text: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except OSError as exc:
        raise WriteError(f"{path}: {exc.strerror or exc}") from exc
