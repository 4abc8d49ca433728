"""Runs a command's coroutine: the loop, the signals, and how an error becomes one line and an exit code.

The first Ctrl-C or SIGTERM asks the command to finish (close its files, release its token); the second ends it now. So
does a terminal that goes away (SIGHUP), unless it is to be ignored, as `nohup` has it, or means something else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import typer

from ..errors import PexrtcError
from ..event_loop import loop_factory
from . import early_signals
from .exits import ExitCode, exit_code_of, told
from .screen import Screen

__all__ = ["Command", "Stopping", "obeying", "run"]

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


@contextmanager
def obeying(acts: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Do what signals ask for while the block lasts, first what they asked for since the process began.

    Only in the main thread's event loop.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in acts}
    for number, act in acts.items():
        loop.add_signal_handler(number, act)
    for came in early_signals.take(acts):
        acts[signal.Signals(came)]()
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def _until_done(command: Command, screen: Screen) -> ExitCode:
    stopping = Stopping()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        # A terminal that goes away says so twice, by its shell and by the kernel, and who logs out may add SIGTERM.
        if stopping.is_set and signal.SIGHUP not in (number, stopping.by):
            # The user insists. What is on disk is playable; nothing that could hang is waited for.
            with suppress(OSError):
                sys.stderr.write("stopped now\n")
            os._exit(ExitCode.INTERRUPTED)
        if not stopping.is_set:
            stopping.event.set()
            screen.note("finishing; once more to stop now")
        if number is not signal.SIGHUP or stopping.by is None:
            stopping.by = number

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        code = await command(stopping)
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        if signal.SIGHUP in numbers:
            early_signals.pass_over(signal.SIGHUP)  # the second of them must not undo the first
    return ExitCode.INTERRUPTED if stopping.by is signal.SIGINT and code is ExitCode.DONE else code
