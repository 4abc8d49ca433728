"""Results on stdout, a line each, with nothing in them that a terminal would obey."""

from __future__ import annotations

import asyncio
import os
import select
import sys

import msgspec

__all__ = ["json_line", "until_unread", "write_line"]

_LOOK_EVERY_S = 0.5


def json_line(value: object) -> str:
    """Write a value as JSON on one line; whatever is not printable is escaped, as JSON allows in any string.

    >>> json_line({"name": "Eve" + chr(0x9B) + "2J"})
    '{"name":"Eve\\\\u009b2J"}'
    """
    text = msgspec.json.encode(value).decode("utf-8")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def write_line(text: str) -> bool:
    """Write a line at once; False when nobody reads any more (`pexrtc events ... | head -1`)."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


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
