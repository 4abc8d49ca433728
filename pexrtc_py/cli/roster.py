"""`pexrtc roster`: who is in a conference."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..protocol.escaping import visible
from ..protocol.models import Participant
from ..protocol.roster import Roster
from ..signalling import Session
from ..tasks import first_of
from .attending import arrived, attend, described
from .exits import ExitCode
from .joining import WayIn, find_session
from .lines import json_line, write_line
from .options import CaFile, Extension, Insecure, Json, Name, Node, PinFile, Proxy, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["roster_command"]


def roster_command(
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The conference: its alias, alias@domain, or a join link.")
    ],
    node: Node = None,
    name: Name = "Observer",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """List who is in a conference, and leave.

    It joins without media for a moment, and leaves itself out. With --json, everything the node tells: one object with
    the conference's state and the participants.

    \b
        pexrtc roster --node http://127.0.0.1:8080 meet.alice
        pexrtc roster alice@example.com --json | jq -r '.participants[].display_name'
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)

    async def look() -> None:
        async with attend(await find_session(alias, way, name=name), screen) as session:
            people = _others(session)
            if json:
                write_line(json_line(_as_result(session, people)))
            else:
                _show(session.roster, people)

    async def work(stopping: Stopping) -> ExitCode:
        await first_of(look=look(), stop=stopping.wait())
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))


def _others(session: Session) -> list[Participant]:
    people = session.roster.participants.values()
    return sorted((p for p in people if p.uuid != session.participant_uuid), key=lambda p: (p.start_time, p.uuid))


def _as_result(session: Session, people: list[Participant]) -> dict[str, object]:
    roster = session.roster
    return {
        "alias": session.config.alias,
        "place": str(session.place),
        "conference": msgspec.to_builtins(roster.conference),
        "presenter": roster.presenter,
        "speaking": [person.uuid for person in roster.speaking],
        "participants": [msgspec.to_builtins(person) for person in people],
    }


def _show(roster: Roster, people: list[Participant]) -> None:
    console = Console(highlight=False, soft_wrap=False)
    if not people:
        console.print(Text("nobody else is there"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "role", "state", "since", "uuid"):
        # A UUID is there to be copied: it is never cut, nor broken.
        table.add_column(heading, no_wrap=heading in ("since", "uuid"), overflow="fold")
    for person in people:
        cells = (
            person.display_name,
            "Host" if person.is_host else "Guest",
            described(person, roster.speaking) or "no media",
            arrived(person),
            person.uuid,
        )
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)
