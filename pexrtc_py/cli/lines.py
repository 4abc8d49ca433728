"""Results on stdout, a line each, with nothing in them that a terminal would obey."""

from __future__ import annotations

import os
import sys

import msgspec

__all__ = ["json_line", "write_line"]


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


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
