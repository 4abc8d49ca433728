"""Carries faults out, on requests and on what lives between them; and the door by which they are asked for.

The door listens on loopback only, on a port and with a token of its own, and only when the node was told to have one:

    GET    /faults                     the rules in force
    POST   /faults        FaultRule    add one
    DELETE /faults                     drop them all
    POST   /cut_events    Whom         break event streams off
    POST   /expire_token  Whom         let tokens end now
    POST   /stop_media    Whom         let media stall, as a firewall would
    POST   /resume_media  Whom         let it flow again
    POST   /restart       Restart      forget everybody and everything, and be down for a while

`Whom` is `{"participant": UUID or display name, "alias": ...}`, either left out for all.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import TypeVar

import msgspec
from aiohttp import web

from ..protocol.models import Token
from ..protocol.operations import Operation
from ..service.http_serving import reading
from .answers import Refused, answer, answer_errors
from .conference import Session
from .faults import FaultKind, FaultRule, Faults
from .node_state import NodeState
from .requests import read_token

__all__ = ["FaultInjection", "Restart", "Whom", "fault_app"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

_NONSENSE = "<!DOCTYPE html><title>Welcome</title><p>Please log in to the wireless network.</p>"


class Whom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose streams, tokens or media; what is left out means all."""

    participant: str | None = None
    """UUID or display name."""
    alias: str | None = None
    """The conference."""


class Restart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the node restarts."""

    down_s: float = 0.0
    """Seconds in which every connection breaks."""


class FaultInjection:
    """The faults of one node."""

    def __init__(self, node: NodeState) -> None:
        self._node = node
        self._down_until = 0.0
        self.rules = Faults()
        """What goes wrong with requests."""
        self.token = Token(secrets.token_urlsafe(32))
        """Opens the door."""
        self.url = ""
        """Where the door is."""

    def wrap(self, operation: Operation, handler: Handler) -> Handler:
        """Return a handler that fails when it is to."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._node.now < self._down_until:
                return _break_off(request)
            alias = request.match_info["alias"]
            rule = self.rules.pull(operation.name, alias, self._asker(request, alias))
            if rule is None:
                return await handler(request)
            match rule.kind:
                case FaultKind.DELAY:
                    await asyncio.sleep(rule.delay_s)
                    return await handler(request)
                case FaultKind.DROP:
                    return _break_off(request)
                case FaultKind.LOSE_ANSWER:
                    await handler(request)
                    return _break_off(request)
                case FaultKind.STATUS:
                    raise Refused(rule.status, "A fault that was asked for")
                case FaultKind.NONSENSE:
                    return web.Response(text=_NONSENSE, content_type="text/html")

        return handle

    def cut_events(self, whom: Whom) -> int:
        """Break event streams off; the participants stay."""
        return self._each(whom, lambda session: session.mailbox.cut())

    def expire_token(self, whom: Whom) -> int:
        """Let tokens end now: their participants are gone."""
        return self._each(whom, self._node.expire)

    def stop_media(self, whom: Whom) -> int:
        """Let media stall in both directions, until it is resumed or its rights change; nobody is told."""
        return self._each(whom, lambda s: s.conference.media.set_admitted(s.participant, admitted=False))

    def resume_media(self, whom: Whom) -> int:
        """Let stalled media flow again."""
        return self._each(whom, lambda s: s.conference.media.set_admitted(s.participant, admitted=True))

    def restart(self, restart: Restart) -> None:
        """Forget everybody without a word."""
        self._down_until = self._node.now + restart.down_s
        self._node.forget_all()

    def _each(self, whom: Whom, strike: Callable[[Session], None]) -> int:
        sessions = list(self._sessions(whom))
        for session in sessions:
            strike(session)
        return len(sessions)

    def _sessions(self, whom: Whom) -> Iterator[Session]:
        for conference in self._node.conferences.values():
            if whom.alias in (None, conference.settings.alias):
                for session in conference.sessions.values():
                    if whom.participant is None or whom.participant in _names(session):
                        yield session

    def _asker(self, request: web.Request, alias: str) -> tuple[str, ...]:
        session = self._node.session(read_token(request), alias)
        return () if session is None else _names(session)


def fault_app(faults: FaultInjection) -> web.Application:
    """Make the door's application."""

    @web.middleware
    async def check_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("token", "").encode(errors="replace"), faults.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
        return await handler(request)

    async def show(request: web.Request) -> web.Response:
        return answer(list(faults.rules.rules))

    async def add(request: web.Request) -> web.Response:
        faults.rules.add(await _read(request, FaultRule))
        return answer(result=True)

    async def clear(request: web.Request) -> web.Response:
        faults.rules.clear()
        return answer(result=True)

    async def restart(request: web.Request) -> web.Response:
        faults.restart(await _read(request, Restart))
        return answer(result=True)

    def on_sessions(strike: Callable[[Whom], int]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return answer(strike(await _read(request, Whom)))

        return handle

    app = web.Application(middlewares=[answer_errors, check_token], client_max_size=64 * 1024)
    app.router.add_get("/faults", show)
    app.router.add_post("/faults", add)
    app.router.add_delete("/faults", clear)
    app.router.add_post("/restart", restart)
    app.router.add_post("/cut_events", on_sessions(faults.cut_events))
    app.router.add_post("/expire_token", on_sessions(faults.expire_token))
    app.router.add_post("/stop_media", on_sessions(faults.stop_media))
    app.router.add_post("/resume_media", on_sessions(faults.resume_media))
    return app


def _names(session: Session) -> tuple[str, ...]:
    participant = session.conference.room.participants.get(session.participant)
    return (session.participant,) if participant is None else (session.participant, participant.display_name)


def _break_off(request: web.Request) -> web.StreamResponse:
    """Break the connection; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _read(request: web.Request, model: type[T]) -> T:
    """Read a body, strictly: a misspelt rule must not pass for another."""
    async with reading(request):
        data = await request.read()
    try:
        return msgspec.json.decode(data or b"{}", type=model)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, str(exc)) from exc
