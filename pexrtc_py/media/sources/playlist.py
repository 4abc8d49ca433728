"""Playlists: M3U files and lists of files, played one after the other without a seam.

What is in a list may only be what its author could reach: a local list names local files and addresses, a list that
came from the network names addresses only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ...errors import SourceError, UsageError
from ..frames import Source
from .encoded import EncodeConfig
from .file import open_file
from .live import is_address, open_address
from .opening import shown
from .raw import DEFAULT_ACCEPT, Accept
from .sequence import Sequence as SourceSequence

__all__ = ["open_playlist", "parse_m3u", "read_m3u"]

_MOST_ENTRIES: Final = 10_000
_LONGEST_FILE: Final = 4_000_000


def parse_m3u(text: str, *, folder: Path | None) -> list[str]:
    """Return the entries of an M3U file: absolute paths and addresses.

    Args:
        text: its content.
        folder: where relative names begin; None: it came from the network, and only addresses are allowed.

    Raises:
        UsageError: it is too long, has no entries, or names a file where it may not.
    """
    entries: list[str] = []
    for line in text.removeprefix("\ufeff").splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if is_address(entry):
            entries.append(entry)
        elif folder is None:
            raise UsageError(f"playlist: a list from the network may not name the file {shown(entry)}")
        else:
            entries.append(str(folder / entry))
        if len(entries) > _MOST_ENTRIES:
            raise UsageError(f"playlist: more than {_MOST_ENTRIES} entries")
    if not entries:
        raise UsageError("playlist: there is nothing in it")
    return entries


def read_m3u(path: Path) -> list[str]:
    """Return the entries of a local M3U file.

    Raises:
        SourceError: it cannot be read.
        UsageError: see `parse_m3u`.
    """
    name = shown(str(path))
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise SourceError(f"{name}: is too large for a playlist")
        text = path.read_text(errors="replace")
    except OSError as exc:
        raise SourceError(f"{name}: cannot read the playlist: {(exc.strerror or str(exc)).lower()}") from exc
    return parse_m3u(text, folder=path.parent.absolute())


def open_playlist(
    entries: Sequence[str],
    *,
    accept: Accept = DEFAULT_ACCEPT,
    loop: int | None = 1,
    config: EncodeConfig | None = None,
    order: Callable[[list[str]], list[str]] = list,
) -> Source:
    """Open files and addresses to be played one after the other.

    The preferred codec of each kind is sent throughout: entries that have it pass as they are, others are transcoded.

    Args:
        entries: paths and addresses.
        accept: codecs that can be sent.
        loop: how often the whole list is played; None: until stopped.
        config: how to encode what has to be encoded.
        order: returns the order for each round; a shuffle for example.

    Raises:
        SourceError: the first entry cannot be opened.
        UsageError: there are none.
    """
    if not entries:
        raise UsageError("playlist: there is nothing in it")
    one = {kind: codecs[:1] for kind, codecs in accept.items()}

    def opener(entry: str) -> Callable[[], Source]:
        if is_address(entry):
            return lambda: open_address(entry, accept=one, config=config)
        return lambda: open_file(entry, accept=one, config=config)

    return SourceSequence(opener(entry) for entry in _rounds(entries, loop, order))


def _rounds(entries: Iterable[str], loop: int | None, order: Callable[[list[str]], list[str]]) -> Iterator[str]:
    played = 0
    while loop is None or played < loop:
        yield from order(list(entries))
        played += 1
