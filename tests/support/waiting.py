"""Waiting for what tells nobody: another process's file, a count that a thread keeps, a clock of the media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 10.0, every_s: float = 0.02) -> None:
    """Look every so often until it is so. What has an event is awaited by that, not by this.

    Raises:
        TimeoutError: it was not within the time given.
    """
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the one place that polls
            await asyncio.sleep(every_s)
