"""All commands under one name, `pexrtc`. Only the one that is wanted is loaded: all of them take two seconds."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple, Protocol, cast

import typer

from ..errors import LocalProtocolError, PexrtcError
from ..protocol.escaping import visible
from ..version import __version__
from .exits import exit_code_of
from .lines import write_line
from .screen import Screen

__all__ = ["COMMANDS", "load", "main", "make_app"]

_UNKNOWN = 3  # Nagios plugin guidelines, "Plugin Return Codes"
_COMPLETING = "_PEXRTC_COMPLETE"  # set by the shell that asks what a line may go on with


class Command(NamedTuple):
    """A command, before it is loaded."""

    place: str
    """Its module and its function there."""
    says: str
    """What the list of commands says of it: a whole sentence on a terminal of 80 columns."""
    hidden: bool = False
    """Whether that list leaves it out."""

    def load(self) -> Callable[..., None]:
        module, _, function = self.place.partition(":")
        loaded: Callable[..., None] = getattr(importlib.import_module(f".{module}", __package__), function)
        return loaded


COMMANDS = {
    "record": Command("record:record_command", "Record conferences to files, as they are sent."),
    "verify": Command("verify:verify_command", "Tell what is wrong with recordings."),
    "repair": Command("repair:repair_command", "Copy what can be read of a damaged recording."),
    "announce": Command("announce:announce", "Play files, speech or devices into conferences."),
    "play": Command("announce:announce", "The same.", hidden=True),
    "prepare": Command("prepare:prepare_command", "Make files ready to be announced without encoding."),
    "probe": Command("probe:probe", "Measure what a participant sees and hears: pass or fail."),
    "doctor": Command("doctor:doctor", "Find out, step by step, why calls do not come up."),
    "events": Command("events:events_command", "Print what happens in a conference, as lines of JSON."),
    "roster": Command("roster:roster_command", "List who is in a conference."),
    "chat": Command("chat:chat_command", "Say something in a conference, or print what is said."),
    "control": Command("control:control_command", "Mute, lock, dial, ...: any operation of the client API."),
    "run": Command("run:run_command", "Keep many recordings, announcements and probes going."),
    "node": Command("node:node", "Run a conferencing node on this machine."),
    "demo": Command("demo:demo", "Show it: a clip played, recorded and compared, here."),
}
"""By name, in the order of the list."""


def make_app(words: Sequence[str] | None = None) -> typer.Typer:
    """Return the application.

    Args:
        words: arguments of the process: only the command that they name is loaded, of the others there is what the list
            says of them; None: all are.
    """
    app = typer.Typer(
        name="pexrtc",
        help="A Pexip Infinity endpoint without a browser: records, announces, probes; and a node to try it on.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_pexrtc)
    wanted = None if words is None else _first_word(words)
    for name, command in COMMANDS.items():
        function = command.load() if words is None or name == wanted else _not_loaded
        app.command(name, short_help=command.says, hidden=command.hidden)(function)
    return app


def _not_loaded() -> None:
    """Stand in the list for a command that is not wanted."""
    raise LocalProtocolError("a command was called that was not loaded")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pexrtc {__version__}")
        raise typer.Exit


def _pexrtc(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """A Pexip Infinity endpoint without a browser: records, announces, probes; and a node to try it on."""


def _first_word(words: Sequence[str]) -> str:
    """Return the command that arguments name, empty where they name none: what may stand before it takes no value."""
    return next((word for word in words if not word.startswith("-")), "")


# Whatever typer has to say against arguments; it has had this class under names that came and went.
_BadArguments: type[Exception] = typer.BadParameter.__bases__[0]


class _Refusal(Protocol):
    """What such an exception can do."""

    def show(self) -> None: ...
    def format_message(self) -> str: ...


def load() -> typer.Typer:
    """Return the application with the command that the arguments of the process name, or all while a shell asks."""
    if _COMPLETING in os.environ:
        return make_app(None)
    if _first_word(sys.argv[1:]) in COMMANDS:
        with suppress(ImportError):  # typer loads it when it is called, where Ctrl-C raises already, see `entry`
            importlib.import_module("typer._adapters")
    return make_app(sys.argv[1:])


def main(app: typer.Typer | None = None) -> None:
    """Run the command that the arguments of the process name; errors in its arguments become one line and a code.

    Args:
        app: what was loaded; None loads it.

    Raises:
        SystemExit: always, with the exit code.
    """
    words = sys.argv[1:]
    # A monitor takes the 2 of bad usage for CRITICAL.
    is_for_nagios = _first_word(words) == "probe" and "--nagios" in words
    try:
        code = (app or load())(standalone_mode=not is_for_nagios)
    except PexrtcError as exc:
        Screen().error(str(exc))
        code = exit_code_of(exc)
    except _BadArguments as exc:
        refusal = cast("_Refusal", exc)
        refusal.show()
        write_line(f"PEXRTC UNKNOWN - {visible(refusal.format_message()).replace('|', '/')}")
        code = _UNKNOWN
    raise SystemExit(code)
