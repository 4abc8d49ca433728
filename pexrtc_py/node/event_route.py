"""The event stream as an HTTP response: begins with everything, ends with its participant, dropped when too slow."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from .conference import Session
from .node_state import NodeState
from .streams import KEEPALIVE, EventStream

__all__ = ["KEEPALIVE_S", "serve_events"]

logger = logging.getLogger(__name__)

KEEPALIVE_S = 15.0
"""How often a silent stream shows that it lives; below the minute after which proxies cut."""

WRITE_S = 20.0
"""How long a client may leave its buffers full; one that reads at all empties them within milliseconds."""


async def serve_events(node: NodeState, request: web.Request, session: Session) -> web.StreamResponse:
    """Send a participant's events until it, its stream or its client ends."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )
    response.enable_chunked_encoding()
    stream = session.mailbox.open(session.conference.room.sync(session.participant))
    try:
        await response.prepare(request)
        async with asyncio.TaskGroup() as group:
            cutter = group.create_task(_cut_when_broken(request, stream))
            try:
                await _write(response, stream)
            finally:
                if stream.broken.is_set():
                    await cutter
                cutter.cancel()
    except* ConnectionError:
        logger.debug("x event stream of %s: its client is gone", request.remote)
    finally:
        session.mailbox.close(stream)
    return response


async def _write(response: web.StreamResponse, stream: EventStream, write_s: float = WRITE_S) -> None:
    while True:
        try:
            async with asyncio.timeout(KEEPALIVE_S):
                data = await stream.pull()
        except TimeoutError:
            data = KEEPALIVE
        if data is None:
            return
        try:
            async with asyncio.timeout(write_s):
                await response.write(data)
        except TimeoutError:
            stream.broken.set()  # cut: an orderly end would wait for the same buffers
            return


async def _cut_when_broken(request: web.Request, stream: EventStream) -> None:
    """Cut the connection without waiting for its reader, which may never take the rest."""
    await stream.broken.wait()
    logger.info("x event stream of %s: cut, its reader too slow or as asked for", request.remote)
    if request.transport is not None:
        request.transport.abort()
