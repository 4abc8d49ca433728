"""What a node's requests share: its conferences, tokens and limits. The server owns one; handlers are given it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine
from http import HTTPStatus

import msgspec

from ..protocol.models import ParticipantUuid, Token, Version
from ..protocol.room_admission import Newcomer
from ..protocol.room_effects import Outcome
from ..protocol.room_settings import RoomSettings
from .alarm import Alarm
from .conference import Conference, Invitation, Session
from .config import NodeConfig
from .dialling import Dialler
from .limits import RateLimit
from .media_port import MediaFactory
from .tokens import OneTimeTokens, Tokens

__all__ = ["DigitsListener", "NodeState"]

logger = logging.getLogger(__name__)

INVITATION_LIFETIME_S = 60.0
"""How long a one-time token waits to be used; clients use it within a second."""

TOKEN_EXPIRED = "Timer expired awaiting token refresh"  # noqa: S105 - a reason, no secret

IN_MAINTENANCE = "System in maintenance mode"
NODE_FULL = "Out of resource"

DigitsListener = Callable[[str, ParticipantUuid, str], None]
"""Called with alias, participant and DTMF digits it sent."""


class NodeState:
    """Conferences by alias, sessions by token. Driven by requests and by the next token that ends."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        media: MediaFactory,
        tasks: asyncio.TaskGroup,
        dial: Dialler | None,
        on_digits: DigitsListener | None,
    ) -> None:
        self.config = config
        self.url = ""
        self.version = Version(version_id=config.version, pseudo_version=config.pseudo_version)
        self.conferences: dict[str, Conference] = {}
        self.pin_tries = RateLimit(burst=config.pin_tries, per_s=config.pin_tries / config.pin_window_s)
        self.request_rate = RateLimit(burst=config.request_burst, per_s=config.requests_per_s)
        self._media = media
        self._tasks = tasks
        self._dial = dial
        self._on_digits = on_digits
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time() - self._loop.time()
        self._tokens: Tokens[Session] = Tokens(
            lifetime_s=config.token_lifetime_s, grace_s=config.token_grace_s, draw=_draw_token
        )
        self._invitations: OneTimeTokens[Invitation] = OneTimeTokens(lifetime_s=INVITATION_LIFETIME_S, draw=_draw_token)
        self._expiry = Alarm(self._on_expiry)
        self._closing = False

    @property
    def now(self) -> float:
        """The moment, on the loop's clock."""
        return self._loop.time()

    def find(self, alias: str) -> RoomSettings | None:
        """Return what an alias leads to, None when nowhere."""
        settings = self.config.conferences.get(alias)
        if settings is not None:
            return msgspec.structs.replace(settings, alias=alias)
        return RoomSettings(alias=alias) if self.config.is_open and _is_alias(alias) else None

    def join(self, settings: RoomSettings, newcomer: Newcomer, alias: str) -> Session | Outcome:
        """Let one in, into a conference that lives or now comes to life."""
        if self._closing:
            return Outcome(status=HTTPStatus.SERVICE_UNAVAILABLE, result=IN_MAINTENANCE)
        people = sum(len(conference.room.participants) for conference in self.conferences.values())
        conference = self.conferences.get(settings.alias)
        is_full = people >= self.config.participant_limit and newcomer.dialled is None
        if is_full or (conference is None and len(self.conferences) >= self.config.conference_limit):
            return Outcome(status=HTTPStatus.SERVICE_UNAVAILABLE, result=NODE_FULL)
        if conference is None:
            conference = self.conferences[settings.alias] = Conference(
                settings,
                self,
                media=self._media,
                epoch=self._epoch,
                draw_uuid=lambda: str(uuid.uuid4()),
                dial=self._dial,
            )
        return conference.join(newcomer, alias)

    def issue(self, session: Session) -> Token:
        """Give a session a new token."""
        token = self._tokens.issue(session, self.now)
        self._expiry.set(self._tokens.next_expiry())
        return token

    def session(self, token: str, alias: str) -> Session | None:
        """Return whose token this is, if it belongs to this alias."""
        session = self._tokens.holder(token, self.now)
        if session is None or alias not in (session.alias, session.conference.settings.alias):
            return None
        return session

    def expire(self, session: Session) -> None:
        """Let a session's tokens end now, as if it had not refreshed."""
        self._tokens.expire(session, self.now)
        self._expiry.set(self._tokens.next_expiry())

    def redeem(self, token: str) -> Invitation | None:
        """Take a one-time token."""
        return self._invitations.redeem(token, self.now)

    def forget_all(self) -> None:
        """Forget every conference without telling anybody, as a node that restarts: streams break, tokens are void."""
        for conference in list(self.conferences.values()):
            for session in conference.sessions.values():
                session.mailbox.cut()
            conference.apply(conference.room.end(IN_MAINTENANCE, self.now))

    async def aclose(self) -> None:
        """End every conference and let nobody in any more. Idempotent."""
        self._closing = True
        self._expiry.set(None)
        for conference in list(self.conferences.values()):
            conference.apply(conference.room.end(IN_MAINTENANCE, self.now))

    # What a conference asks for (ConferenceHost)

    def invite(self, invitation: Invitation) -> Token:
        """Make a one-time token."""
        return self._invitations.issue(invitation, self.now)

    def spawn(self, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a job that may wait; what it raises is logged and goes no further."""
        return self._tasks.create_task(_guard(job))

    def end_session(self, session: Session) -> None:
        """End a session's tokens."""
        self._tokens.revoke(session)
        self._expiry.set(self._tokens.next_expiry())

    def end_conference(self, conference: Conference) -> None:
        """Forget a conference that nobody is in, and end its media."""
        if self.conferences.get(conference.settings.alias) is conference:
            del self.conferences[conference.settings.alias]
            self.spawn(conference.aclose())

    def on_digits(self, alias: str, participant: ParticipantUuid, digits: str) -> None:
        """Pass DTMF digits on to whoever listens."""
        if self._on_digits is not None:
            self._on_digits(alias, participant, digits)

    def _on_expiry(self) -> None:
        for session in self._tokens.pull_expired(self.now):
            session.conference.leave(session.participant, TOKEN_EXPIRED, tell=True)
        self._expiry.set(self._tokens.next_expiry())


async def _guard(job: Coroutine[None, None, None]) -> None:
    try:
        await job
    except Exception:  # a job's outermost frame: one call that fails must not end the node
        logger.exception("! job of the node")


def _draw_token() -> str:
    return secrets.token_urlsafe(32)


def _is_alias(alias: str) -> bool:
    """Whether anybody could mean this: not empty, not endless, in letters one can see."""
    return 0 < len(alias) <= 250 and alias.isprintable()
