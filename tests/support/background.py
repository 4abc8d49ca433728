"""A loop in a thread of its own, for tests of what runs a loop itself: a command, with a node and others to talk to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

__all__ = ["Background", "background"]

T = TypeVar("T")

_DEADLINE_S = 20.0


class Background:
    """Runs coroutines beside the test; made by `background`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run something and go on."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.start(asyncio.wait_for(work, _DEADLINE_S)).result()

    @contextmanager
    def living(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Keep an asynchronous context open for the block, in one task from beginning to end."""
        entered: Future[T] = Future()
        left = asyncio.Event()

        async def live() -> None:
            try:
                async with manager as thing:
                    entered.set_result(thing)
                    await left.wait()
            except BaseException as exc:
                if not entered.done():
                    entered.set_exception(exc)
                raise

        life = self.start(live())
        try:
            yield entered.result(_DEADLINE_S)
        finally:
            self._loop.call_soon_threadsafe(left.set)
            life.result(_DEADLINE_S)


@contextmanager
def background() -> Iterator[Background]:
    """Run a loop in a thread until the block is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test background")
    thread.start()
    try:
        yield Background(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
