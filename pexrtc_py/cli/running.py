"""Runs a command's coroutine: the loop, the signals, and how an error becomes one line and an exit code.

The first Ctrl-C or SIGTERM asks the command to finish (close its files, release its token); the second ends it now.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import typer

from ..errors import PexrtcError
from ..event_loop import loop_factory
from .exits import ExitCode, exit_code_of, told
from .screen import Screen

__all__ = ["Stopping", "run"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Stopping:
    """Tells a running command that it shall finish, and by which signal."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    by: signal.Signals | None = None

    async def wait(self) -> None:
        """Wait until a signal asks for the end. Cancelling is safe."""
        await self.event.wait()

    @property
    def is_set(self) -> bool:
        """Whether the command shall finish."""
        return self.event.is_set()


class _Threads(ThreadPoolExecutor):
    """The threads of a loop. At its end nobody waits for those that wait for something themselves, such as a pipe.

    What must be finished, its owner has waited for; `entry` ends a process that one of the others keeps.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


Command = Callable[[Stopping], Coroutine[object, object, ExitCode]]


def run(command: Command, screen: Screen) -> ExitCode:
    """Run `command` in a new event loop and return the exit code.

    Errors of the tree in `errors` become one line on stderr; anything else is a bug and shows its traceback.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.get_loop().set_default_executor(_Threads(thread_name_prefix="asyncio"))
            return runner.run(_until_done(command, screen))
    except PexrtcError as exc:
        screen.error(told(exc))
        return exit_code_of(exc)
    except (KeyboardInterrupt, typer.Abort):  # the latter at a prompt
        return ExitCode.INTERRUPTED
    except Exception:
        logger.exception("! bug")
        return ExitCode.BUG


async def _until_done(command: Command, screen: Screen) -> ExitCode:
    stopping = Stopping()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stopping.is_set:
            # The user insists. What is on disk is playable; nothing that could hang is waited for.
            sys.stderr.write("stopped now\n")
            os._exit(ExitCode.INTERRUPTED)
        stopping.by = number
        stopping.event.set()
        screen.note("finishing; once more to stop now")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        code = await command(stopping)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return ExitCode.INTERRUPTED if stopping.by is signal.SIGINT and code is ExitCode.DONE else code
