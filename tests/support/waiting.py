"""Waiting for what tells nobody: another process's file, a count that a thread keeps, a clock of the media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def until(condition: Callable[[], _T | None], *, within_s: float = 10.0, every_s: float = 0.02) -> _T:
    """Look every so often until it is so; return what is so. What has an event is awaited by that, not by this.

    Raises:
        TimeoutError: it was not within the time given.
    """
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110 - the one place that polls
            await asyncio.sleep(every_s)
        return found
