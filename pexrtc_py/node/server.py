"""The embedded conferencing node: listens, serves the client API, and leaves nothing behind.

`async with Node(config) as node:` owns everything below: the listening socket, every conference and its media, every
job that waits. Leaving it tells everybody, ends all of it and waits for the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from aiohttp import web

from ..errors import TransportError
from ..service.http_serving import make_runner
from ..webrtc.peer import PeerConfig
from .access_log import AccessLog
from .answers import answer_errors
from .conference_media import ConferenceMedia, ConferenceMediaConfig
from .config import NodeConfig
from .dialling import Dialler
from .fault_injection import FaultInjection, fault_app
from .media_port import MediaFactory
from .node_state import DigitsListener, NodeState
from .pages import add_pages
from .routes import add_routes
from .tls import load_context, self_signed_context

__all__ = ["Node"]

logger = logging.getLogger(__name__)

SHUTDOWN_S = 2.0
"""How long requests in flight have when the node ends; a limit of our own, streams have been ended before."""
_LINGERING_S = 0.5
"""How long what is left of a request that is answered already is read, so that its sender sees the answer."""


class Node:
    """An embedded conferencing node. Use it with `async with`."""

    def __init__(
        self,
        config: NodeConfig | None = None,
        *,
        media: MediaFactory | None = None,
        dial: Dialler | None = None,
        on_digits: DigitsListener | None = None,
        add_pages: Callable[[web.Application, NodeState], object] | None = None,
    ) -> None:
        """Set a node up; it listens once entered.

        Args:
            config: settings; loopback on a free port by default.
            media: makes the media of each conference; real media by default.
            dial: calls others for `dial`; without one such calls fail.
            on_digits: learns DTMF digits that participants send.
            add_pages: adds routes of its own, for further pages beside the client API and the node's own page.
        """
        self.config = config or NodeConfig()
        self._media = media or _real_media(self.config)
        self._dial = dial
        self._on_digits = on_digits
        self._add_pages = add_pages
        self._stack = contextlib.AsyncExitStack()
        self._state: NodeState | None = None
        self.faults: FaultInjection | None = None
        """Faults on request, when the configuration has them."""

    @property
    def state(self) -> NodeState:
        """Conferences, sessions and limits, while it runs."""
        if self._state is None:
            raise RuntimeError("the node is not running: use it with async with")
        return self._state

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:49152`."""
        return self.state.url

    async def __aenter__(self) -> Node:
        """Listen.

        Raises:
            TransportError: the address cannot be listened on.
            UsageError: the TLS files cannot be used.
        """
        async with contextlib.AsyncExitStack() as stack:
            tls = self._tls()
            tasks = await asyncio.TaskGroup().__aenter__()
            # Jobs let no error out; an error of the body is the caller's, and the group would wrap it.
            stack.push_async_callback(tasks.__aexit__, None, None, None)
            state = NodeState(self.config, media=self._media, tasks=tasks, dial=self._dial, on_digits=self._on_digits)
            self.faults = FaultInjection(state) if self.config.faults else None
            app = web.Application(middlewares=[answer_errors], client_max_size=self.config.body_limit)
            add_routes(app, state, self.faults)
            add_pages(app, state)
            if self._add_pages is not None:
                self._add_pages(app, state)
            state.url = await _listen(stack, app, self.config, tls)
            if self.faults is not None:
                self.faults.url = await _listen(
                    stack, fault_app(self.faults), replace(self.config, listen=("127.0.0.1", 0)), None
                )
            stack.push_async_callback(state.aclose)  # first of all: event streams would keep the server open
            self._state = state
            self._stack = stack.pop_all()
        logger.info("listening on %s", state.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Tell everybody, end everything, wait for it."""
        self._state = None
        await self._stack.aclose()

    def _tls(self) -> ssl.SSLContext | None:
        if self.config.tls_cert is not None and self.config.tls_key is not None:
            return load_context(self.config.tls_cert, self.config.tls_key)
        return self_signed_context(self.config.listen[0]) if self.config.self_signed else None


def _real_media(config: NodeConfig) -> MediaFactory:
    """Return what makes the media of a conference from its settings."""
    addresses = config.media_addresses
    if not addresses and config.is_loopback:
        host = config.listen[0]
        addresses = ("127.0.0.1" if host == "localhost" else host,)
    peer = PeerConfig(addresses=addresses, ports=config.media_ports, impairment=config.impairment)
    media_config = ConferenceMediaConfig(peer=peer, rtmp_ports=config.rtmp_ports)
    return lambda settings, listener: ConferenceMedia(settings, listener, media_config)


async def _listen(
    stack: contextlib.AsyncExitStack, app: web.Application, config: NodeConfig, tls: ssl.SSLContext | None
) -> str:
    """Serve an application until the stack unwinds, and return its URL."""
    runner = make_runner(
        app,
        shutdown_s=SHUTDOWN_S,
        idle_s=config.idle_s,
        body_s=config.body_s,
        access_log_class=AccessLog,
        access_log=logging.getLogger(f"{__package__}.access"),
        lingering_time=_LINGERING_S,
    )
    host, port = config.listen
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as exc:
        raise TransportError(f"cannot listen on {host} port {port}: {exc.strerror or exc}") from exc
    return _url(runner.addresses[0], tls=tls is not None)


def _url(address: tuple[str, int], *, tls: bool) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{'https' if tls else 'http'}://{host}:{address[1]}"
