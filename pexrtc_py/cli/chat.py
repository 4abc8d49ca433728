"""`pexrtc chat`: say something in a conference, or read along."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from ..errors import UsageError
from ..protocol.escaping import visible
from ..protocol.events import MessageReceived
from ..protocol.models import Message
from ..signalling import EventSubscription, Session, SessionConfig, follow_transfers
from ..tasks import first_of
from .attending import attend, find_participant, tell_outages
from .exits import ExitCode
from .joining import WayIn, find_session
from .lines import json_line, until_unread, write_line
from .options import CaFile, Extension, Insecure, Json, Name, Node, PinFile, Proxy, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen
from .standard_input import read_standard_input

__all__ = ["chat_command"]


def chat_command(
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="The conference: its alias, alias@domain, or a join link.")
    ],
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="What to say; `-` reads it from stdin. Without it, listen."),
    ] = None,
    node: Node = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME", help="Say it to this participant alone (37 and later)."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", min=1, metavar="N", help="Listening: end after N messages."),
    ] = None,
    name: Name = "Messenger",
    pin_file: PinFile = None,
    extension: Extension = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Say TEXT in a conference and leave; without TEXT, print what others say until Ctrl-C.

    It joins without media. With --json each message is an object on a line of its own.

    \b
        pexrtc chat --node http://127.0.0.1:8080 meet.alice "The recording has started"
        pexrtc chat --node http://127.0.0.1:8080 meet.alice --to Bob "Your microphone is off"
        pexrtc chat --node http://127.0.0.1:8080 meet.alice
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    way = WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure)
    if text is None and to is not None:
        raise UsageError("--to: there is nothing to say")

    async def work(stopping: Stopping) -> ExitCode:
        config = await find_session(alias, way, name=name)
        doing = _listen(config, screen, json=json, count=count) if text is None else _say(config, text, to, screen)
        _, code = await first_of(doing=doing, stop=stopping.wait())
        return code if isinstance(code, ExitCode) else ExitCode.DONE

    raise typer.Exit(run(work, screen))


async def _say(config: SessionConfig, text: str, to: str | None, screen: Screen) -> ExitCode:
    said = (await read_standard_input()).rstrip("\n") if text == "-" else text
    if not said:
        raise UsageError("there is nothing to say")
    async with attend(config, screen) as session:
        if session.why_waiting:
            screen.error("nobody in the conference hears us: we were not let in")
            return ExitCode.REFUSED
        if not session.token_result.chat_enabled:
            screen.error(f"{config.alias}: chat is switched off in this conference")
            return ExitCode.REFUSED
        message = Message(type="text/plain", payload=said)
        if to is None:
            await session.client.conference_message(message)
        else:
            await session.client.participant_message(find_participant(session, to), message)
        heard_by = 1 if to is not None else len(session.roster.participants) - 1
        screen.note(f"said to {to}" if to is not None else f"said; others in the conference: {heard_by}")
        screen.result({"alias": config.alias, "said": said, "to": to, "participants": heard_by})
    return ExitCode.DONE


async def _listen(config: SessionConfig, screen: Screen, *, json: bool, count: int | None) -> ExitCode:
    heard = 0

    async def read_along(session: Session) -> None:
        events = session.events()
        await session.wait_for(lambda s: s.roster.synced)
        screen.note(f"joined {session.config.alias}, listening; Ctrl-C ends it")
        await first_of(printing=print_all(events), outages=tell_outages(session, screen))

    async def print_all(events: EventSubscription) -> None:
        nonlocal heard
        async for event in events:
            if isinstance(event, MessageReceived):
                heard += 1
                if not write_line(_line(event, json=json)) or heard == count:
                    return

    await first_of(listening=follow_transfers(config, read_along), unread=until_unread())
    return ExitCode.DONE


def _line(event: MessageReceived, *, json: bool) -> str:
    now = datetime.now().astimezone()
    if json:
        return json_line(
            {
                "time": now.isoformat(timespec="milliseconds"),
                "from": event.origin,
                "uuid": event.uuid,
                "direct": event.direct,
                "type": event.type,
                "text": event.payload,
            }
        )
    alone = " (to us alone)" if event.direct else ""
    return f"{now:%H:%M:%S} {visible(event.origin)}{alone}: {visible(event.payload)}"
