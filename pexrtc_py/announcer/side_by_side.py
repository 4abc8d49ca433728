"""Several blocks entered at once, each in a task of its own: one that fails or is slow costs the others nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from ..errors import NoMedia, PexrtcError
from ..tasks import task_owner

__all__ = ["open_all"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LIMIT_S = 20.0
"""How long all wait for the slowest: longer than a call may take to connect."""


@asynccontextmanager
async def open_all(
    makers: Sequence[Callable[[], AbstractAsyncContextManager[T]]], *, limit_s: float = _LIMIT_S
) -> AsyncIterator[list[T | PexrtcError]]:
    """Enter blocks side by side and yield what each gives, or why it gives nothing; leaving this leaves them all.

    One alone may take as long as it likes: nobody waits for it.

    Args:
        makers: make the blocks.
        limit_s: what takes longer is an error in its place of the list, and is ended.
    """
    loop = asyncio.get_running_loop()
    places: list[asyncio.Future[T | PexrtcError]] = [loop.create_future() for _ in makers]
    over = asyncio.Event()

    async def enter(make: Callable[[], AbstractAsyncContextManager[T]], place: asyncio.Future[T | PexrtcError]) -> None:
        try:
            async with make() as made:
                if not place.done():
                    place.set_result(made)
                    await over.wait()
        except PexrtcError as exc:
            if place.done():
                logger.info("! leaving: %s", exc)
            else:
                place.set_result(exc)

    async with task_owner() as tasks:
        entered = [tasks.start(enter(*pair), name="pexrtc side by side") for pair in zip(makers, places, strict=True)]
        if places:
            await asyncio.wait(places, timeout=limit_s if len(places) > 1 else None)
        for place, task in zip(places, entered, strict=True):
            if not place.done():
                place.set_result(NoMedia(f"not let in, or no media, within {limit_s:g} s"))
                task.cancel()  # who is given up waits no longer: leaving would wait for it, in a waiting room for ever
        try:
            yield [place.result() for place in places]
        finally:
            over.set()
        if entered:
            await asyncio.wait(entered)
