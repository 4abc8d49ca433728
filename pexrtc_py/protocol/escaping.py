"""What a peer says, fit to be shown: whatever a terminal, a log or a page of metrics could obey is written out.

There is this one rule; whoever shows text of others adds what its own format wants (a length, a quote, a separator).
"""

from __future__ import annotations

__all__ = ["visible"]


def visible(text: str, *, keep: str = "") -> str:
    """Return `text` with each character that is not printable written out as Python escapes it, but for those to keep.

    >>> visible("Eve" + chr(27) + "[2J")
    'Eve\\\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)
