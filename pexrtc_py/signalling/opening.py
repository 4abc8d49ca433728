"""How a session begins and ends: find a node that is well, ask for a token, own the tasks, give the token back.

The token is given back on every way out: normal, by an error, by cancellation, and also when cancellation comes while
the node's answer to request_token is on its way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
from msgspec.structs import replace

from ..errors import ExtensionRequired, NodeError, PexrtcError, RemoteProtocolError, SessionClosedOK, TransportError
from ..protocol.models import TokenRequest, TokenResult
from ..tasks import task_owner
from .client import NodeClient
from .failures import printable
from .finding import is_well
from .session import Session
from .session_config import SessionConfig
from .tls import make_http_client
from .transfers import Transfers

__all__ = ["follow_transfers", "open_session"]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_session(config: SessionConfig) -> AsyncIterator[Session]:
    """Join a conference for control; leaving the context leaves the conference.

    The session's events begin with the block: subscribe before the first `await` and nothing is missed.
    Cancelling is safe, at any time.

    Raises:
        RefusedError: the node will not have us; its subclasses say what to do.
        SignallingError, TransportError, RemoteProtocolError: no node could be asked.
        UsageError: the configuration cannot be used.
    """
    async with make_http_client(config.http) as http:
        session = await _join(config, http)
        try:
            async with task_owner() as tasks:
                for run in session._runs():
                    tasks.start(run(), name=f"pexrtc session{run.__name__}")
                yield session
        finally:
            session._close(SessionClosedOK("left", by_us=True))
            await session._release()


async def follow_transfers(config: SessionConfig, work: Callable[[Session], Awaitable[None]]) -> None:
    """Join, work, and where the node transferred us, join there and work again. Cancelling is safe.

    Args:
        config: where to begin.
        work: called with each session; it returns when it is done, or when the session has closed.

    Raises:
        TransportError: the node sends us round in circles.
        PexrtcError: as `open_session`, and whatever `work` raises.
    """
    transfers = Transfers(config)
    while True:
        async with open_session(transfers.here) as session:
            await work(session)
        if session.transfer is None:
            return
        transfers.follow(session.transfer)


async def _join(config: SessionConfig, http: httpx.AsyncClient) -> Session:
    """Ask one node after the other."""
    urls = (config.node_url, *config.fallback_urls)
    for number, url in enumerate(urls, start=1):
        client = NodeClient(url, config.alias, http, slow_answer_s=config.http.slow_answer_s)
        if not client.is_private:
            logger.warning("! token and PIN travel unencrypted to %s: give its https:// address", client.host)
        try:
            if len(urls) > 1 and not await is_well(url, http):
                raise NodeError("status", 503, f"{client.host} takes no calls now")
            return await _join_at(config, client)
        except (TransportError, NodeError) as exc:
            if number == len(urls):
                raise
            logger.info("- %s, trying the next node", exc)
    raise AssertionError("there is at least one node")


async def _join_at(config: SessionConfig, client: NodeClient) -> Session:
    async with task_owner() as tasks:
        asking = tasks.start(_request_token(config, client), name="pexrtc request_token")
        try:
            outcome = await asyncio.shield(asking)
        except asyncio.CancelledError:
            # The node may have let us in already: then it must hear that we are gone.
            with suppress(TimeoutError):
                async with asyncio.timeout(config.release_s):
                    outcome = await asking
                    if isinstance(outcome, TokenResult):
                        client.set_token(outcome.token)
                        await Session(config, client, outcome)._release()
            raise
    if isinstance(outcome, PexrtcError):
        raise outcome
    client.set_token(outcome.token)
    logger.info("= joined %s as %s, role %s", client.alias, printable(outcome.participant_uuid), outcome.role)
    return Session(config, client, outcome)


async def _request_token(config: SessionConfig, client: NodeClient) -> TokenResult | PexrtcError:
    """Ask for a token, telling a Virtual Reception where to go; an error is returned, not raised."""
    pin = config.pin or "none"
    request = TokenRequest(
        display_name=config.display_name,
        call_tag=config.call_tag,
        token=config.one_time_token,
        direct_media=False,
        supports_direct_chat=True,
        node=client.host,
    )
    try:
        try:
            result = await client.request_token(request, pin=pin)
        except ExtensionRequired:
            if config.conference_extension is None:
                raise
            request = replace(request, conference_extension=config.conference_extension)
            result = await client.request_token(request, pin=pin)
        return await _checked(client, result)
    except PexrtcError as exc:
        return exc


async def _checked(client: NodeClient, result: TokenResult) -> TokenResult:
    """Give a token straight back that says no sensible lifetime."""
    try:
        _ = result.lifetime_s
    except RemoteProtocolError:
        client.set_token(result.token)
        with suppress(PexrtcError):
            await client.release_token()
        raise
    return result
