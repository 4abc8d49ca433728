"""How each HTTP server of ours treats whoever takes its time, goes away, or does not speak HTTP.

The rules kept here: nobody holds a connection without asking for anything, or by asking letter by letter; what
strangers send is no error of ours, so it is a line at DEBUG and never a traceback; bodies are taken as they are, never
unpacked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["BODY_S", "IDLE_S", "make_runner", "reading"]

logger = logging.getLogger(__name__)

IDLE_S: Final = 75.0
"""How long a connection may go without a whole request line and headers: longer than reverse proxies keep theirs idle
(a minute is the default of most), as short as those of common servers."""
BODY_S: Final = 30.0
"""How long a body may take: a mebibyte, the most that is taken, in that time is a quarter of a megabit a second."""

_BODY_S = web.AppKey("body_s", float)
_STRANGERS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


class _NoTracebacks(logging.Filter):
    """Makes one quiet line of what others did wrong; all else passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, _STRANGERS):
            return True
        logger.debug("x no HTTP: %.200r", error)
        return False


_server_logger = logging.getLogger(f"{__name__}.server")
_server_logger.addFilter(_NoTracebacks())


def make_runner(
    app: web.Application, *, shutdown_s: float, idle_s: float = IDLE_S, body_s: float = BODY_S, **more: Any
) -> web.AppRunner:
    """Make what runs an application.

    Args:
        app: not running yet.
        shutdown_s: how long the end waits for requests under way.
        idle_s: how long a connection may go without asking for anything.
        body_s: how long `reading` waits.
        more: as `web.AppRunner` takes it; without an access log of its own there is none, for queries carry tokens.
    """
    app[_BODY_S] = body_s
    given: dict[str, Any] = {"access_log": None} | more
    return web.AppRunner(
        app,
        logger=_server_logger,
        keepalive_timeout=idle_s,
        auto_decompress=False,
        handle_signals=False,
        shutdown_timeout=shutdown_s,
        **given,
    )


@asynccontextmanager
async def reading(request: web.Request) -> AsyncIterator[None]:
    """Read a body within this block. Cancelling is safe.

    Raises:
        HTTPRequestTimeout: it takes too long.
        HTTPBadRequest: its sender went away in the middle, or its chunks make no sense.
    """
    try:
        async with asyncio.timeout(request.app.get(_BODY_S, BODY_S)):
            yield
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except _STRANGERS as exc:
        logger.debug("x half a body of %s: %.200r", request.remote, exc)
        raise web.HTTPBadRequest from None
