"""Calls over HTTP: `calls`, `ack`, `update`, `new_candidate`, `disconnect`, `statistics`.

Result types are those that validators of real clients want: true for ack, null for new_candidate and statistics, and
null for disconnect unless the node says it is a 14, where the guide has a boolean.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from aiohttp import web

from ..errors import CodecMismatch, MediaError, SdpError
from ..protocol.models import (
    CallKind,
    CallRequest,
    CallResult,
    CallUuid,
    CandidateRequest,
    Present,
    StatisticsRequest,
    UpdateRequest,
)
from ..protocol.room import RoomCall
from .answers import Refused, answer, outcome_answer
from .conference import Session
from .media_port import CallAnswer, CallOffer, StreamOffer
from .node_state import NodeState
from .requests import read_body

__all__ = ["ack", "add_call", "disconnect", "new_candidate", "statistics", "update"]

logger = logging.getLogger(__name__)

CALLS_LIMIT = 4
"""Calls of one participant at once; the oldest web clients have three: main, and a presentation each way."""


async def add_call(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Make a call: WebRTC, RTMP, or a presentation sent as pictures."""
    body = await read_body(request, CallRequest)
    room = session.conference.room
    present = body.present
    if len(room.calls(session.participant)) + session.calling >= CALLS_LIMIT:
        raise Refused(HTTPStatus.FORBIDDEN, "Call rejected")
    presents = body.call_type is CallKind.PRESENTATION or present is Present.SEND
    if presents and (refusal := room.may_present(session.participant)):
        return outcome_answer(refusal)
    call = room.draw_call()
    if body.call_type is CallKind.PRESENTATION:
        _enter(session, RoomCall(uuid=call, pictures=True))
        return answer(CallResult(call_uuid=call))
    if body.call_type is CallKind.RTMP:
        return await _add_stream(request, session, body, call)
    if body.call_type is not CallKind.WEBRTC:
        raise Refused(HTTPStatus.FORBIDDEN, "Call rejected")
    if not body.sdp or present is Present.UNKNOWN:
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: sdp or present")
    offer = CallOffer(
        participant=session.participant,
        call=call,
        sdp=body.sdp,
        present=present,
        media_type=body.media_type,
    )
    session.calling += 1
    try:
        made = await session.conference.media.add_call(offer)
    except (SdpError, CodecMismatch) as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, str(exc)) from exc
    except MediaError as exc:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Call failed") from exc
    finally:
        session.calling -= 1
    if session.ended:  # while the media was busy
        await session.conference.media.remove_call(call)
        raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
    _replace_main_call(session, present)
    _enter(session, RoomCall(uuid=call, present=present, has_audio=made.has_audio, has_video=made.has_video))
    return answer(CallResult(call_uuid=call, sdp=made.sdp))


async def _add_stream(request: web.Request, session: Session, body: CallRequest, call: CallUuid) -> web.Response:
    """Wait for the client to publish by RTMP (v14 guide, "calls", RTMP; protocol-facts 7)."""
    has_video = not _is_true(body.audioonly)
    offer = StreamOffer(participant=session.participant, call=call, host=request.url.host or "", has_video=has_video)
    try:
        url = await session.conference.media.listen_stream(offer)
    except MediaError as exc:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Call failed") from exc
    if session.ended:
        await session.conference.media.remove_call(call)
        raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
    _replace_main_call(session, None)
    streaming = _is_true(body.streaming)
    _enter(session, RoomCall(uuid=call, has_audio=True, has_video=has_video, rtmp=True, streaming=streaming))
    return answer(CallResult(call_uuid=call, url=url, secure_url=None))


def _is_true(value: bool | str | None) -> bool:  # noqa: FBT001 - a value of the wire
    return value in (True, "true", "yes")


async def update(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Answer a new offer of a call."""
    call = _call(request, session)
    body = await read_body(request, UpdateRequest)
    if not body.sdp:
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: sdp")
    try:
        made: CallAnswer = await session.conference.media.update_call(call.uuid, body.sdp)
    except (SdpError, CodecMismatch) as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, str(exc)) from exc
    except MediaError as exc:
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Call failed") from exc
    if call.uuid in session.conference.room.calls(session.participant) and call.present in (None, Present.MAIN):
        _enter(
            session,
            RoomCall(uuid=call.uuid, present=call.present, has_audio=made.has_audio, has_video=made.has_video),
        )
    return answer(CallResult(call_uuid=call.uuid, sdp=made.sdp))


async def ack(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Let media flow; answered at once, for clients queue candidates behind it."""
    session.conference.media.ack(_call(request, session).uuid)
    return answer(result=True)


async def new_candidate(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Take a trickled candidate, or the end of them."""
    call = _call(request, session)
    body = await read_body(request, CandidateRequest)
    try:
        await session.conference.media.add_candidate(call.uuid, body.candidate, body.mid)
    except SdpError as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, str(exc)) from exc
    return answer(result=None)


async def disconnect(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """End a call; one that has ended already is no error, for clients repeat themselves."""
    call = CallUuid(request.match_info["call"])
    if call in session.conference.room.calls(session.participant):
        session.conference.end_call(session.participant, call)
    return answer(result=True if node.config.version == "14" else None)


async def statistics(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Take the client's own figures."""
    call = _call(request, session)
    figures = await read_body(request, StatisticsRequest)
    logger.debug("< statistics of call %s: %.75r", call.uuid, figures)
    return answer(result=None)


def _call(request: web.Request, session: Session) -> RoomCall:
    call = session.conference.room.calls(session.participant).get(CallUuid(request.match_info["call"]))
    if call is None:
        raise Refused(HTTPStatus.NOT_FOUND, "Call not found")
    return call


def _enter(session: Session, call: RoomCall) -> None:
    conference = session.conference
    conference.apply(conference.room.handle_call(session.participant, call, conference.now))


def _replace_main_call(session: Session, present: Present | None) -> None:
    """End the main call there was: a client that makes a second one has lost the first."""
    if present not in (None, Present.MAIN):
        return
    for old in list(session.conference.room.calls(session.participant).values()):
        if not old.pictures and old.present in (None, Present.MAIN):
            session.conference.end_call(session.participant, old.uuid)
