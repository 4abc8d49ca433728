"""Who owns a task: a block of code. Leaving it ends the task, and what went wrong comes out as one error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

__all__ = ["TaskOwner", "task_owner"]

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
