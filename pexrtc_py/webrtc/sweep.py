"""Many media sockets of one event loop, read together some milliseconds apart.

What a packet costs is mostly the wake-up for it: with cold caches, and a turn of the loop, for one or two packets at a
time. Whoever does not mind media some milliseconds late (a recorder does not) lets them come together. All sockets of a
loop share one sweep, so 24 calls are woken as seldom as one.

An epoll of its own holds the sockets; the loop watches that one. Once it is readable the loop looks away, and sweep
follows sweep by a timer, on the same grid as the timers of all calls (`timers`), until for a while nothing came.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from weakref import WeakKeyDictionary

__all__ = ["HOLD_S", "Sweep", "next_tick", "sweep_of"]

HOLD_S = 0.06
"""How late media may be read: three packets of sound. What Linux grants a socket holds 180 packets: 28 Mb/s."""
_IDLE_SWEEPS = 5  # without anything to read, until the loop watches again


class Sweep:
    """Reads the sockets of one loop; made by `sweep_of`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watching = False
        self._idle = 0

    def add(self, fd: int, read: Callable[[], None]) -> None:
        """Call `read` when there is something in a socket, at most each `HOLD_S`."""
        self._readers[fd] = read
        self._epoll.register(fd, select.EPOLLIN)
        if self._timer is None:
            self._watch()

    def remove(self, fd: int) -> None:
        """Call its reader no more; before the socket is closed."""
        if self._readers.pop(fd, None) is None:
            return
        self._epoll.unregister(fd)
        if not self._readers:
            self._look_away()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.add_reader(self._epoll.fileno(), self._ready)

    def _look_away(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._epoll.fileno())

    def _ready(self) -> None:
        self._look_away()
        self._idle = 0
        self._plan()

    def _plan(self) -> None:
        self._timer = self._loop.call_at(next_tick(self._loop.time()), self._read)

    def _read(self) -> None:
        self._timer = None
        ready = self._epoll.poll(0)
        for fd, _ in ready:
            read = self._readers.get(fd)
            if read is None:
                continue
            try:
                read()
            except Exception as exc:  # noqa: BLE001 - told as that of any callback; the other calls are read on
                self._loop.call_exception_handler({"message": "a datagram could not be handled", "exception": exc})
        if not self._readers:
            return
        self._idle = 0 if ready else self._idle + 1
        if self._idle < _IDLE_SWEEPS:
            self._plan()
        else:
            self._watch()


def next_tick(now: float) -> float:
    """Return the next moment of the grid that sweeps and timers share, at least half a hold from now."""
    return (int(now / HOLD_S + 0.5) + 1) * HOLD_S


_sweeps: WeakKeyDictionary[asyncio.AbstractEventLoop, Sweep] = WeakKeyDictionary()


def sweep_of(loop: asyncio.AbstractEventLoop) -> Sweep | None:
    """Return the one sweep of a loop; None where the system has no epoll."""
    if not hasattr(select, "epoll"):
        return None
    sweep = _sweeps.get(loop)
    if sweep is None:
        sweep = _sweeps[loop] = Sweep(loop)
    return sweep
