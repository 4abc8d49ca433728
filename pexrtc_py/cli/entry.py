"""How a command begins and ends as a process: Ctrl-C is one clean end with status 130, also before anything has begun.

This module imports nothing that takes time. While the rest is loaded, and again when the command is done, there is
nothing to be put in order, and the process ends at once; in between a command has its own ways (`running`).
"""

from __future__ import annotations

import importlib
import os
import signal
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130  # ExitCode.INTERRUPTED, whose module loads the tree of errors


def main() -> None:
    """Run the command that the arguments of the process name.

    Raises:
        SystemExit: always, with the exit code.
    """
    signal.signal(signal.SIGINT, _end_now)
    try:
        application = importlib.import_module(".app", __package__)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        application.main()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, _end_now)


def _end_now(number: int, frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)
