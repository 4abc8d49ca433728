"""One end of a call: offers and answers, one transport under all lines, receivers and senders that outlive changes.

A peer is used as `async with Peer(config) as peer`, or made and closed with `aclose` by whoever owns it. Descriptions
go in and out as text; everything else is lines.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ..errors import IceFailed, LocalProtocolError, MediaError, SdpError
from ..media.frames import Codec, Kind
from ..protocol import negotiation
from ..protocol.negotiation import AnswerPolicy, TransportParameters
from ..protocol.sdp import (
    Content,
    Direction,
    SessionDescription,
    Setup,
    parse_candidate,
    parse_sdp,
    serialize_sdp,
)
from .clock import SenderMemory
from .gathering import IceServer
from .impairment import Impairment, TwoWayImpairment
from .line import Line, offered_line
from .line_set import LineSet
from .statistics import RtpStatistics
from .stats_dump import StatsDump
from .transport import MediaTransport
from .transport_config import TransportConfig, TransportHandlers, TransportState
from .transport_statistics import PathStatistics

__all__ = ["AnswerPolicy", "IceServer", "Peer", "PeerConfig", "PeerState"]

logger = logging.getLogger(__name__)

PeerState = TransportState

# What is read late is asked for late, and waited for in proportion.
_RELAXED_PATIENCE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig(TransportConfig):
    """How a peer is made."""

    memory: SenderMemory | None = None
    """Of peers that follow each other, or stand beside each other, on one timeline: see `clock`."""
    dump: StatsDump | None = None
    """Where whoever calls with this peer dumps what it tells."""


class Peer:
    """One end of a call.

    Driven by: `add_line`, `create_offer`, `accept_answer`, `answer_offer`, `add_candidate`, `aclose`; packets; a timer.

    Attributes:
        clock: the one timeline of everything this peer receives.
        send_clock: the one wall clock of everything it sends.
        on_state: told each new state.
        timings: seconds on `time.monotonic`: `gathered`, `started`, `ice_connected`, `dtls_connected`, and
            `first_rtp:<mid>` of each line.
    """

    def __init__(self, config: PeerConfig | None = None) -> None:
        self._config = config or PeerConfig()
        self._origin_id = secrets.randbits(62)
        self._origin_version = 0
        self._offered: SessionDescription | None = None
        self._remote: TransportParameters | None = None
        self._state = PeerState.NEW
        self._client: bool | None = None
        self._restarting = False
        self.on_state: Callable[[PeerState], None] | None = None
        self.timings: dict[str, float] = {}
        self._lines = LineSet(relaxed=self._config.relaxed, timings=self.timings, memory=self._config.memory)
        self.clock = self._lines.clock
        self.send_clock = self._lines.send_clock
        router = self._lines.router
        handlers = TransportHandlers(on_rtp=router.handle_rtp, on_rtcp=router.handle_rtcp, on_state=self._follow)
        self._transport = MediaTransport(self._config, handlers, self.timings)
        self._lines.media = self._transport.media
        router.on_forgotten = self._transport.media.forget

    @property
    def lines(self) -> Sequence[Line]:
        """All lines in their order, refused ones included."""
        return tuple(self._lines)

    @property
    def state(self) -> PeerState:
        """Where the peer stands."""
        return self._state

    @property
    def datagrams_overflowed(self) -> int:
        """Datagrams that came and found no room in our sockets; lost on this machine, not in the network."""
        return self._transport.datagrams_overflowed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def add_line(
        self,
        kind: Kind,
        *,
        direction: Direction,
        codecs: Sequence[Codec],
        content: Content | None = None,
        bitrate_bps: int | None = None,
    ) -> Line:
        """Add a line; the next offer asks for it.

        Args:
            kind: audio or video.
            direction: what we want to do on it.
            codecs: what we can do, the preferred first.
            content: main or slides.
            bitrate_bps: what we want to receive at most.
        """
        return self._lines.add(kind, direction=direction, codecs=codecs, content=content, bitrate_bps=bitrate_bps)

    async def create_offer(self, *, restart: bool = False) -> str:
        """Write an offer of all lines, with all local candidates. The answer goes to `accept_answer`.

        With `restart` it asks for a new path (ICE restart), when the old one is bad or gone; the old one carries media
        as long as it can. Before the first answer it means nothing.

        Cancelling is safe; a cancelled first offer leaves a peer that can only be closed.

        Raises:
            IceFailed: no local address can be used, relay only and no relay answered, or the peer was closed meanwhile.
        """
        self._check_open()
        if restart and self._remote is not None:
            await self._transport.prepare_restart()
            self._restarting = True
        await self._transport.gather()
        self._check_still_open()
        local = self._transport.local_parameters(Setup.ACTPASS if self._client is None else self._setup())
        offer = negotiation.create_offer([line.offer() for line in self._lines], local, origin=self._origin())
        self._offered = offer
        return serialize_sdp(offer)

    async def accept_answer(self, sdp: str) -> None:
        """Settle the offer made last, and begin to connect when this was the first. Cancelling is safe.

        A restart that the peer leaves out of its answer is given up: the path stays as it is, and where there is none
        any more `connected` says so at once.

        Raises:
            SdpError: the answer cannot be read, or is none to this offer.
            CodecMismatch: no line is left that both sides can do.
        """
        self._check_open()
        if self._offered is None:
            raise LocalProtocolError("an answer came in, and no offer was made")
        answer = parse_sdp(sdp)
        settled = negotiation.apply_answer(self._offered, answer)
        remote = negotiation.transport_parameters(answer)
        self._offered = None
        if self._client is None:
            # We offered to be either; an answer of actpass, which is wrong, leaves us the active part.
            self._client = remote.setup is not Setup.ACTIVE
        self._lines.apply(settled)
        if self._restarting and self._remote is not None and _same_credentials(self._remote, remote):
            # RFC 8839 section 4.4.2 has it change both; a peer that does not know restarts goes on as it was.
            logger.warning("! the peer took no part in the ICE restart: the path stays as it is")
            self._restarting = False
            await self._transport.abandon_restart()
        await self._connect(remote, controlling=True)

    async def answer_offer(self, sdp: str, policy: AnswerPolicy) -> str:
        """Answer the peer's offer, and begin to connect when it was the first.

        Cancelling is safe; a cancelled first answer leaves a peer that can only be closed.

        Raises:
            SdpError: the offer cannot be read, or has no transport.
            CodecMismatch: no line is left that both sides can do.
            IceFailed: no local address can be used, relay only and no relay answered, or the peer was closed meanwhile.
        """
        self._check_open()
        offer = parse_sdp(sdp)
        remote = negotiation.transport_parameters(offer)
        await self._transport.gather()
        restarting = self._remote is not None and self._remote.ufrag != remote.ufrag
        if restarting:
            await self._transport.prepare_restart()
        elif self._restarting:  # one of ours, which the peer's offer goes before
            await self._transport.abandon_restart()
        self._restarting = restarting
        self._check_still_open()
        try:
            answer = self._answer(offer, remote, policy)
        except (SdpError, MediaError):
            if restarting:
                self._restarting = False
                await self._transport.abandon_restart()
            raise
        await self._connect(remote, controlling=False)
        return answer

    def _answer(self, offer: SessionDescription, remote: TransportParameters, policy: AnswerPolicy) -> str:
        """Agree on an offer, let the lines do what was agreed, and write the answer."""
        if self._client is None:
            self._client = negotiation.answer_setup(remote.setup) is Setup.ACTIVE
        local = self._transport.local_parameters(self._setup())
        if len(offer.media) < len(self._lines):
            raise SdpError(f"{len(offer.media)} lines offered, where there were {len(self._lines)}")
        sources = self._lines.draw_sources(len(offer.media))
        answer, settled = negotiation.create_answer(offer, policy, local, sources.__getitem__, origin=self._origin())
        self._offered = None  # the peer's offer goes before one of ours that it has not answered
        for agreed in settled:
            self._lines.place(offered_line(agreed, sources[agreed.index], policy))
        self._lines.apply(settled)
        return serialize_sdp(answer)

    async def add_candidate(self, candidate: str, mid: str | None = None) -> None:
        """Take a candidate the peer trickled; an empty one, which says that there are no more, changes nothing.

        Names (mDNS) may take a second to resolve; cancelling is safe. All lines share a transport, so `mid` does not
        matter.

        Raises:
            SdpError: it cannot be read.
        """
        del mid
        if self._state is not PeerState.CLOSED:
            await self._transport.add_candidate(parse_candidate(candidate) if candidate.strip() else None)

    async def connected(self) -> None:
        """Wait until media can flow, over the new path after a restart; the deadline is the caller's.

        Cancelling is safe.

        Raises:
            IceFailed: no path was found, or the peer was closed meanwhile.
            DtlsFailed: the handshake failed.
        """
        await self._transport.connected()

    def statistics(self, now: float) -> list[RtpStatistics | PathStatistics]:
        """Describe the path, the codecs and the streams of all lines, in W3C's terms.

        Args:
            now: `time.monotonic`.
        """
        path = self._transport.statistics(now, available_bps=self._lines.available_bps)
        return [*path, *self._lines.statistics(now)]

    def impair(self, impairment: Impairment | TwoWayImpairment) -> None:
        """Make the network another one, of a peer that was configured with an impairment; one means both ways."""
        self._transport.impair(impairment)

    async def aclose(self) -> None:
        """End the call: taps of all receivers end, the peer is told, sockets and tasks are released. Idempotent."""
        try:
            self._lines.close()
        finally:  # what a tap raises at its end must not keep the sockets open
            await self._transport.aclose()

    async def _connect(self, remote: TransportParameters, *, controlling: bool) -> None:
        """Start the transport by the first description of the peer, and restart it where both are ready to."""
        first, self._remote = self._remote is None, remote
        restarting, self._restarting = self._restarting, False
        client = self._client is True
        if first:
            self._transport.start(remote, controlling=controlling, client=client)
        elif restarting:
            self._transport.restart(remote, controlling=controlling, client=client)
        elif self._state is PeerState.CONNECTING:
            for candidate in remote.candidates:
                await self._transport.add_candidate(candidate)

    def _follow(self, state: TransportState) -> None:
        self._state = state
        self._lines.enable(enabled=state in (PeerState.CONNECTED, PeerState.DISCONNECTED))
        if self.on_state is not None:
            self.on_state(state)

    def _setup(self) -> Setup:
        return Setup.ACTIVE if self._client else Setup.PASSIVE

    def _origin(self) -> str:
        self._origin_version += 1
        return f"- {self._origin_id} {self._origin_version} IN IP4 127.0.0.1"

    def _check_open(self) -> None:
        if self._state is PeerState.CLOSED:
            raise LocalProtocolError("the peer is closed")

    def _check_still_open(self) -> None:
        if self._state is PeerState.CLOSED:
            raise IceFailed("the peer was closed meanwhile")


def _same_credentials(before: TransportParameters, now: TransportParameters) -> bool:
    return (before.ufrag, before.password) == (now.ufrag, now.password)
