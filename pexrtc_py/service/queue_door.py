"""A local HTTP door to a queue of announcements: other programs say what is to be played, with a token.

    POST   /announcements        {"source": "speech:Hello", "urgent": false, "chat": "", "digits": ""}
    GET    /announcements        what is being played and what waits
    DELETE /announcements/{id}   take one out of the queue
    POST   /skip                 end what is being played, go on with the next
    POST   /stop                 end everything

Each request carries `Authorization: Bearer TOKEN`. Whoever has the token may play any file that the announcer can read,
so it listens where it is told to and nowhere else, compares tokens in constant time, and writes none into any log.
"""

from __future__ import annotations

import hmac
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import PexrtcError, UsageError
from .http_serving import make_runner, reading
from .local_pages import SHUTDOWN_S

__all__ = ["QueueDoor", "QueueHandler", "QueueRequest", "QueueStatus", "QueuedAnnouncement"]

_MOST_BYTES: Final = 64 * 1024


class QueueRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a program wants to be played."""

    source: str
    """As on the command line."""
    urgent: bool = False
    """Whether it goes before all that is not."""
    chat: str = ""
    """What is written into the chat when it begins."""
    digits: str = ""
    """What is dialled before it."""


class QueuedAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the queue."""

    id: str
    """Its name in the queue."""
    source: str
    """What is played."""
    why: str
    """What asked for it."""
    conference: str
    """Where."""


class QueueStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The queue as it is."""

    playing: list[QueuedAnnouncement]
    """What is being played: one in each conference at most."""
    waiting: list[QueuedAnnouncement]
    """What waits, in order."""


class QueueHandler(Protocol):
    """Whoever has the queue."""

    def add(self, request: QueueRequest) -> list[str]:
        """Queue something; returns its ids, one for each queue.

        Raises:
            UsageError: it makes no sense, or the queue is full.
        """

    def remove(self, item_id: str) -> bool:
        """Take something out; returns whether it was there."""

    def status(self) -> QueueStatus:
        """Return the queue as it is."""

    def skip(self) -> bool:
        """End what is being played; returns whether there was something."""

    def stop(self) -> None:
        """End everything."""


class QueueDoor:
    """Serves a queue: `async with QueueDoor(handler, token=...) as door: door.url`.

    Args:
        handler: has the queue.
        token: what callers must show.
        host: address to listen at.
        port: 0: any that is free.
    """

    def __init__(self, handler: QueueHandler, *, token: str, host: str = "127.0.0.1", port: int = 0) -> None:
        if not token:
            raise UsageError("the queue needs a token")
        self.url = ""
        """Where it listens, once entered."""
        self._handler = handler
        self._token = token.encode()
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MOST_BYTES, middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/announcements", self._add),
                web.get("/announcements", self._list),
                web.delete("/announcements/{id}", self._remove),
                web.post("/skip", self._skip),
                web.post("/stop", self._stop),
            ]
        )
        self._runner = make_runner(app, shutdown_s=SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as exc:
            await self._runner.cleanup()
            reason = exc.strerror or str(exc)
            raise UsageError(f"queue: cannot listen at {self._host}:{self._port}: {reason.lower()}") from exc
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self._token)
        if scheme.lower() != "bearer" or not known:
            answer = _answer({"error": "say the token: Authorization: Bearer TOKEN"}, 401)
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        try:
            return await handler(request)
        except web.HTTPException as exc:
            return _answer({"error": (exc.reason or "").lower()}, exc.status)
        except (PexrtcError, msgspec.MsgspecError) as exc:
            return _answer({"error": str(exc)}, 400)

    async def _add(self, request: web.Request) -> web.Response:
        async with reading(request):
            data = await request.read()
        wanted = msgspec.json.decode(data, type=QueueRequest)
        return _answer({"ids": self._handler.add(wanted)}, 201)

    async def _list(self, request: web.Request) -> web.Response:
        return _answer(self._handler.status(), 200)

    async def _remove(self, request: web.Request) -> web.Response:
        if not self._handler.remove(request.match_info["id"]):
            return _answer({"error": "no such announcement is waiting"}, 404)
        return _answer({}, 200)

    async def _skip(self, request: web.Request) -> web.Response:
        return _answer({"skipped": self._handler.skip()}, 200)

    async def _stop(self, request: web.Request) -> web.Response:
        self._handler.stop()
        return _answer({}, 200)


def _answer(body: object, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
