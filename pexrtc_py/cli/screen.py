"""What a command says to people (stderr) and to programs (stdout, one JSON object).

Whatever came from a peer is printed with its control characters escaped, so that a name cannot move the cursor. What is
said to people and cannot be written (their disk is full, their terminal gone) is not said: no recording ends over it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, cast

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..protocol.escaping import visible
from .lines import json_line, write_line

__all__ = ["Screen"]


class _Talk:
    """Standard error as it is at the moment, for rich; what it does not take is passed over."""

    @property
    def _stream(self) -> IO[str]:
        stream: IO[str] = getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # rich puts itself there for a while
        return stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class Screen:
    """Talks to people on stderr and gives results to programs on stdout.

    Args:
        json: print results as one JSON object on stdout.
        quiet: say nothing but errors on stderr.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self._quiet = quiet
        self._console = Console(file=cast("IO[str]", _Talk()), highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something in passing."""
        if not self._quiet:
            self._console.print(Text(visible(text)))

    def error(self, text: str) -> None:
        """Say in one line what went wrong; shown even when quiet."""
        self._console.print(Text("error: ", style="bold red").append(visible(text), style="default"))

    def result(self, result: Mapping[str, object]) -> None:
        """Give the result to programs, when they asked for it."""
        if self.json:
            write_line(json_line(result))

    def line(self, value: Mapping[str, object]) -> None:
        """Give programs, when they asked for it, a part of the result on a line of its own, at once."""
        if self.json:
            write_line(json_line(value))

    def live(self) -> Live:
        """Return a context manager whose `update` shows progress in place; plain notes when stderr is no terminal."""
        return Live(console=self._console, auto_refresh=False, transient=True, screen=False)

    @property
    def is_terminal(self) -> bool:
        """Whether a person is likely watching."""
        return self._console.is_terminal and not self._quiet

    def show(self, drawn: Table) -> None:
        """Show a table whose texts are safe: escaped by `visible`, or our own."""
        if not self._quiet:
            self._console.print(drawn)

    def table(self, rows: Mapping[str, str]) -> None:
        """Say several things at once, one a row."""
        if not self._quiet:
            self._console.print(self.rows(rows))

    def rows(self, rows: Mapping[str, str]) -> Table:
        """Return a two-column table of what is going on."""
        table = Table.grid(padding=(0, 2))
        for name, value in rows.items():
            table.add_row(Text(name, style="dim"), Text(visible(value)))
        return table
