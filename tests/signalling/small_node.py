"""The smallest real node: aiohttp on a loopback port, scripted by the test. It knows nothing of pexrtc_py."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SELF_UUID = "2c34f35f-1060-438c-9e87-6c2dffbc9980"


def success(result: object) -> web.Response:
    return web.json_response({"status": "success", "result": result})


def failed(status: int, result: object, word: str = "failed") -> web.Response:
    return web.json_response({"status": word, "result": result}, status=status)


class SmallNode:
    """One conference with one participant; what it does is in public attributes that tests change."""

    def __init__(self) -> None:
        self.url = ""
        self.expires = "120"
        self.tokens: list[str] = []
        """Tokens given out, the latest last."""
        self.released: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        """Method, path below the conference, headers, body."""
        self.handlers: dict[str, Handler] = {}
        """Path below the conference to a handler that replaces the usual answer."""
        self.streams: list[asyncio.Queue[bytes | None]] = []
        """Event streams open now."""
        self.opened = asyncio.Condition()
        self.refreshes = 0
        self.participants: list[dict[str, object]] = [{"uuid": SELF_UUID, "display_name": "Alice", "role": "chair"}]

    async def dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/client/v2/status":
            self.requests.append((request.method, "status", dict(request.headers), b""))
            handler = self.handlers.get("status")
            return await handler(request) if handler else success(True)
        path = request.raw_path.split("/conferences/", 1)[1].split("/", 1)[1]
        self.requests.append((request.method, path, dict(request.headers), await request.read()))
        handler = self.handlers.get(path)
        if handler is not None:
            return await handler(request)
        if path == "request_token":
            return success(self.token_result())
        if request.headers.get("token") not in self.tokens[-2:]:
            return failed(403, "Invalid token")
        if path == "refresh_token":
            self.refreshes += 1
            return success({"token": self.new_token(), "expires": self.expires, "role": "HOST"})
        if path == "release_token":
            self.released.append(request.headers["token"])
            return success(True)
        if path == "events":
            return await self.serve_events(request)
        return success(True)

    def new_token(self) -> str:
        self.tokens.append(f"secret-token-{len(self.tokens)}")
        return self.tokens[-1]

    def token_result(self) -> dict[str, object]:
        return {
            "token": self.new_token(),
            "expires": self.expires,
            "participant_uuid": SELF_UUID,
            "display_name": "Alice",
            "role": "HOST",
            "version": {"version_id": "36", "pseudo_version": "79019.0.0"},
            "current_service_type": "conference",
        }

    async def serve_events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        queue.put_nowait(event("participant_sync_begin", None))
        for participant in self.participants:
            queue.put_nowait(event("participant_create", participant))
        queue.put_nowait(event("participant_sync_end", None))
        async with self.opened:
            self.streams.append(queue)
            self.opened.notify_all()
        try:
            while (part := await queue.get()) is not None:
                await response.write(part)
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass
        finally:
            self.streams.remove(queue)
        return response

    async def connected(self, count: int = 1) -> None:
        """Wait until so many event streams are open."""
        async with self.opened:
            await self.opened.wait_for(lambda: len(self.streams) >= count)

    def send(self, name: str, data: object) -> None:
        """Send an event to all."""
        self.send_bytes(event(name, data))

    def send_bytes(self, data: bytes) -> None:
        for queue in self.streams:
            queue.put_nowait(data)

    def cut(self) -> None:
        """Break all event streams."""
        for queue in self.streams:
            queue.put_nowait(None)

    def asked(self, path: str) -> list[tuple[str, str, dict[str, str], bytes]]:
        return [request for request in self.requests if request[1] == path]


def event(name: str, data: object) -> bytes:
    return f"id: MjdfMg==\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


@asynccontextmanager
async def run_small_node(tls: ssl.SSLContext | None = None) -> AsyncIterator[SmallNode]:
    node = SmallNode()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", node.dispatch)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    node.url = "{}://{}:{}".format("https" if tls else "http", *runner.addresses[0][:2])
    try:
        yield node
    finally:
        node.cut()
        with suppress(TimeoutError):
            await runner.cleanup()
