"""Results on stdout, a line each, with nothing in them that a terminal would obey."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
from collections.abc import Callable

import msgspec

from ..errors import WriteError

__all__ = ["Results", "json_line", "until_unread", "write_line"]

_LOOK_EVERY_S = 0.5


def json_line(value: object) -> str:
    """Write a value as JSON on one line; whatever is not printable is escaped, as JSON allows in any string.

    >>> json_line({"name": "Eve" + chr(0x9B) + "2J"})
    '{"name":"Eve\\\\u009b2J"}'
    """
    return _printable(msgspec.json.encode(value).decode("utf-8"))


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def write_line(text: str) -> bool:
    """Write a line at once; False when nobody reads any more (`pexrtc events ... | head -1`).

    Raises:
        WriteError: it cannot be written: the disk is full.
    """
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        return False
    except OSError as exc:
        _write_no_more()
        raise _not_written(exc) from exc
    return True


def _not_written(exc: OSError) -> WriteError:
    return WriteError(f"standard output: {(exc.strerror or str(exc)).lower()}")


def _write_no_more() -> None:
    """The interpreter flushes stdout once more at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class Results:
    """Lines of JSON on stdout for programs, from whatever thread, each of them whole.

    Writing never fails, for what measures must go on to its end: `check` says that it did.
    """

    def __init__(self) -> None:
        self.on_lost: Callable[[], None] | None = None
        """Called once, in whatever thread, when nothing can be written any more."""
        self._lost: OSError | None = None
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write a line at once; after one that could not be written, none."""
        with self._lock:
            if self._lost is not None:
                return
            try:
                sys.stdout.write(_printable(text) + "\n")
                sys.stdout.flush()
                return
            except OSError as exc:
                self._lost = exc
                _write_no_more()
        if self.on_lost is not None:
            self.on_lost()

    def check(self) -> None:
        """Make sure that all lines were written.

        Raises:
            WriteError: they were not: nobody reads any more, or the disk is full.
        """
        if self._lost is not None:
            raise _not_written(self._lost) from self._lost


async def until_unread() -> None:
    """Wait until the reader of a pipe that stdout is has gone; for ever where it is none. Cancelling is safe.

    In a quiet conference the next line, whose writing would tell, may be hours away.
    """
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)  # asked for nothing, it tells of errors only
    except OSError:  # in a test it is no file
        await asyncio.Event().wait()
    while not any(what & select.POLLERR for _, what in poll.poll(0)):  # noqa: ASYNC110 - the kernel sets no event
        await asyncio.sleep(_LOOK_EVERY_S)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
