"""A participant's life at a node: token, refresh, event stream, roster, and release on every way out.

The rules kept here: one refresh at a time; the token before stays good for what is under way; the event stream comes
back by itself and the roster is right again after its sync; nothing ends a session but leaving, the node's word, or a
token that could not be kept; why it ended is kept. A session never cancels the program that uses it: iterators end,
waits raise.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from contextlib import aclosing

from ..errors import (
    NodeError,
    PexrtcError,
    RemoteProtocolError,
    SessionClosed,
    SessionClosedError,
    SessionClosedOK,
    SignallingError,
    Throttled,
    TokenExpired,
    TransportError,
)
from ..protocol.backoff import Backoff
from ..protocol.events import Disconnect, Event, Refer, RefreshToken
from ..protocol.models import Participant, ParticipantUuid, ReleaseRequest, Role, ServiceType, TokenResult, is_good_end
from ..protocol.renewal import Renewal
from ..protocol.roster import Roster
from .client import NodeClient
from .event_stream import listen
from .failures import printable
from .session_config import SessionConfig
from .subscription import EventSubscription, Subscribers

__all__ = ["Session"]

logger = logging.getLogger(__name__)

_SHORT_WAIT_S = 2.0
"""Waiting to be let in for longer is told: a Host may have to do something about it. Joining itself is faster."""

_WAITING = {
    ServiceType.WAITING_ROOM: "in the waiting room: the conference is locked, or no Host is there yet",
    ServiceType.IVR: "asked for a PIN",
    ServiceType.CONNECTING: "still connecting",
}


class Session:
    """One participant in one conference; made by `open_session`.

    What drives it: the event stream (roster, disconnect, refer), the renewal timer (refresh), and silence (a refresh
    that checks whether the node is still there).
    """

    def __init__(self, config: SessionConfig, client: NodeClient, result: TokenResult) -> None:
        self._loop = asyncio.get_running_loop()
        self._config = config
        self._client = client
        self._result = result
        self._role = result.role
        self._roster = Roster()
        self._subscribers = Subscribers(config.event_bound)
        self._renewal = Renewal(result.lifetime_s, self._loop.time(), Backoff(random.random))
        self._refreshes = 0
        self._last_refresh_failed = False
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._closed: SessionClosed | None = None
        self._transfer: SessionConfig | None = None
        self._listening = False
        self._heard = self._loop.time()
        self._stream_limit: asyncio.Timeout | None = None

    @property
    def config(self) -> SessionConfig:
        """How it was opened."""
        return self._config

    @property
    def client(self) -> NodeClient:
        """All operations, authenticated."""
        return self._client

    @property
    def token_result(self) -> TokenResult:
        """What the node said when it let us in."""
        return self._result

    @property
    def participant_uuid(self) -> ParticipantUuid:
        """Who we are."""
        return self._result.participant_uuid

    @property
    def role(self) -> Role:
        """Our role now."""
        return self._role

    @property
    def roster(self) -> Roster:
        """The conference as its events have it, live."""
        return self._roster

    @property
    def participant(self) -> Participant | None:
        """Ourselves in the roster; None before the first sync."""
        return self._roster.participants.get(self.participant_uuid)

    @property
    def place(self) -> ServiceType:
        """Where we are: `waiting_room` (locked, or no Host yet), `ivr` (PIN entry), else in the conference."""
        participant = self.participant
        if participant is None or participant.service_type is ServiceType.UNKNOWN:
            return self._result.current_service_type
        return participant.service_type

    @property
    def why_waiting(self) -> str:
        """Why we are not in the conference yet; empty when we are."""
        return _WAITING.get(self.place, "")

    @property
    def listening(self) -> bool:
        """Whether the event stream is up just now."""
        return self._listening

    @property
    def closed(self) -> SessionClosed | None:
        """Why the session has ended; None while it lives."""
        return self._closed

    @property
    def transfer(self) -> SessionConfig | None:
        """Where the node sends us, once it has closed this session with `refer`: open the next one with it."""
        return self._transfer

    def events(self) -> EventSubscription:
        """Subscribe to all events from now on; any number of subscribers.

        The iterator ends when the session closes well and raises `SessionClosedError` when it does not. A subscriber
        that falls behind by `SessionConfig.event_bound` events, or 16 MiB of them, gets a `LocalProtocolError`.
        """
        return self._subscribers.subscribe()

    async def wait_for(self, condition: Callable[[Session], bool]) -> None:
        """Wait until a condition on this session holds; it is looked at after every event. Cancelling is safe.

        Raises:
            SessionClosed: the session ended first.
        """
        while not condition(self):
            if self._closed is not None:
                raise _again(self._closed)
            await self._changed.wait()

    async def wait_in_conference(self) -> None:
        """Wait to be let in: by a Host who comes, unlocks, or lets us in from the waiting room. Cancelling is safe.

        A wait that is not a short one is logged as a warning.

        Raises:
            SessionClosed: the session ended first.
        """
        try:
            async with asyncio.timeout(_SHORT_WAIT_S):
                await self.wait_for(lambda session: not session.why_waiting)
        except TimeoutError:
            logger.warning("- %s: %s is %s", self._config.alias, self._config.display_name, self.why_waiting)
            await self.wait_for(lambda session: not session.why_waiting)

    async def wait_closed(self) -> SessionClosed:
        """Wait for the end and say why. Cancelling is safe."""
        while self._closed is None:
            await self._changed.wait()
        return self._closed

    async def refresh_now(self) -> bool:
        """Refresh the token out of turn and say whether the node did it. Cancelling is safe.

        Raises:
            SessionClosed: the session has ended, by this refresh perhaps.
        """
        before = self._refreshes
        self._renewal.hasten(self._loop.time())
        self._wake.set()
        await self.wait_for(lambda session: session._refreshes > before)
        if self._closed is not None:
            raise _again(self._closed)
        return not self._last_refresh_failed

    # Below: what `open_session` drives.

    def _runs(self) -> tuple[Callable[[], Coroutine[object, object, None]], ...]:
        """What must run while the session lives, each in a task; none lets an error out."""
        return (self._renew, self._listen, self._watch)

    async def _renew(self) -> None:
        while self._closed is None:
            self._wake.clear()
            due = self._renewal.next_timer()
            if due is None:
                self._close(SessionClosedError("the token could not be refreshed before its end", by_us=False))
                return
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                pass
            if self._renewal.handle_timer(self._loop.time()):
                await self._refresh()

    async def _refresh(self) -> None:
        wait_s = 0.0
        try:
            async with asyncio.timeout_at(self._renewal.ends):
                result = await self._client.refresh_token()
            lifetime_s = result.lifetime_s
        except (TransportError, RemoteProtocolError, NodeError, Throttled, TimeoutError) as exc:
            if isinstance(exc, Throttled):
                wait_s = exc.retry_after_s or 0.0
            self._renewal.failed(self._loop.time(), wait_s=wait_s)
            self._last_refresh_failed = True
            logger.info("%% refresh failed, to be tried again: %s", _told(exc))
        except SignallingError as exc:
            reason = f"the node no longer knows our token ({exc.status} {exc.reason})"
            self._close(SessionClosedError(reason, by_us=False))
        else:
            self._client.set_token(result.token)
            self._role = result.role or self._role
            self._renewal.refreshed(lifetime_s, self._loop.time())
            self._last_refresh_failed = False
            logger.debug("% refreshed")
        self._refreshes += 1
        self._notify()

    async def _listen(self) -> None:
        backoff = Backoff(random.random)
        while self._closed is None:
            why: object = "the node ended it"
            try:
                async with asyncio.timeout(None) as self._stream_limit:
                    await self._listen_once(backoff)
            except TimeoutError:
                why = "silence"
            except (SignallingError, TransportError, RemoteProtocolError) as exc:
                why = exc
            finally:
                self._listening, self._stream_limit = False, None
            if self._closed is not None:
                return
            self._notify()
            if isinstance(why, TokenExpired):
                self._renewal.hasten(self._loop.time())
                self._wake.set()
            delay = backoff.next_delay()
            logger.info("- event stream lost, again in %.1f s: %s", delay, why)
            await asyncio.sleep(delay)

    async def _listen_once(self, backoff: Backoff) -> None:
        self._heard = self._loop.time()
        async with aclosing(listen(self._client, self._hear)) as events:
            async for event, size in events:
                if event is None:
                    self._listening = True
                    logger.info("= event stream up")
                    self._notify()
                    continue
                backoff.reset()
                self._handle(event, size)
                if self._closed is not None:
                    return

    def _hear(self) -> None:
        self._heard = self._loop.time()

    async def _watch(self) -> None:
        """Look after a silent event stream: after a minute ask for a refresh, after five connect anew."""
        checked = 0.0
        while self._closed is None:
            silent_since = max(self._heard, checked)
            wait_s = silent_since + self._config.silence_s - self._loop.time()
            if wait_s > 0 or self._stream_limit is None:
                await asyncio.sleep(max(wait_s, self._config.silence_s / 10))
                continue
            checked = self._loop.time()
            logger.debug("% the event stream is silent, checking by a refresh")
            try:
                alive = await self.refresh_now()
            except SessionClosed:
                return
            too_long = self._loop.time() - self._heard >= self._config.silence_s * 5
            if not alive or too_long:
                self._break_stream()

    def _break_stream(self) -> None:
        """End the event stream there is, once: a limit that has passed must not be moved again."""
        limit, self._stream_limit = self._stream_limit, None
        if limit is not None:
            limit.reschedule(self._loop.time())

    def _handle(self, event: Event, size: int) -> None:
        self._roster.apply(event)
        self._subscribers.publish(event, size)
        if isinstance(event, Disconnect):
            reason = printable(event.reason) or "disconnected by the node"
            closed = SessionClosedOK if is_good_end(event.reason) else SessionClosedError
            self._close(closed(reason, by_us=False))
        elif isinstance(event, Refer):
            self._transfer = self._config.after(event)
            self._close(SessionClosedOK(f"transferred to {printable(event.alias)}", by_us=False))
        elif isinstance(event, RefreshToken):
            self._renewal.hasten(self._loop.time())
            self._wake.set()
        self._notify()

    def _close(self, closed: SessionClosed) -> None:
        """End the session, for this reason unless there was one before."""
        if self._closed is not None:
            return
        self._closed = closed
        logger.info("x session closed: %s", closed.reason)
        self._subscribers.finish(None if isinstance(closed, SessionClosedOK) else closed)
        self._wake.set()
        self._break_stream()
        self._notify()

    async def _release(self) -> None:
        """Give the token back, within a deadline of its own; failing is only logged."""
        try:
            async with asyncio.timeout(self._config.release_s):
                await self._client.release_token(ReleaseRequest(reason="User initiated disconnect"))
        except (PexrtcError, TimeoutError) as exc:
            logger.info("! token not released: %s", _told(exc))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _told(exc: Exception) -> str:
    return "no answer in time" if isinstance(exc, TimeoutError) else str(exc)


def _again(closed: SessionClosed) -> SessionClosed:
    """A fresh exception to raise: one may be raised in many tasks."""
    return type(closed)(closed.reason, by_us=closed.by_us)
