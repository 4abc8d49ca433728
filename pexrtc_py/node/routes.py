"""The routes of the client API, made of the table of operations.

What a room carries out goes to the room; the rest has a handler here by name. An operation that this node does not
support, or that is newer than the release it says it is, has no route and so answers 404, as on an old node.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from aiohttp import web

from ..protocol.models import CallUuid, ParticipantUuid, TransferRequest
from ..protocol.operations import OPERATIONS, Operation
from ..protocol.room import ROOM_OPERATIONS, Command
from ..protocol.room_admission import INVALID_PIN
from ..protocol.room_effects import Outcome
from . import calls, joining, pictures
from .answers import Refused, answer, outcome_answer
from .conference import Session
from .event_route import serve_events
from .fault_injection import FaultInjection
from .node_state import NodeState
from .requests import read_body, read_query, read_token, sender_of

__all__ = ["NODE_OPERATIONS", "PREFIX", "add_routes"]

PREFIX = "/api/client/v2"
"""Where the client API lives on every node."""

COMMAND_LIMIT = 256 * 1024
"""Bytes of what a room is asked: it may go to everybody, and streams hold 2 MiB. Chat is longest: 64 Ki characters."""

SessionHandler = Callable[[NodeState, web.Request, Session], Awaitable[web.StreamResponse]]

NODE_OPERATIONS: Mapping[str, SessionHandler] = MappingProxyType(
    {
        "refresh_token": joining.refresh_token,
        "release_token": joining.release_token,
        "events": serve_events,
        "presentation_jpeg": pictures.presentation_picture,
        "presentation_high_jpeg": pictures.presentation_picture,
        "presentation_upload": pictures.upload_presentation,
        "theme": pictures.theme,
        "theme_file": pictures.theme_file,
        "participant_avatar": pictures.avatar,
        "participant_calls": calls.add_call,
        "call_ack": calls.ack,
        "call_update": calls.update,
        "call_new_candidate": calls.new_candidate,
        "call_disconnect": calls.disconnect,
        "call_statistics": calls.statistics,
    }
)
"""Handlers of operations that need tokens, streams, media or files; `request_token` comes before all of them."""


def add_routes(app: web.Application, node: NodeState, faults: FaultInjection | None = None) -> None:
    """Give an application every operation this node has, and the faults asked for."""
    for operation in OPERATIONS.values():
        if operation.supported and operation.since <= int(node.config.version):
            path = f"{PREFIX}/conferences/{{alias}}/{operation.path}"
            handler = _make_handler(operation, node)
            app.router.add_route(operation.verb, path, faults.wrap(operation, handler) if faults else handler)
    app.router.add_get(f"{PREFIX}/status", _status)


def _make_handler(operation: Operation, node: NodeState) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        _limit_rate(node, request)
        if operation.name == "request_token":
            return await joining.request_token(node, request)
        session = node.session(read_token(request), request.match_info["alias"])
        if session is None:
            raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
        if operation.name in ROOM_OPERATIONS:
            command = await _read_command(operation, request, session)
            if session.ended:  # while its body came in
                raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
            return outcome_answer(_handle(node, request, session, command))
        if refusal := session.conference.room.check(_command(operation, request, session)):
            return outcome_answer(refusal)
        return await NODE_OPERATIONS[operation.name](node, request, session)

    return handle


def _handle(node: NodeState, request: web.Request, session: Session, command: Command) -> Outcome:
    """Let the room carry a command out; PINs are tried by transfers as at the door, and count alike."""
    sender = sender_of(request)
    if isinstance(command.body, TransferRequest) and node.pin_tries.is_exhausted(sender, node.now):
        raise Refused(HTTPStatus.FORBIDDEN, joining.TOO_MANY_PINS)
    outcome = session.conference.handle(command)
    if outcome.result == INVALID_PIN:
        node.pin_tries.take(sender, node.now)
    return outcome


def _limit_rate(node: NodeState, request: web.Request) -> None:
    sender = sender_of(request)
    if not node.request_rate.take(sender, node.now):
        wait_s = math.ceil(node.request_rate.wait_s(sender, node.now))
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", headers={"Retry-After": str(wait_s)})


def _command(operation: Operation, request: web.Request, session: Session) -> Command:
    info = request.match_info
    return Command(
        operation=operation.name,
        actor=session.participant,
        target=ParticipantUuid(info["participant"]) if "participant" in info else None,
        call=CallUuid(info["call"]) if "call" in info else None,
    )


async def _read_command(operation: Operation, request: web.Request, session: Session) -> Command:
    command = _command(operation, request, session)
    return Command(
        operation=command.operation,
        actor=command.actor,
        target=command.target,
        call=command.call,
        body=await read_body(request, operation.body, limit=COMMAND_LIMIT) if operation.body is not None else None,
        query=read_query(request, operation.query) if operation.query is not None else None,
    )


async def _status(request: web.Request) -> web.Response:
    """Tell a client that asks before it joins that this node is there; the mobile SDKs do."""
    return answer(result=True)
