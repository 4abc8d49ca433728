"""Who owns a task: a block of code. Leaving it ends the task, and what went wrong comes out as one error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

__all__ = ["TaskOwner", "first_of", "task_owner"]

T = TypeVar("T")


class TaskOwner:
    """Starts tasks on behalf of a block; made by `task_owner`."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, work: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Run `work` until it ends or the block is left. An error of it ends the block."""
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Ask every task to end."""
        for task in list(self._tasks):
            task.cancel()


@asynccontextmanager
async def task_owner() -> AsyncIterator[TaskOwner]:
    """Own the tasks that serve a block: they are cancelled, and waited for, when it is left.

    A task that fails ends the block. What comes out is the first cause itself, never an `ExceptionGroup`. Cancelling is
    safe.
    """
    try:
        async with asyncio.TaskGroup() as group:
            owner = TaskOwner(group)
            try:
                yield owner
            finally:
                owner.cancel()
    except BaseExceptionGroup as several:
        first: BaseException = several
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from first.__cause__


async def first_of(**waits: Coroutine[object, object, object]) -> tuple[str, object]:
    """Wait for several things; return the name and the result of the first that happened, and cancel the others.

    Things that happen together count in the order given. Cancelling is safe, and cancels them all.

    Raises:
        Exception: what the first raised.
    """
    async with task_owner() as tasks:
        started = {name: tasks.start(_outcome(wait), name=f"pexrtc wait {name}") for name, wait in waits.items()}
        await asyncio.wait(started.values(), return_when=asyncio.FIRST_COMPLETED)
        name, done = next((name, task) for name, task in started.items() if task.done())
        result, error = done.result()
    if error is not None:
        raise error
    return name, result


async def _outcome(wait: Coroutine[object, object, T]) -> tuple[T | None, Exception | None]:
    """Keep an error from ending the owner, so that it comes out by itself."""
    try:
        return await wait, None
    except Exception as exc:  # noqa: BLE001 - handed to whoever waits, who raises it
        return None, exc
