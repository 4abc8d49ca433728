"""How a command begins and ends as a process: Ctrl-C is one clean end with status 130, also before anything has begun.

This module imports nothing that takes time. While the rest is loaded, and again when the command is done, there is
nothing to be put in order, and the process ends at once; in between a command has its own ways (`running`).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
from types import FrameType

from . import early_signals

__all__ = ["main"]

_INTERRUPTED = 130  # ExitCode.INTERRUPTED, whose module loads the tree of errors
_THREADS_S = 2.0
"""How long a thread may go on after its command: what had to be finished was waited for."""


def main() -> None:
    """Run the command that the arguments of the process name.

    Raises:
        SystemExit: always, with the exit code.
    """
    signal.signal(signal.SIGINT, _end_now)
    early_signals.hold(sys.argv[1:])
    _open_what_is_closed()
    try:
        application = importlib.import_module(".app", __package__)
        # Nothing is loaded after this: a KeyboardInterrupt within what a module executes of text (each dataclass does)
        # would end the process by the signal, whoever catches it.
        app = application.load()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        application.main(app)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except SystemExit as exc:
        signal.signal(signal.SIGINT, _end_now)
        _let_go_of_talk()
        _leave_threads_behind(exc.code)
        raise
    finally:
        signal.signal(signal.SIGINT, _end_now)


def _open_what_is_closed() -> None:
    """Let nothing else be opened in the place of a standard stream that whoever started us has closed.

    What is written there goes nowhere. Standard input stays one that Python knows of as closed.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _let_go_of_talk() -> None:
    """Give up what stderr did not take: Python would try once more at its end, and leave with a status of its own."""
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)


def _leave_threads_behind(code: object) -> None:
    """End the process when a thread does not end with the command: it waits for a pipe or a disk that says nothing."""
    until = time.monotonic() + _THREADS_S
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 0)


def _end_now(number: int, frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
