"""Signals that mean something to a command, from its first line on: what comes before it can obey is kept for it.

By default they end a process: a recording that a script starts and pauses at once would be none. This module imports
nothing that takes time.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Collection, Sequence
from types import FrameType

__all__ = ["hold", "pass_over", "take"]

_MEANT = {"record": (signal.SIGUSR1, signal.SIGUSR2), "run": (signal.SIGHUP,)}
"""By command, whatever stands before it on the line."""
_MOST = 1000

_kept: deque[int] = deque(maxlen=_MOST)
_is_held = False


def hold(words: Sequence[str]) -> None:
    """Keep the signals that the command of these arguments obeys; after it has ended they do nothing."""
    global _is_held
    _is_held = True
    for number in next((_MEANT[word] for word in words if word in _MEANT), ()):
        signal.signal(number, _keep)


def take(numbers: Collection[int]) -> list[int]:
    """Return which of these came, in order, and keep them no more."""
    came = [number for number in _kept if number in numbers]
    _kept.clear()
    return came


def pass_over(number: int) -> None:
    """Let a signal do nothing any more, in a process that is a command's own and has only to end."""
    if _is_held:
        signal.signal(number, _keep)


def _keep(number: int, frame: FrameType | None) -> None:
    _kept.append(number)
