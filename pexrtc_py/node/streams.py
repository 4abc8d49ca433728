"""Event streams: one participant's events on their way to its client.

Each event has an id, a name and always a data line: browsers drop events without one. The queue is bounded: a client
that reads too slowly is dropped; it reconnects and is told everything anew. A participant may have a few streams at
once, for a client that reconnects does not always close the old one first.
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict, deque
from collections.abc import Iterable

from ..protocol import events as ev

__all__ = ["KEEPALIVE", "EventStream", "Mailbox"]

KEEPALIVE = b": keepalive\n\n"
"""A comment; every client skips it."""

QUEUE_LIMIT = 2 * 1024 * 1024
"""Bytes waiting for one reader at most, beyond the list it begins with; a limit of our own: over a thousand events."""

STREAMS_LIMIT = 3
"""Streams of one participant at most; the oldest is ended for a new one."""

MISSED_LIMIT = 256 * 1024
"""Bytes of what is kept for a participant while nobody listens; the oldest is dropped for what is new."""

_ONLY_ONCE = frozenset({"call_disconnected", "message_received", "refer", "cancel_refer", "refresh_token", "fecc"})
"""Events that no later list repeats: they are kept while nobody listens, between two streams or before the first."""

FRAMES_LIMIT = 4
"""Presentation pictures kept for one participant to fetch."""

_ESCAPES = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""Characters at which some clients break lines, httpx for one, though events end at CR and LF only."""


class EventStream:
    """The queue between a conference and one HTTP response."""

    def __init__(self, first: Iterable[bytes], *, limit: int = QUEUE_LIMIT) -> None:
        self._chunks: deque[bytes] = deque(first)
        self._room = self._limit = limit
        self._wake = asyncio.Event()
        self._ended = False
        self.broken = asyncio.Event()
        """Set when the reader was too slow, or on request: the connection is to be cut, not ended."""

    def push(self, chunk: bytes) -> None:
        """Queue a chunk, or give the stream up when its reader is too slow."""
        if self._ended:
            return
        self._room -= len(chunk)
        if self._room < 0:
            self._chunks.clear()
            self._ended = True
            self.broken.set()
        else:
            self._chunks.append(chunk)
        self._wake.set()

    def end(self) -> None:
        """End the stream after what is queued."""
        self._ended = True
        self._wake.set()

    async def pull(self) -> bytes | None:
        """Return all that is queued as one chunk, waiting for some; None at the end. Cancelling loses nothing."""
        while not self._chunks:
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._room = self._limit
        return data


class Mailbox:
    """Where a participant's events go: to its open streams, numbered over all of them."""

    def __init__(self, prefix: str) -> None:
        """Make an empty one; `prefix` begins the ids of its events."""
        self._prefix = prefix
        self._count = 0
        self._streams: list[EventStream] = []
        self._frames: OrderedDict[str, bytes] = OrderedDict()
        self._missed: deque[tuple[str, str]] = deque()
        self._missed_size = 0

    @property
    def is_open(self) -> bool:
        """Whether anybody listens."""
        return bool(self._streams)

    def open(self, first: Iterable[ev.Event]) -> EventStream:
        """Open a stream that begins with these events, and then what nobody was there to hear."""
        if len(self._streams) >= STREAMS_LIMIT:
            self._streams.pop(0).end()
        stream = EventStream(
            [self._chunk(*ev.serialize_event(event)) for event in first]
            + [self._chunk(name, data) for name, data in self._missed]
        )
        self._missed.clear()
        self._missed_size = 0
        self._streams.append(stream)
        return stream

    def close(self, stream: EventStream) -> None:
        """Forget a stream whose reader is gone."""
        if stream in self._streams:
            self._streams.remove(stream)

    def push(self, name: str, data: str, *, frame: bytes | None = None) -> None:
        """Send an event; a presentation picture can be fetched by the event's id for a while."""
        if not self._streams:
            self._keep(name, data)
            return
        chunk = self._chunk(name, data)
        if frame is not None:
            self._frames[self._event_id()] = frame
            if len(self._frames) > FRAMES_LIMIT:
                self._frames.popitem(last=False)
        for stream in self._streams:
            stream.push(chunk)

    def frame(self, event_id: str) -> bytes | None:
        """Return the picture that came with an event."""
        return self._frames.get(event_id)

    def end(self) -> None:
        """End every stream after what is queued."""
        for stream in self._streams:
            stream.end()
        self._streams.clear()

    def cut(self) -> None:
        """Break every open stream off, as a failing network would."""
        for stream in self._streams:
            stream.broken.set()
            stream.end()
        self._streams.clear()

    def _keep(self, name: str, data: str) -> None:
        """Keep what will not be told again."""
        if name not in _ONLY_ONCE:
            return
        self._missed.append((name, data))
        self._missed_size += len(name) + len(data)
        while self._missed_size > MISSED_LIMIT:
            self._missed_size -= sum(map(len, self._missed.popleft()))

    def _chunk(self, name: str, data: str) -> bytes:
        self._count += 1
        data = data.translate(_ESCAPES)
        return f"id: {self._event_id()}\nevent: {name}\ndata: {data or 'null'}\n\n".encode()

    def _event_id(self) -> str:
        return base64.b64encode(f"{self._prefix}_{self._count}".encode()).decode()
