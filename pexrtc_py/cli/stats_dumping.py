"""`--stats-dump`: what the calls of a command tell of themselves, in a file that viewers of webrtc-internals open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..recorder.event_log import EventLog
from ..version import __version__
from ..webrtc.peer import PeerConfig
from ..webrtc.stats_dump import StatsDump
from .exits import ExitCode
from .running import Command, Stopping

__all__ = ["Dumped", "StatsDumpFile", "stats_dumping", "with_stats_dump"]

StatsDumpFile = Annotated[
    Path | None,
    typer.Option(
        "--stats-dump",
        metavar="FILE",
        help="Write the statistics of every call there each second, and its descriptions without passwords: an "
        "RTCStats dump, for rtcstats' dump-importer and rtcstats.com. It holds addresses. A new file.",
    ),
]


Dumped = Callable[[PeerConfig], PeerConfig]
"""Makes a configuration one whose calls are dumped."""


@asynccontextmanager
async def stats_dumping(path: Path | None) -> AsyncIterator[Dumped]:
    """Make the file and write into it while the block lasts; without a path configurations stay as they are.

    Raises:
        UsageError: the file exists, or cannot be made.
    """
    if path is None:
        yield lambda peer: peer
        return
    try:
        log = await asyncio.to_thread(EventLog, path)
    except OSError as exc:
        raise UsageError(f"--stats-dump {path}: {(exc.strerror or str(exc)).lower()}") from exc
    try:
        dump = StatsDump(log.write, agent=f"pexrtc_py/{__version__}", unix=time.time(), now=time.monotonic())
        yield lambda peer: replace(peer, dump=dump)
    finally:
        await log.aclose()


def with_stats_dump(
    path: Path | None, work: Callable[[Stopping, Dumped], Coroutine[object, object, ExitCode]]
) -> Command:
    """Return a command that does `work` and dumps its calls."""

    async def command(stopping: Stopping) -> ExitCode:
        async with stats_dumping(path) as dumped:
            return await work(stopping, dumped)

    return command
