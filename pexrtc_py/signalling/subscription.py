"""Events handed to any number of readers, each at its own pace within a bound.

Policy of the bound: the reader that falls behind is dropped with an error; nobody else notices, and no event is lost in
silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakSet

from ..errors import LocalProtocolError, SessionClosed
from ..protocol.events import Event

__all__ = ["MAX_BEHIND", "EventSubscription", "Subscribers"]

MAX_BEHIND = 16 * 1024 * 1024
"""Bytes of events a reader may fall behind: a hostile node must not fill the memory of a slow program."""


class EventSubscription:
    """An asynchronous iterator over events since its making. Cancelling the wait for an event loses none.

    Raises:
        SessionClosedError: the session ended badly.
        LocalProtocolError: this reader fell behind.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._events: deque[tuple[Event, int]] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._finished = False
        self._error: Exception | None = None

    def __aiter__(self) -> EventSubscription:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._finished:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        event, size = self._events.popleft()
        self._size -= size
        return event

    def put(self, event: Event, size: int) -> None:
        """Hand over an event of so many bytes."""
        if self._finished:
            return
        if len(self._events) >= self._bound or self._size + size > MAX_BEHIND:
            count = len(self._events)
            self._events.clear()
            self.finish(LocalProtocolError(f"events: a reader fell behind by {count} events"))
            return
        self._events.append((event, size))
        self._size += size
        self._arrived.set()

    def finish(self, error: Exception | None) -> None:
        """End the iteration after what is waiting, with an error or without."""
        if self._finished:
            return
        self._finished = True
        self._error = error
        self._arrived.set()


class Subscribers:
    """All readers of one stream of events; a reader nobody holds any more is forgotten."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._readers: WeakSet[EventSubscription] = WeakSet()
        self._finished = False
        self._closed: SessionClosed | None = None

    def subscribe(self) -> EventSubscription:
        """Add a reader."""
        reader = EventSubscription(self._bound)
        if self._finished:
            reader.finish(self._fresh_error())
        else:
            self._readers.add(reader)
        return reader

    def publish(self, event: Event, size: int) -> None:
        """Hand an event of so many bytes to all readers."""
        for reader in list(self._readers):
            reader.put(event, size)

    def finish(self, closed: SessionClosed | None) -> None:
        """End all readers, and those to come."""
        self._finished = True
        self._closed = closed
        for reader in list(self._readers):
            reader.finish(self._fresh_error())

    def _fresh_error(self) -> SessionClosed | None:
        closed = self._closed
        return None if closed is None else type(closed)(closed.reason, by_us=closed.by_us)
