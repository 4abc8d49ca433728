"""Coming in and going out: request_token, refresh_token, release_token."""

from __future__ import annotations

import logging
from http import HTTPStatus

from aiohttp import web

from ..protocol.models import (
    UNSET,
    CallType,
    RefreshResult,
    ReleaseRequest,
    Role,
    ServiceType,
    TokenPrompt,
    TokenRequest,
    TokenResult,
    UnsetType,
)
from ..protocol.room_admission import INVALID_PIN, Newcomer, check_pin, pin_prompt
from ..protocol.room_settings import RoomSettings, ServiceKind
from .answers import Refused, answer, outcome_answer
from .conference import Invitation, Session
from .node_state import NodeState
from .requests import read_body, sender_of

__all__ = ["refresh_token", "release_token", "request_token"]

logger = logging.getLogger(__name__)

NOT_FOUND = "Neither conference nor gateway found"
EXTENSION_NOT_FOUND = "Conference extension not found"
TOO_MANY_PINS = "Participant exceeded PIN entry retries"


async def request_token(node: NodeState, request: web.Request) -> web.Response:
    """Let somebody in, or say what is wanted first."""
    alias = request.match_info["alias"]
    body = await read_body(request, TokenRequest)
    invitation = _redeem(node, request, body)
    settings = _target(node, alias, body, invitation)
    role = invitation.role if invitation else _role_by_pin(node, request, settings)
    newcomer = Newcomer(
        display_name=body.display_name,
        role=role,
        call_tag=body.call_tag or "",
        vendor=request.headers.get("User-Agent", "")[:250],
        uri=f"Infinity_Connect_{request.remote or ''}",
        supports_direct_chat=bool(body.supports_direct_chat),
        starts_conference=bool(body.start_conference_if_host),
        dialled=invitation.dialled if invitation else None,
    )
    joined = node.join(settings, newcomer, alias)
    if not isinstance(joined, Session):
        return outcome_answer(joined)
    logger.info("joined %s: %s", settings.alias, joined.participant)
    return answer(_token_result(node, joined, role, body))


async def refresh_token(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Give a new token for a good one; the old one lives on for the grace period."""
    participant = session.conference.room.participants[session.participant]
    return answer(
        RefreshResult(
            token=node.issue(session),
            expires=f"{node.config.token_lifetime_s:g}",
            role=Role.HOST if participant.is_host else Role.GUEST,
            client_stats_update_interval=_or_unset(node.config.statistics_interval_ms),
        )
    )


async def release_token(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Let a participant go, its calls with it, whatever it says; the reason it gives is noted."""
    try:
        body = await read_body(request, ReleaseRequest)
    except Refused:
        body = ReleaseRequest()
    session.conference.leave(session.participant, _one_line(body.reason or body.error or "Call disconnected"))
    return answer(result=True)


def _redeem(node: NodeState, request: web.Request, body: TokenRequest) -> Invitation | None:
    """Take a one-time token: of the body, or of the header, where a client may also have left a token of old."""
    if not body.token:
        return node.redeem(request.headers.get("token", ""))
    invitation = node.redeem(body.token)
    if invitation is None:
        raise Refused(HTTPStatus.FORBIDDEN, "Invalid token")
    return invitation


def _target(node: NodeState, alias: str, body: TokenRequest, invitation: Invitation | None) -> RoomSettings:
    """Return the conference to join, through a Virtual Reception if need be."""
    settings = node.find(alias)
    if settings is None or (invitation is not None and invitation.alias != settings.alias):
        raise Refused(HTTPStatus.NOT_FOUND, NOT_FOUND)
    if settings.service_type is not ServiceKind.VIRTUAL_RECEPTION:
        return settings
    if not body.conference_extension:
        # v14 guide, "Virtual Receptions"; real clients want both keys.
        prompt = TokenPrompt(
            conference_extension="required", conference_extension_type="standard", version=node.version
        )
        raise Refused(HTTPStatus.FORBIDDEN, prompt)
    target = node.find(body.conference_extension)
    if (
        target is None
        or target.service_type is ServiceKind.VIRTUAL_RECEPTION
        or (settings.targets and target.alias not in settings.targets)
    ):
        raise Refused(HTTPStatus.NOT_FOUND, EXTENSION_NOT_FOUND)
    return target


def _role_by_pin(node: NodeState, request: web.Request, settings: RoomSettings) -> Role:
    sender = sender_of(request)
    if settings.pin is not None and node.pin_tries.is_exhausted(sender, node.now):
        raise Refused(HTTPStatus.FORBIDDEN, TOO_MANY_PINS)
    verdict = check_pin(settings, request.headers.get("pin"))
    if verdict.wrong:
        node.pin_tries.take(sender, node.now)
        raise Refused(HTTPStatus.FORBIDDEN, INVALID_PIN)
    if verdict.role is None:
        raise Refused(HTTPStatus.FORBIDDEN, pin_prompt(settings, node.version))
    return verdict.role


def _token_result(node: NodeState, session: Session, role: Role, body: TokenRequest) -> TokenResult:
    conference = session.conference
    settings = conference.settings
    participant = conference.room.participants[session.participant]
    return TokenResult(
        token=node.issue(session),
        expires=f"{node.config.token_lifetime_s:g}",
        participant_uuid=session.participant,
        display_name=participant.display_name,
        role=role,
        version=node.version,
        service_type=ServiceType(settings.service_type),
        current_service_type=participant.service_type,
        service_name=settings.title,
        conference_name=settings.title,
        call_type=CallType.VIDEO,
        call_tag=participant.call_tag if body.call_tag is not None else UNSET,
        chat_enabled=settings.chat_enabled,
        analytics_enabled=False,
        fecc_enabled=True,
        rtmp_enabled=True,
        rtsp_enabled=False,
        allow_1080p=True,
        vp9_enabled=False,
        guests_can_present=settings.guests_can_present,
        breakout_rooms=False,
        live_captions_available=False,
        trickle_ice_enabled=True,
        direct_media=False,
        client_stats_update_interval=_or_unset(node.config.statistics_interval_ms),
        use_relay_candidates_only=node.config.use_relay_candidates_only,
        # An empty list of STUN servers breaks Pexip's own client (observed: @pexip/infinity 20 in Chromium).
        stun=list(node.config.stun) or UNSET,
        turn=list(node.config.turn),
    )


def _or_unset(value: float | None) -> float | UnsetType:
    return UNSET if value is None else value


def _one_line(text: str) -> str:
    """Return what somebody said as the log may show it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:75])
