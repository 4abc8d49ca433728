"""`pexrtc events`: what happens in a conference, a JSON line for each event."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from ..protocol.events import EVENT_TYPES, Event, serialize_event
from ..signalling import EventSubscription, Session, follow_transfers
from ..tasks import first_of
from .attending import tell_outages
from .exits import ExitCode
from .joining import WayIn, find_session
from .lines import json_line, until_unread, write_line
from .options import CaFile, Extension, Insecure, Name, Node, PinFile, Proxy, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["events_command"]


def _event_names() -> list[str]:
    return sorted(EVENT_TYPES)


def events_command(
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The conference: its alias, alias@domain, or a join link.")
    ],
    node: Node = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="NAME", help="Print only this event; repeat for several.", autocompletion=_event_names
        ),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, metavar="N", help="End after N events.")] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", min=0.1, metavar="S", help="End after S seconds.")
    ] = None,
    name: Name = "Observer",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Print everything that happens in a conference, one JSON object a line: time, alias, event, data.

    It joins without media. First come those who are there already, then what changes. Events are those of the API; a
    name it does not know is passed on as it came. It follows transfers, and ends with the conference or with Ctrl-C.

    \b
        pexrtc events --node http://127.0.0.1:8080 meet.alice
        pexrtc events alice@example.com --event message_received --count 1
    """
    configure_logging(verbose)
    screen = Screen(quiet=quiet)
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)
    printed = 0

    async def listen(session: Session) -> None:
        events = session.events()  # before the first wait, so that none is missed
        screen.note(f"joined {session.config.alias} as {session.token_result.display_name or name}")
        await first_of(printing=print_all(session, events), outages=tell_outages(session, screen))

    async def print_all(session: Session, events: EventSubscription) -> None:
        nonlocal printed
        async for event in events:
            event_name, data = _told(event)
            if only and event_name not in only:
                continue
            line = {"time": _now(), "alias": session.config.alias, "event": event_name, "data": data}
            printed += 1
            if not write_line(json_line(line)) or printed == count:
                return
            if event_name == "refer":
                screen.note("transferred, following")

    async def work(stopping: Stopping) -> ExitCode:
        config = await find_session(alias, way, name=name)
        waits = {"listening": follow_transfers(config, listen), "stop": stopping.wait(), "unread": until_unread()}
        if duration is not None:
            waits["end"] = asyncio.sleep(duration)
        await first_of(**waits)
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))


def _told(event: Event) -> tuple[str, object]:
    """Return name and data as they were on the wire, but for secrets."""
    name, data = serialize_event(event)
    try:
        content = msgspec.json.decode(data) if data else None
    except msgspec.DecodeError:
        content = data  # of an event we do not know
    secret = getattr(event, "secret", frozenset[str]())
    if isinstance(content, dict) and secret:
        content = {key: "…" if key in secret else value for key, value in content.items()}
    return name, content


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
