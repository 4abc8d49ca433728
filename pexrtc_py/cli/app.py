"""All commands under one name, `pexrtc`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Protocol, cast

import typer

from ..errors import PexrtcError
from ..probe.rendering import visible
from ..version import __version__
from .announce import announce
from .chat import chat_command
from .control import control_command
from .demo import demo
from .doctor import doctor
from .events import events_command
from .exits import exit_code_of
from .lines import write_line
from .node import node
from .prepare import prepare_command
from .probe import probe
from .record import record_command
from .repair import repair_command
from .roster import roster_command
from .run import run_command
from .screen import Screen
from .verify import verify_command

__all__ = ["app", "main"]

_UNKNOWN = 3  # Nagios plugin guidelines, "Plugin Return Codes"

app = typer.Typer(
    name="pexrtc",
    help="A Pexip Infinity endpoint without a browser: records, announces, probes; and a node to try it on.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pexrtc {__version__}")
        raise typer.Exit


@app.callback()
def pexrtc(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """A Pexip Infinity endpoint without a browser: records, announces, probes; and a node to try it on."""


# What the list of commands says of each: a whole sentence on a terminal of 80 columns.
app.command("record", short_help="Record conferences to files, as they are sent.")(record_command)
app.command("verify", short_help="Tell what is wrong with recordings.")(verify_command)
app.command("repair", short_help="Copy what can be read of a damaged recording.")(repair_command)
app.command(short_help="Play files, speech or devices into conferences.")(announce)
app.command("play", hidden=True)(announce)
app.command("prepare", short_help="Make files ready to be announced without encoding.")(prepare_command)
app.command(short_help="Measure what a participant sees and hears: pass or fail.")(probe)
app.command(short_help="Find out, step by step, why calls do not come up.")(doctor)
app.command("events", short_help="Print what happens in a conference, as lines of JSON.")(events_command)
app.command("roster", short_help="List who is in a conference.")(roster_command)
app.command("chat", short_help="Say something in a conference, or print what is said.")(chat_command)
app.command("control", short_help="Mute, lock, dial, ...: any operation of the client API.")(control_command)
app.command("run", short_help="Keep many recordings, announcements and probes going.")(run_command)
app.command(short_help="Run a conferencing node on this machine.")(node)
app.command(short_help="Show it: a clip played, recorded and compared, here.")(demo)


# Whatever typer has to say against arguments; it has had this class under names that came and went.
_BadArguments: type[Exception] = typer.BadParameter.__bases__[0]


class _Refusal(Protocol):
    """What such an exception can do."""

    def show(self) -> None: ...
    def format_message(self) -> str: ...


def main() -> None:
    """Run the command that the arguments of the process name; errors in its arguments become one line and a code.

    Raises:
        SystemExit: always, with the exit code.
    """
    try:
        code = app(standalone_mode=not _is_for_nagios(sys.argv[1:]))
    except PexrtcError as exc:
        Screen().error(str(exc))
        code = exit_code_of(exc)
    except _BadArguments as exc:
        refusal = cast("_Refusal", exc)
        refusal.show()
        write_line(f"PEXRTC UNKNOWN - {visible(refusal.format_message()).replace('|', '/')}")
        code = _UNKNOWN
    raise SystemExit(code)


def _is_for_nagios(arguments: Sequence[str]) -> bool:
    """Whether the line will be read by a monitor: it knows other codes, and takes the 2 of bad usage for CRITICAL."""
    return "--nagios" in arguments and next((word for word in arguments if not word.startswith("-")), "") == "probe"
