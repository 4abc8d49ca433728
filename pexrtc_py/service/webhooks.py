"""Telling other programs by HTTP what happens: signed with time, retried, in a queue that has an end.

The scheme is that of Standard Webhooks 1.0 (github.com/standard-webhooks, spec), for which there are libraries in most
languages. A message is a POST of JSON `{"type": ..., "timestamp": ..., "data": {...}}` with these headers:

    webhook-id          stays the same when a message is sent again; a receiver that has seen it ignores it
    webhook-timestamp   when this try was made, seconds since the epoch; a receiver takes no more than five minutes off
    webhook-signature   v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"))

The secret is `whsec_` and the key in base64, as that specification has it; any other text is the key as it stands. A
message counts as delivered with any 2xx. 410 and other 4xx end it; 408, 429, 5xx and no answer are tried again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import random
import secrets
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from ..errors import UsageError
from ..protocol.backoff import Backoff
from ..tasks import task_owner
from ..version import __version__

__all__ = ["WebhookConfig", "Webhooks", "sign", "verify"]

logger = logging.getLogger(__name__)

_TOLERANCE_S: Final = 300.0
_RETRIED: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Whom to tell, and how hard to try.

    Raises:
        UsageError: the URL is none, or the secret cannot be read.
    """

    url: str
    """http or https."""
    secret: str = field(repr=False)
    """`whsec_BASE64`, or any text of 16 characters or more."""
    events: frozenset[str] = frozenset()
    """Which ones; empty: all."""
    attempts: int = 10
    """Tries of one message; with the delays below some two minutes of a receiver that is away."""
    timeout_s: float = 10.0
    """For one try."""
    queue: int = 1000
    """Messages that wait at most; beyond it the oldest are dropped, and counted."""
    close_s: float = 5.0
    """How long what still waits is delivered after the end."""
    first_delay_s: float = 0.5
    """Before the second try; it doubles."""

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as exc:
            raise UsageError("webhook: the URL is none") from exc
        if url.scheme not in ("http", "https") or not url.host:
            raise UsageError("webhook: say https://host/path")
        if len(_key(self.secret)) < 16:
            raise UsageError("webhook: the secret is shorter than 16 bytes")

    @property
    def shown(self) -> str:
        """The receiver as logs may have it: paths and queries of webhooks are often secrets themselves."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    type: str
    body: bytes


class Webhooks:
    """Delivers messages to one receiver, in order, while its block lasts.

    Attributes:
        delivered: messages that arrived.
        failed: messages that were given up.
        dropped: messages that found no room.
    """

    def __init__(
        self,
        config: WebhookConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        wall_clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """Prepare.

        Args:
            config: whom to tell.
            transport: what carries HTTP; the network by default.
            wall_clock: seconds since the epoch.
            dice: for delays.
        """
        self.config = config
        self.delivered = self.failed = self.dropped = 0
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=config.timeout_s,
            follow_redirects=False,
            headers={"user-agent": f"pexrtc_py/{__version__}", "content-type": "application/json"},
        )
        self._wall_clock = wall_clock
        self._dice = dice
        self._queue: deque[_Message] = deque()
        self._under_way: _Message | None = None
        self._changed = asyncio.Event()
        self._closing = False
        self._stack = AsyncExitStack()
        self._delivering: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to deliver."""
        await self._stack.enter_async_context(self._http)
        tasks = await self._stack.enter_async_context(task_owner())
        self._delivering = tasks.start(self._deliver_all(), name="pexrtc webhooks")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what waits, for a little while."""
        self._closing = True
        self._changed.set()
        try:
            if self._delivering is not None and error is None:
                await asyncio.wait((self._delivering,), timeout=self.config.close_s)
        finally:
            await self._stack.aclose()
            if left := len(self._queue) + (self._under_way is not None):
                self.dropped += left
                logger.warning("! %d webhooks to %s were not delivered", left, self.config.shown)

    def post(self, event: str, data: Mapping[str, object]) -> None:
        """Tell something, soon. It never waits."""
        if self.config.events and event not in self.config.events:
            return
        moment = datetime.fromtimestamp(self._wall_clock(), UTC).isoformat(timespec="milliseconds")
        body = msgspec.json.encode({"type": event, "timestamp": moment.replace("+00:00", "Z"), "data": data})
        if len(self._queue) >= self.config.queue:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(_Message(f"msg_{secrets.token_urlsafe(18)}", event, body))
        self._changed.set()

    async def _deliver_all(self) -> None:
        while True:
            while self._queue:
                self._under_way = self._queue.popleft()
                if await self._is_delivered(self._under_way):
                    self.delivered += 1
                else:
                    self.failed += 1
                self._under_way = None
            if self._closing:
                return
            self._changed.clear()
            await self._changed.wait()

    async def _is_delivered(self, message: _Message) -> bool:
        try:
            return await self._deliver(message)
        except Exception as exc:  # noqa: BLE001 - one message fails, not the task; the traceback is logged
            # Whatever an answer does to us costs its message, never the program that tells. The text of the exception
            # stays out: it may have the URL, which is a secret of many.
            trace = "".join(traceback.format_tb(exc.__traceback__))
            logger.error(
                "! webhook %s to %s failed: %s\n%s", message.type, self.config.shown, type(exc).__name__, trace
            )
            return False

    async def _deliver(self, message: _Message) -> bool:
        backoff = Backoff(self._dice, first_s=self.config.first_delay_s)
        for attempt in range(1, self.config.attempts + 1):
            said, wait_s = await self._try(message)
            if said is None:
                return True
            if wait_s is None or attempt == self.config.attempts:
                logger.error("! webhook %s to %s given up: %s", message.type, self.config.shown, said)
                return False
            delay = max(wait_s, backoff.next_delay())
            logger.info("- webhook %s to %s: %s; again in %.1f s", message.type, self.config.shown, said, delay)
            await asyncio.sleep(delay)
        return False

    async def _try(self, message: _Message) -> tuple[str | None, float | None]:
        """Send once. Return what went wrong, None if nothing did; and seconds to wait at least, None to give up."""
        now = int(self._wall_clock())
        headers = {
            "webhook-id": message.id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self.config.secret, message.id, now, message.body),
        }
        try:
            async with (
                asyncio.timeout(self.config.timeout_s),  # httpx's is for each read: a receiver that drips has no end
                self._http.stream("POST", self.config.url, content=message.body, headers=headers) as answer,
            ):
                status, after = answer.status_code, answer.headers.get("retry-after", "")
        except httpx.HTTPError as exc:
            return type(exc).__name__, 0.0
        except TimeoutError:
            return f"no answer within {self.config.timeout_s:g} s", 0.0
        if 200 <= status < 300:
            return None, None
        if status >= 500 or status in _RETRIED:
            return str(status), min(float(after), 60.0) if _is_number(after) else 0.0
        return str(status), None


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` of a message.

    Raises:
        UsageError: the secret cannot be read.
    """
    # HTTP servers give bytes that are no UTF-8 as surrogates; an id may have what a sender likes.
    signed = f"{message_id}.{timestamp}.".encode(errors="surrogatepass") + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode("ascii")


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: float, tolerance_s: float = _TOLERANCE_S
) -> bool:
    """Tell whether a message is genuine and fresh: what a receiver does. Header names are in lower case."""
    timestamp = headers.get("webhook-timestamp", "")
    if not _is_number(timestamp) or len(timestamp) > 15 or abs(now - int(timestamp)) > tolerance_s:
        return False
    expected = sign(secret, headers.get("webhook-id", ""), int(timestamp), body).encode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected, one.encode(errors="surrogatepass")) for one in given)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()  # "²" is a digit too, and no number


def _key(secret: str) -> bytes:
    text = secret.strip()
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error as exc:
        raise UsageError("webhook: the secret after whsec_ is no base64") from exc
