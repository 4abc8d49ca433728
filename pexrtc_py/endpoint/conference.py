"""One participant in one conference: joins, watches, controls, calls, and leaves on every way out.

`connect` is the door. What only asks the node is `conference.client`: one method per operation of the API. What needs
media is `conference.call`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from ..errors import PexrtcError, RemoteProtocolError, SessionClosed, UsageError
from ..protocol.events import BreakoutEnd, BreakoutEvent, CallDisconnected, PresentationStart
from ..protocol.models import (
    FloorRequest,
    Message,
    Participant,
    ParticipantUuid,
    Role,
    TokenResult,
    decode_model,
    encode_model,
)
from ..protocol.roster import Roster
from ..signalling import EventSubscription, NodeClient, Session, SessionConfig, open_session
from ..signalling.failures import printable
from ..tasks import task_owner
from ..webrtc.gathering import IceServer, parse_ice_url
from .addresses import media_addresses
from .call import Call, CallConfig, open_call
from .phases import JoinPhases

__all__ = ["BOT_TAG", "RECORDER_TAG", "Conference", "connect", "is_bot", "open_conference"]

logger = logging.getLogger(__name__)

BOT_TAG = "pexrtc-bot"
"""The `call_tag` by which our participants are known as bots in every roster."""
RECORDER_TAG = BOT_TAG + ":record"
"""The `call_tag` of a bot that records: our node's page says so to everybody."""

_RELEASE_S = 2.0
"""How long we wait for the node to take the floor back; leaving the conference gives it back too."""


def is_bot(participant: Participant) -> bool:
    """Whether a participant is one of ours: it does not count as a person."""
    return participant.call_tag.startswith(BOT_TAG)


class Conference:
    """A joined conference; made by `connect`."""

    def __init__(self, session: Session, phases: JoinPhases) -> None:
        self._session = session
        self._calls: list[Call] = []
        self.phases = phases

    @property
    def session(self) -> Session:
        """Token, event stream and reason of the end."""
        return self._session

    @property
    def client(self) -> NodeClient:
        """Every operation of the API as a typed method, authenticated."""
        return self._session.client

    @property
    def participant_uuid(self) -> ParticipantUuid:
        """Who we are in the roster."""
        return self._session.participant_uuid

    @property
    def role(self) -> Role:
        """Host or guest, as it is now."""
        return self._session.role

    @property
    def roster(self) -> Roster:
        """The conference as its events have it, live."""
        return self._session.roster

    @property
    def participants(self) -> Mapping[ParticipantUuid, Participant]:
        """Everybody in the conference, ourselves included, live."""
        return self._session.roster.participants

    @property
    def presentation(self) -> PresentationStart | None:
        """The presentation of somebody else that is running; None when there is none."""
        running = self.roster.presentation
        return running if running is not None and running.presenter_uuid != self.participant_uuid else None

    def events(self) -> EventSubscription:
        """Subscribe to all events from now on; each subscriber has its own bounded queue."""
        return self._session.events()

    async def say(self, text: str) -> None:
        """Send a chat message to everybody. Cancelling is safe, the message may have been sent.

        Raises:
            PexrtcError: the node refused, or cannot be reached.
        """
        await self.client.conference_message(Message(type="text/plain", payload=text))

    async def present_pictures(self, jpegs: AsyncIterable[bytes]) -> None:
        """Present pictures without a call, for as long as they come: each is a JPEG, shown until the next.

        The floor is taken before the first and given back at the end, also when cancelled. Somebody else may take it
        meanwhile: then the node refuses the next picture.

        Raises:
            Forbidden: we may not present, or somebody else does by now.
            PexrtcError: the node refused, or cannot be reached.
        """
        me = self.participant_uuid
        await self.client.participant_take_floor(me, FloorRequest(jpegs=True))
        try:
            async for jpeg in jpegs:
                await self.client.presentation_upload(jpeg)
        finally:
            with suppress(PexrtcError, TimeoutError):
                async with asyncio.timeout(_RELEASE_S):
                    await self.client.participant_release_floor(me)

    async def ended(self) -> SessionClosed:
        """Wait until the conference is over for us; return why. Cancelling is safe."""
        return await self._session.wait_closed()

    def call(self, config: CallConfig | None = None) -> AbstractAsyncContextManager[Call]:
        """Call the node: `async with conference.call() as call: ...; await call.connected()`.

        Any number of calls at once; a presentation may be one of its own. Leaving the block hangs up.

        Args:
            config: what to carry; main audio and video both ways by default. Without media addresses of its own it
                gets those that fit the node, and without ICE servers those the node named.

        Raises:
            PexrtcError: the node refused, cannot be reached, or its answer cannot be used.
        """
        return open_call(self._session, self._placed(config or CallConfig()), self._phases_of_call(), self._calls)

    def _phases_of_call(self) -> JoinPhases:
        """The first call finishes the milestones of joining; a further one has its own."""
        return self.phases if self.phases.offered is None else JoinPhases(started=time.monotonic())

    def _placed(self, config: CallConfig) -> CallConfig:
        """Fill in addresses and ICE servers that the caller left to us."""
        peer, told = config.peer, self._session.token_result
        if not peer.addresses:
            peer = replace(peer, addresses=media_addresses(self._session.client.node_url))
        if not peer.ice_servers:
            peer = replace(peer, ice_servers=_ice_servers(told))
        if told.use_relay_candidates_only is True:
            peer = replace(peer, relay_only=True)
        return replace(config, peer=peer)

    async def _follow_calls(self) -> None:
        with suppress(SessionClosed):
            async for event in self._session.events():
                if isinstance(event, CallDisconnected):
                    self._end_call(event, None)
                elif isinstance(event, BreakoutEvent) and event.event == "call_disconnected":
                    with suppress(RemoteProtocolError):
                        told = decode_model(encode_model(event.data), CallDisconnected)
                        self._end_call(told, event.breakout_uuid)
                elif isinstance(event, BreakoutEnd):
                    for call in [c for c in self._calls if c.config.breakout == event.breakout_uuid]:
                        call.end("the breakout has ended")
        closed = self._session.closed
        for call in list(self._calls):
            call.end(closed.reason if closed is not None else "the session has ended")

    def _end_call(self, told: CallDisconnected, breakout: str | None) -> None:
        for call in [c for c in self._calls if c.uuid == told.call_uuid and c.config.breakout == breakout]:
            call.end(printable(told.reason) or "disconnected by the node")


def _ice_servers(told: TokenResult) -> tuple[IceServer, ...]:
    """The servers a node names; what is no URL of one must not cost the call."""
    servers = [IceServer(urls=(server.url,)) for server in told.stun or ()]
    servers += [
        IceServer(urls=tuple(turn.urls), username=turn.username or "", credential=turn.credential or "")
        for turn in told.turn or ()
    ]
    return tuple(replace(server, urls=tuple(filter(_is_usable, server.urls))) for server in servers)


def _is_usable(url: str) -> bool:
    try:
        parse_ice_url(url)
    except UsageError as exc:
        logger.warning("! the node names a server that cannot be used: %s", exc)
        return False
    return True


@asynccontextmanager
async def open_conference(config: SessionConfig) -> AsyncIterator[Conference]:
    """Join by a full configuration; leaving the block leaves the conference, releases the token, ends every task.

    Raises:
        RefusedError: the node will not have us; its subclasses say what to do.
        PexrtcError: no node could be reached or used.
    """
    phases = JoinPhases(started=time.monotonic())
    async with open_session(config) as session:
        phases.token = time.monotonic()
        conference = Conference(session, phases)
        async with task_owner() as tasks:
            tasks.start(conference._follow_calls(), name="pexrtc calls")
            tasks.start(_note_sync(session, phases), name="pexrtc sync")
            yield conference


async def _note_sync(session: Session, phases: JoinPhases) -> None:
    with suppress(SessionClosed):
        await session.wait_for(lambda s: s.roster.synced)
        phases.events = time.monotonic()


def connect(
    node_url: str,
    alias: str,
    *,
    display_name: str = "pexrtc_py",
    pin: str | None = None,
    call_tag: str = BOT_TAG,
) -> AbstractAsyncContextManager[Conference]:
    """Join a conference: `async with connect("https://node.example.com", "meet.alice") as conference: ...`.

    Args:
        node_url: `https://host[:port]` of a conferencing node.
        alias: alias of the conference.
        display_name: the name others see.
        pin: PIN of the Host or the guest, when the conference has one.
        call_tag: a mark that participant lists show; the default says that we are a bot.

    Raises:
        RefusedError: the node will not have us; its subclasses say what to do.
        PexrtcError: the node could not be reached or used.
    """
    return open_conference(
        SessionConfig(node_url=node_url, alias=alias, display_name=display_name, pin=pin, call_tag=call_tag)
    )
