"""`pexrtc control`: any operation of the table, by name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..errors import Forbidden, UsageError
from ..protocol.escaping import visible
from ..protocol.models import Role
from ..protocol.operations import OPERATIONS, Answer, Caller, Operation
from ..protocol.roster import Breakout
from ..signalling import Session
from ..tasks import first_of
from .attending import attend, find_participant
from .control_table import check_values, complete_operation, complete_value, secret_fields, table_as_json, table_as_text
from .exits import ExitCode
from .joining import WayIn, find_session
from .lines import json_line, write_line
from .options import CaFile, Extension, Insecure, Json, Name, Node, PinFile, Proxy, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["control_command"]

_BREAKOUT_S = 3.0
"""How long a node may take to tell of a breakout; it does at once, after its participants."""

_OWN = {
    "request_token": "joining does that, and every command here joins",
    "events": "see pexrtc events",
}
"""What the session does by itself, and why it is not asked for here."""


def control_command(
    alias: Annotated[
        str | None,
        typer.Argument(metavar="ALIAS", help="The conference: its alias, alias@domain, or a join link."),
    ] = None,
    operation: Annotated[
        str | None,
        typer.Argument(
            metavar="OPERATION", help="What to ask for; --list prints what there is.", autocompletion=complete_operation
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="What the operation wants; JSON where that is an object or a list, @FILE for secrets and pictures.",
            autocompletion=complete_value,
        ),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="Print all operations: who may ask, and with what. ALIAS then filters them.")
    ] = False,
    stay: Annotated[
        float, typer.Option("--stay", min=0.0, metavar="S", help="Stay in the conference for S seconds afterwards.")
    ] = 0.0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where a picture goes; - is stdout."),
    ] = None,
    breakout: Annotated[
        str | None,
        typer.Option("--breakout", metavar="UUID", help="Ask inside this breakout, one we may look into."),
    ] = None,
    node: Node = None,
    name: Name = "Controller",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Ask the node for one operation of the client API, and leave.

    It joins without media. Most operations are for Hosts: give the Host PIN by PEXRTC_PIN or --pin-file where there is
    one. A participant is named by its UUID, by its display name when only one is called so, or as `me`; operations that
    one asks for oneself need no participant. What the node answers is printed as JSON when it is more than a yes.

    \b
        pexrtc control --list
        pexrtc control --list mute
        pexrtc control meet.alice conference_lock
        pexrtc control meet.alice participant_mute participant="Bob Jones"
        pexrtc control meet.alice dial role=guest protocol=auto destination=carol@example.com
        pexrtc control meet.alice transform_layout transforms='{"layout": "1:7"}'
        pexrtc control meet.alice participant_transfer participant=Bob conference_alias=meet.b role=guest pin=@pin.txt
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    if show_list:
        write_line(table_as_json(alias or "") if json else table_as_text(alias or ""))
        raise typer.Exit(ExitCode.DONE)
    if alias is None or operation is None:
        raise UsageError("say ALIAS and OPERATION, or --list")
    row = _row(operation)
    given = _read_values(row, values or ())
    check_values(row, given)
    if row.answer is not Answer.JSON and output is None:
        raise UsageError(f"{row.name} answers with a picture or a file: say --output FILE")
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)

    async def control() -> None:
        async with attend(await find_session(alias, way, name=name), screen) as session:
            answer = await _ask(session, row, given, await _inside(session, breakout))
            if isinstance(answer, bytes):
                await asyncio.to_thread(_save, answer, output)
            elif json:
                write_line(json_line({"alias": session.config.alias, "operation": row.name, "result": answer}))
            elif answer is True or answer is None:
                screen.note(f"{row.name}: done")
            else:
                write_line(json_line(answer))
            if stay:
                await _stay(session, stay)

    async def work(stopping: Stopping) -> ExitCode:
        await first_of(control=control(), stop=stopping.wait())
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))


async def _stay(session: Session, seconds: float) -> None:
    """Stay in the conference for so long, or until it is over for us.

    Raises:
        SessionClosed: it is, and why.
    """
    try:
        async with asyncio.timeout(seconds):
            raise await session.wait_closed()
    except TimeoutError:
        return


def _row(name: str) -> Operation:
    row = OPERATIONS.get(name)
    if row is None:
        near = [known for known in OPERATIONS if name in known or known in name]
        hint = f"; near it: {', '.join(near[:6])}" if near else "; --list prints what there is"
        raise UsageError(f"operation {name!r}: there is none of that name{hint}")
    if why := _OWN.get(name):
        raise UsageError(f"{name}: {why}")
    return row


def _read_values(row: Operation, values: Sequence[str]) -> dict[str, object]:
    """Take KEY=VALUE apart; secrets and pictures come out of files.

    Raises:
        UsageError: no such form, a key twice, a secret in plain sight, or a file that cannot be read.
    """
    secrets = secret_fields(row)
    read: dict[str, object] = {}
    for item in values:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"{item!r}: say KEY=VALUE")
        if key in read:
            raise UsageError(f"{row.name}: {key}= is given twice")
        if key in secrets or (key == row.upload and key):
            if not value.startswith("@"):
                why = "a secret must not stand in a list of processes" if key in secrets else "it is a file"
                raise UsageError(f"{row.name}: say {key}=@FILE: {why}")
            content = _content(Path(value[1:]))
            read[key] = content if key == row.upload else content.decode("utf-8", "replace").partition("\n")[0].strip()
        else:
            read[key] = value
    return read


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror or exc}") from exc


async def _inside(session: Session, breakout: str | None) -> Breakout | None:
    """Wait until the node has told of a breakout."""
    if breakout is None:
        return None
    try:
        async with asyncio.timeout(_BREAKOUT_S):
            await session.wait_for(
                lambda s: (found := s.roster.breakouts.get(breakout)) is not None and found.roster.synced
            )
    except TimeoutError:
        known = ", ".join(map(visible, session.roster.breakouts)) or "none"
        raise UsageError(f"--breakout {visible(breakout)}: we may look into {known}") from None
    return session.roster.breakouts[breakout]


async def _ask(session: Session, row: Operation, values: dict[str, object], inside: Breakout | None) -> object:
    if inside is not None and not row.has_breakout_form:
        raise UsageError(f"{row.name} is not asked inside breakouts: leave --breakout out")
    if row.name == "refresh_token":
        return await session.refresh_now()
    if row.name == "release_token":
        return True  # leaving does that, next
    if "participant" in row.takes:
        if "participant" in values:
            values["participant"] = find_participant(session, str(values["participant"]), inside)
        elif row.caller is Caller.SELF:
            values["participant"] = session.participant_uuid if inside is None else inside.participant_uuid
    client = session.client if inside is None else session.client.in_breakout(inside.uuid)
    try:
        return await client.ask_by_name(row.name, **values)
    except Forbidden as exc:
        if row.caller in (Caller.HOST, Caller.SELF_OR_HOST) and session.role is not Role.HOST:
            reason = f"{exc.reason}; we are a Guest here: give the Host PIN by PEXRTC_PIN or --pin-file"
            raise Forbidden(exc.operation, exc.status, reason) from exc
        raise


def _save(content: bytes, output: Path | None) -> None:
    if output is None or str(output) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as exc:
        raise UsageError(f"--output {output}: {exc.strerror or exc}") from exc
