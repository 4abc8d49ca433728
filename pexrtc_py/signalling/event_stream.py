"""The event stream of one session, as events: lines to events by httpx-sse, limits on what a node may send.

An event may have 1 MiB; what is longer breaks the stream with an error that says so. An event that cannot be read is
logged and passed over.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import httpx
import httpx_sse

from ..errors import RemoteProtocolError
from ..protocol.events import Event, parse_event
from ..protocol.operations import OPERATIONS
from .exchange import Exchange
from .failures import printable, translated

__all__ = ["MAX_EVENT", "listen"]

logger = logging.getLogger(__name__)

MAX_EVENT = 1024 * 1024
"""Bytes an event may have."""

_BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r\n")


class _Limited(httpx.AsyncByteStream):
    """The bytes of a response, as long as blank lines come often enough."""

    def __init__(self, response: httpx.Response, heard: Callable[[], None]) -> None:
        self._response = response
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, tail = 0, b""
        async for part in self._response.aiter_raw():
            self._heard()
            seen = tail + part
            blank = max(seen.rfind(line) for line in _BLANK_LINES)
            size = len(seen) - blank if blank >= 0 else size + len(part)
            if size > MAX_EVENT:
                raise RemoteProtocolError("events: an event is longer than 1 MiB")
            tail = seen[-2:]
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


async def listen(exchange: Exchange, heard: Callable[[], None]) -> AsyncGenerator[tuple[Event | None, int], None]:
    """Connect and yield events with their size in bytes until the stream ends; None comes first: connected.

    Use it with `contextlib.aclosing`.

    Args:
        exchange: where to ask.
        heard: called whenever bytes come, comments that keep the stream alive included.

    Raises:
        SignallingError: the node refused.
        TransportError: no connection, or it broke.
        RemoteProtocolError: no event stream, or too long an event.
    """
    async with exchange.stream(OPERATIONS["events"]) as response:
        limited = httpx.Response(
            response.status_code, headers=response.headers, stream=_Limited(response, heard), request=response.request
        )
        yield None, 0
        with translated("events", exchange.host):
            async for message in httpx_sse.EventSource(limited).aiter_sse():
                if not message.data and message.event == "message":
                    # A comment that keeps the stream alive: httpx-sse makes an event of one once there was an `id:`,
                    # the standard none without data (HTML, section 9.2.6).
                    continue
                logger.debug("< event %s %s", printable(message.event, limit=40), len(message.data))
                try:
                    event = parse_event(message.event, message.data, message.id)
                except RemoteProtocolError as exc:
                    logger.warning("! passed over: %s", exc)
                    continue
                yield event, len(message.data)
