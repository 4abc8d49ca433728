"""Standard input as a text, read by the loop: whoever waits for it can be told to stop.

A thread that reads cannot be: the process would end when its pipe is closed, and not when a person says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from ..errors import UsageError

__all__ = ["read_standard_input"]

logger = logging.getLogger(__name__)

_LIMIT = 1024 * 1024  # as everywhere where a text comes from outside
_PIECE = 64 * 1024


async def read_standard_input() -> str:
    """Read standard input to its end, whatever it is: a pipe, a terminal, a file. Cancelling is safe.

    Raises:
        UsageError: it is closed, is no UTF-8, is too long, or cannot be read.
    """
    if sys.stdin is None:
        raise UsageError("-: standard input is closed")
    fd = sys.stdin.fileno()
    pieces, length = [], 0
    logger.debug("- reading standard input")
    try:
        while piece := await _read_piece(fd):
            pieces.append(piece)
            length += len(piece)
            if length > _LIMIT:
                raise UsageError(f"-: standard input is longer than {_LIMIT} bytes")
        return b"".join(pieces).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UsageError(f"-: standard input is no UTF-8 (byte {exc.start})") from exc
    except OSError as exc:
        raise UsageError(f"-: standard input: {(exc.strerror or str(exc)).lower()}") from exc


async def _read_piece(fd: int) -> bytes:
    """Read what is there, once something is.

    The descriptor is left as it was: non-blocking, as uvloop makes it, it would be for all who share it, as a shell its
    terminal.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    blocking = os.get_blocking(fd)
    try:
        loop.add_reader(fd, readable.set)
    except PermissionError:  # epoll knows no files, nor /dev/null: there nobody waits for anything
        return await asyncio.to_thread(os.read, fd, _PIECE)
    try:
        await readable.wait()
        return os.read(fd, _PIECE)
    finally:
        loop.remove_reader(fd)
        os.set_blocking(fd, blocking)
