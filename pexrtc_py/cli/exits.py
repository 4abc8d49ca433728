"""Which exit code says what: the one table that every command, script and monitoring system relies on."""

from __future__ import annotations

from enum import IntEnum

from .. import errors

__all__ = ["ExitCode", "exit_code_of", "told"]


class ExitCode(IntEnum):
    """How a command ended. A change here is a breaking change."""

    DONE = 0
    """Duration or stop condition reached, conference over, or SIGTERM with a finished file."""
    THRESHOLD_MISSED = 1
    """A measured value missed its threshold."""
    USAGE = 2
    """A flag, file, target or configuration cannot be used; nothing was started."""
    REFUSED = 3
    """The node refused: PIN, alias, lock, rights."""
    UNREACHABLE = 4
    """No network, no node, or no media."""
    REMOVED = 5
    """Removed from the conference, or lost beyond the limits of rejoining."""
    FAILED = 6
    """Failed on our side in the middle: disk, device, source."""
    BUG = 70
    """A bug in pexrtc_py (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130
    """Ctrl-C (128 + SIGINT)."""


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code that says best what `error` means to the caller of a command."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case errors.UsageError():
            return ExitCode.USAGE
        case errors.NodeError() | errors.TransportError() | errors.MediaError() | errors.Throttled():
            return ExitCode.UNREACHABLE
        case errors.RefusedError() | errors.NotSupported():
            return ExitCode.REFUSED
        case errors.SessionClosedOK():
            return ExitCode.DONE
        case errors.SessionClosed() | errors.TokenExpired():
            return ExitCode.REMOVED
        case errors.SourceError() | errors.WriteError():
            return ExitCode.FAILED
        case errors.SignallingError() | errors.RemoteProtocolError():
            return ExitCode.UNREACHABLE
        case _:
            return ExitCode.BUG


def told(error: BaseException) -> str:
    """Return the line that says what went wrong, with the option that mends it where there is one."""
    match error:
        case errors.PinRequired():
            cure = ": set PEXRTC_PIN, or give --pin-file FILE"
        case errors.ExtensionRequired():
            cure = ": say where to go with --extension ALIAS"
        case _:
            cure = ""
    return f"{error}{cure}"
