"""A few pages over HTTP for this machine: metrics, status, health. Each is made when it is asked for.

Read only, GET and HEAD. It listens where it is told to; on loopback it answers only requests that name loopback, so
that no web page can read it by a name of its own that resolves here (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from ..errors import UsageError
from .http_serving import make_runner

__all__ = ["SHUTDOWN_S", "LocalPages", "Page", "parse_listen"]

logger = logging.getLogger(__name__)

SHUTDOWN_S: Final = 1.0
"""How long the end waits for requests under way. Answers take no time: who is not done has not sent all of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    body: bytes
    content_type: str
    """With charset, if it has one."""
    status: int = 200


class LocalPages:
    """Serves pages while its block lasts: `async with LocalPages(("127.0.0.1", 0), {"/status": page}) as pages`."""

    def __init__(self, listen: tuple[str, int], pages: Mapping[str, Callable[[], Page]]) -> None:
        """Prepare.

        Args:
            listen: address and port; port 0 takes a free one.
            pages: what is at each path. Called in the event loop, so it must be quick.
        """
        self._listen = listen
        self._pages = dict(pages)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UsageError: the address cannot be listened at.
        """
        app = web.Application()
        for path in self._pages:
            app.router.add_get(path, self._answer)
        self._runner = make_runner(app, shutdown_s=SHUTDOWN_S)
        await self._runner.setup()
        host, port = self._listen
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as exc:
            await self._runner.cleanup()
            raise UsageError(f"cannot listen at {host}:{port}: {(exc.strerror or str(exc)).lower()}") from exc
        bound = self._runner.addresses[0]
        self.url = f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if _is_loopback(self._listen[0]) and not _is_loopback(_host_of(request)):
            return web.Response(status=421, text="this is served to this machine only\n")
        page = self._pages[request.path]()
        return web.Response(
            body=page.body,
            status=page.status,
            headers={
                "Content-Type": page.content_type,
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )


def parse_listen(text: str, *, option: str) -> tuple[str, int]:
    """Read ADDRESS:PORT.

    Raises:
        UsageError: it is none; the message names the option.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if (
        not host or not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535
    ):  # "²" is a digit too
        raise UsageError(f"{option} {text}: say ADDRESS:PORT, for example 127.0.0.1:9090")
    return host, int(port)


def _host_of(request: web.Request) -> str:
    """Return the name under which this was asked for; nothing for a header that has none, whatever it has."""
    try:
        return request.url.host or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
