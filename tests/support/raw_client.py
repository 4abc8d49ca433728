"""A client of the node's HTTP that knows nothing of pexrtc_py: what is sent and what comes is plain JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx

__all__ = ["RawClient", "RawEvent", "RawEvents"]


@dataclass(frozen=True)
class RawEvent:
    """One server-sent event as it came."""

    id: str
    name: str
    data: Any


@dataclass
class RawEvents:
    """An open event stream."""

    response: httpx.Response
    seen: list[RawEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lines = self.response.aiter_lines()

    async def next(self) -> RawEvent:
        """Return the next event."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line and fields:
                    break
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
        if not fields:
            raise EOFError("the stream has ended")
        event = RawEvent(fields["id"], fields["event"], json.loads(fields["data"]))
        self.seen.append(event)
        return event

    async def until(self, name: str) -> RawEvent:
        """Pass over events to the next of this name."""
        while (event := await self.next()).name != name:
            pass
        return event

    async def ended(self) -> None:
        """Read to the end."""
        try:
            while True:
                await self.next()
        except EOFError:
            return


class RawClient:
    """One participant."""

    def __init__(self, url: str, alias: str = "meet.alice", **more: Any) -> None:
        self.base = f"{url}/api/client/v2/conferences/{alias}/"
        self.token = ""
        self.uuid = ""
        self._stack = AsyncExitStack()
        # Reading the system's trust store for each client takes longer than most of what it is used for.
        self._http = httpx.AsyncClient(timeout=10, **{"verify": False, **more})

    async def __aenter__(self) -> RawClient:
        await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def request(
        self, verb: str, path: str, body: object = None, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Send a request with the token as a header."""
        sent = {"token": self.token} if self.token else {}
        return await self._http.request(verb, self.base + path, json=body, headers=sent | (headers or {}), **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Any:
        """Post, expect success, return the result."""
        response = await self.request("POST", path, body, **more)
        assert response.status_code == 200, (path, response.status_code, response.text)
        assert response.headers["content-type"].startswith("application/json")
        envelope = response.json()
        assert envelope["status"] == "success"
        return envelope["result"]

    async def get(self, path: str, **more: Any) -> Any:
        """Get, expect success, return the result."""
        response = await self.request("GET", path, **more)
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.json()["result"]

    async def refused(self, path: str, body: object = None, *, verb: str = "POST", **more: Any) -> tuple[int, Any]:
        """Send what is refused with a reason, return status and reason."""
        response = await self.request(verb, path, body, **more)
        envelope = response.json()
        assert response.status_code >= 400
        assert envelope["status"] == "failed", envelope
        return response.status_code, envelope["result"]

    async def join(self, name: str = "Alice", *, pin: str | None = None, **body: object) -> Any:
        """Join and keep the token."""
        headers = {} if pin is None else {"pin": pin}
        result = await self.post("request_token", {"display_name": name, **body}, headers=headers)
        self.token = result["token"]
        self.uuid = result["participant_uuid"]
        return result

    def mine(self, path: str) -> str:
        """Return a path below the participant's own."""
        return f"participants/{self.uuid}/{path}"

    @asynccontextmanager
    async def events(self) -> AsyncIterator[RawEvents]:
        """Open the event stream, the token in the query as browsers must."""
        async with self._http.stream("GET", self.base + "events", params={"token": self.token}) as response:
            assert response.status_code == 200
            assert response.headers["content-type"] == "text/event-stream"
            yield RawEvents(response)

    @asynccontextmanager
    async def synced(self) -> AsyncIterator[RawEvents]:
        """Open the event stream and read on to the end of what it begins with."""
        async with self.events() as events:
            await events.until("stage")
            yield events
