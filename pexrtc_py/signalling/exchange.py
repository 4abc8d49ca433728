"""One request to a node and its answer: headers, limits, redirects, decoding.

The rules kept here: the token travels as a header and nowhere else; nothing that carries a token or a PIN goes to
another host than the one asked for; an answer of more than 1 MiB is refused; every failure is one of our errors.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from types import NoneType
from typing import Self
from urllib.parse import quote

import httpx
import msgspec

from ..errors import (
    LocalProtocolError,
    NodeError,
    PexrtcError,
    RemoteProtocolError,
    TokenExpired,
    TransportError,
    UsageError,
)
from ..protocol.backoff import Backoff
from ..protocol.models import Body, RefreshResult, TokenResult, decode_model, decode_reply, encode_model
from ..protocol.operations import Answer, Operation
from .failures import Redirected, is_safe_to_retry, printable, refusal, translated

__all__ = ["MAX_ANSWER", "Exchange"]

logger = logging.getLogger(__name__)

MAX_ANSWER = 1024 * 1024
"""Bytes an answer may have; the largest real ones, rosters of hundreds, are a quarter of it."""

_MAX_REDIRECTS = 3
_MAX_TRIES = 4
_SLOW = frozenset({"request_token", "participant_calls", "call_update", "call_ack", "dial"})


@dataclass(frozen=True, slots=True)
class _Request:
    """What to send, but for the token."""

    operation: Operation
    body: Body | None = None
    query: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: bytes | None = field(default=None, repr=False)
    path: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Key:
    """The token of now, shared by all that ask for the same participant."""

    token: str = field(default="", repr=False)


class Exchange:
    """Requests about one conference at one node.

    Args:
        node_url: `https://host[:port]`, without a path.
        alias: alias of the conference.
        http: the client to ask with; it stays its owner's.
        slow_answer_s: longest wait for bytes of answers that take their time.

    Raises:
        UsageError: `node_url` is no http or https address.
    """

    def __init__(self, node_url: str, alias: str, http: httpx.AsyncClient, *, slow_answer_s: float = 60.0) -> None:
        try:
            url = httpx.URL(node_url)
        except httpx.InvalidURL as exc:
            raise UsageError(f"node address {printable(node_url)!r}: not a URL") from exc
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise UsageError(f"node address {printable(url.host or node_url)!r}: give it as https://host[:port]")
        if not alias.strip("."):
            raise UsageError(f"conference alias {printable(alias)!r}: no alias")
        self._root = url.copy_with(path="/", query=None, fragment=None)
        self._path = f"/api/client/v2/conferences/{quote(alias, safe='')}/"
        self._http = http
        self._slow = httpx.Timeout(http.timeout.connect, read=slow_answer_s)
        self._alias = alias
        self._key = _Key()
        self._in_breakout = False

    @property
    def alias(self) -> str:
        """Alias of the conference."""
        return self._alias

    @property
    def node_url(self) -> str:
        """Address of the node."""
        return str(self._root).rstrip("/")

    @property
    def host(self) -> str:
        """Host and port of the node, as messages name it."""
        return self._root.netloc.decode("ascii")

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read along: TLS, or a node on this machine."""
        return self._root.scheme == "https" or self._root.host in ("localhost", "127.0.0.1", "::1")

    def set_token(self, token: str) -> None:
        """Authenticate what follows with this token."""
        self._key.token = token

    def in_breakout(self, breakout: str) -> Self:
        """Return what asks the same inside a breakout, by the same token: `client.in_breakout(uuid).conference_lock()`.

        Tokens, events, the theme and breakouts themselves are asked for outside.

        Raises:
            UsageError: this names no breakout.
            LocalProtocolError: already inside of one.
        """
        if not breakout.strip("."):
            raise UsageError(f"breakout {printable(breakout)!r}: no breakout")
        if self._in_breakout:
            raise LocalProtocolError("there are no breakouts inside of breakouts")
        inside = copy(self)  # the HTTP client and the token are the same object, in both
        inside._path = f"{self._path}breakouts/{quote(breakout, safe='')}/"
        inside._in_breakout = True
        return inside

    async def ask(
        self,
        operation: Operation,
        *,
        body: Body | None = None,
        query: Body | None = None,
        headers: Mapping[str, str] | None = None,
        file: bytes | None = None,
        path: Mapping[str, str] | None = None,
    ) -> object:
        """Ask, and decode the result by the operation's type.

        Asked again is only what is safe: a request that never left, a repeatable one whose answer was lost, and one
        refused because the token was replaced while it was under way.
        Cancelling is safe; whether the node has acted by then is unknown.

        Raises:
            SignallingError: the node refused, see its subclasses.
            TransportError: no answer.
            RemoteProtocolError: an answer that is none.
        """
        if self._in_breakout and not operation.has_breakout_form:
            raise LocalProtocolError(f"{operation.name}: asked for outside of breakouts")
        request = _Request(operation, body, query, dict(headers or {}), file, path or {})
        backoff = Backoff(random.random, first_s=0.2)
        tries = 1
        while True:
            token = self._key.token
            try:
                return await self._ask(request, token)
            except TokenExpired:
                if self._key.token == token:
                    raise
            except PexrtcError as exc:
                tries += 1
                if tries > _MAX_TRIES or not is_safe_to_retry(operation, exc):
                    raise
                delay = backoff.next_delay()
                logger.info("- %s again in %.1f s: %s", operation.name, delay, exc)
                await asyncio.sleep(delay)

    async def _ask(self, request: _Request, token: str) -> object:
        operation, headers = request.operation, request.headers
        limit_s = _whole_s(self._timeout(operation))
        try:
            async with asyncio.timeout(limit_s), self._open(request, token) as response:
                content = await self._read(operation, response)
        except TimeoutError as exc:
            raise TransportError(f"{operation.name}: no whole answer from {self.host} in {limit_s:g} s") from exc
        logger.debug("< %s %d, %d bytes", operation.name, response.status_code, len(content))
        if response.is_success and operation.answer is not Answer.JSON:
            return content
        if response.is_success and (not content or response.status_code == 204):
            return _empty(operation)
        reply = None
        if response.is_success:
            try:
                reply = decode_reply(content)
            except RemoteProtocolError:
                # Guide v14: the response of release_token should be ignored.
                if operation.name == "release_token":
                    return True
        in_words = operation.result is bool and reply is not None and bytes(reply.result).startswith(b'"')
        if reply is None or not reply.succeeded or in_words:
            pin = headers.get("pin", "none")
            raise refusal(operation, response, content, pin_given=pin not in ("", "none"), secrets=(token, pin))
        try:
            return _result(operation, reply.result)
        except RemoteProtocolError as exc:
            raise RemoteProtocolError(f"{operation.name}: {exc}") from exc

    @asynccontextmanager
    async def stream(self, operation: Operation) -> AsyncIterator[httpx.Response]:
        """Open a stream of events, which may be silent for any time; the response is not read yet.

        Raises:
            SignallingError, TransportError, RemoteProtocolError: as `ask`.
        """
        token = self._key.token
        request = _Request(operation, headers={"accept": "text/event-stream", "cache-control": "no-store"})
        async with self._open(request, token) as response:
            if not response.is_success:
                raise refusal(operation, response, await self._read(operation, response), secrets=(token,))
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise NodeError(operation.name, response.status_code, "no event stream: is this a conferencing node?")
            yield response

    @asynccontextmanager
    async def _open(self, request: _Request, token: str) -> AsyncIterator[httpx.Response]:
        """Send, following redirects on the same host; the response is not read yet."""
        operation = request.operation
        headers = {**request.headers, **({"token": token} if token else {})}
        content = None
        if request.body is not None:
            headers["content-type"] = "application/json"
            content = encode_model(request.body)
        files = {operation.upload: ("frame.jpeg", request.file, "image/jpeg")} if request.file is not None else None
        timeout = self._timeout(operation)
        path = operation.fill(**request.path)
        url = self._root.copy_with(raw_path=(self._path + path).encode("ascii"))
        if request.query is not None:
            url = url.copy_merge_params(_query(request.query))
        logger.debug("> %s %s", operation.name, path[:75])
        for _ in range(_MAX_REDIRECTS + 1):
            sent = self._http.build_request(
                operation.verb, url, headers=headers, content=content, files=files, timeout=timeout
            )
            with translated(operation.name, self.host):
                response = await self._http.send(sent, stream=True, follow_redirects=False)
            try:
                if not response.has_redirect_location:
                    if response.headers.get("content-encoding", "identity") != "identity":
                        raise RemoteProtocolError(f"{operation.name}: {self.host} compresses, though asked not to")
                    with translated(operation.name, self.host):
                        yield response
                    return
                url = self._redirected(operation, response)
            finally:
                await response.aclose()
        raise Redirected(f"{operation.name}: {self.host} redirects in circles")

    def _timeout(self, operation: Operation) -> httpx.Timeout:
        if operation.answer is Answer.EVENTS:
            return httpx.Timeout(self._http.timeout.connect, read=None)
        return self._slow if operation.name in _SLOW else self._http.timeout

    def _redirected(self, operation: Operation, response: httpx.Response) -> httpx.URL:
        try:
            url = response.request.url.join(response.headers["location"])
        except httpx.InvalidURL as exc:
            raise Redirected(f"{operation.name}: {self.host} redirects to what is no URL") from exc
        if (url.scheme, url.host, url.port) != (self._root.scheme, self._root.host, self._root.port):
            there = printable(f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}", limit=80)
            raise Redirected(f"{operation.name}: {self.host} redirects to {there}: if you trust it, give that address")
        if operation.verb == "POST" and response.status_code not in (307, 308):
            raise Redirected(f"{operation.name}: {self.host} redirects a POST by {response.status_code}")
        return url

    async def _read(self, operation: Operation, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        with translated(operation.name, self.host):
            async for part in response.aiter_bytes():
                size += len(part)
                if size > MAX_ANSWER:
                    raise RemoteProtocolError(f"{operation.name}: the answer of {self.host} is longer than 1 MiB")
                parts.append(part)
        return b"".join(parts)


def _whole_s(timeout: httpx.Timeout) -> float | None:
    """How long all of an exchange may take; the library's own limits begin anew with every byte that drips in."""
    if timeout.connect is None or timeout.pool is None or timeout.read is None:
        return None
    return timeout.connect + timeout.pool + 2 * timeout.read


def _query(query: Body) -> dict[str, str]:
    values = msgspec.to_builtins(query)
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}


def _empty(operation: Operation) -> object:
    """What an answer without content means: done, where done is all there is to say."""
    if operation.result is bool:
        return True
    if operation.result is NoneType or operation.name == "theme":
        return None
    raise RemoteProtocolError(f"{operation.name}: an empty answer")


def _result(operation: Operation, result: msgspec.Raw) -> object:
    if operation.result is NoneType:
        return None
    # Nodes answer null where the guide has a boolean, and the other way round.
    if operation.result is bool and bytes(result) == b"null":
        return True
    decoded = decode_model(result, operation.result)
    if isinstance(decoded, TokenResult | RefreshResult) and not _is_header(decoded.token):
        raise RemoteProtocolError("a token that no header can carry")
    return decoded


def _is_header(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable()
