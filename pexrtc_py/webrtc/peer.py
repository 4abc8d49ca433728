"""One end of a call: offers and answers, one transport under all lines, receivers and senders that outlive changes.

A peer is used as `async with Peer(config) as peer`, or made and closed with `aclose` by whoever owns it. Descriptions
go in and out as text; everything else is lines.
"""

from __future__ import annotations

import logging
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from ..errors import IceFailed, LocalProtocolError, MediaError, SdpError
from ..media.frames import Codec, Kind
from ..protocol import negotiation
from ..protocol.negotiation import MID, AnswerPolicy, NegotiatedLine, TransportParameters
from ..protocol.sdp import (
    Content,
    Direction,
    SessionDescription,
    Setup,
    parse_candidate,
    parse_sdp,
    serialize_sdp,
)
from .clock import CallClock, SendClock
from .feedback import TransportFeedbackRecorder, TransportSequence
from .feedback_follower import FeedbackFollower
from .gathering import IceServer
from .impairment import Impairment
from .line import Line, draw_sources, offered_line
from .line_media import receiver_config, sender_config
from .receiver import Receiver
from .receiver_config import ReceiverConfig
from .routing import Router
from .sender import Sender
from .statistics import RtpStatistics
from .sweep import HOLD_S
from .timers import GRAIN_S, REQUEST_GRAIN_S, PolledRecorder, Requests, SharedTimer, Timed
from .transport import MediaTransport
from .transport_config import TransportConfig, TransportHandlers, TransportState
from .transport_statistics import PathStatistics, codec_statistics

__all__ = ["AnswerPolicy", "IceServer", "Peer", "PeerConfig", "PeerState"]

logger = logging.getLogger(__name__)

PeerState = TransportState

# What is read late is asked for late, and waited for in proportion.
_RELAXED_PATIENCE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig(TransportConfig):
    """How a peer is made."""


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
        self._router = Router()
        self._lines: list[Line] = []
        self._origin_id = secrets.randbits(62)
        self._origin_version = 0
        self._cname = str(uuid.uuid4())
        self._offered: SessionDescription | None = None
        self._remote: TransportParameters | None = None
        self._timer = SharedTimer(self._timed, grain_s=HOLD_S if self._config.relaxed else GRAIN_S)
        self._request_timer = SharedTimer(self._requests, grain_s=REQUEST_GRAIN_S)
        self._state = PeerState.NEW
        self._client: bool | None = None
        self._restarting = False
        self.clock = CallClock()
        self.send_clock = SendClock(time.monotonic, time.time())
        self.on_state: Callable[[PeerState], None] | None = None
        self.timings: dict[str, float] = {}
        self._recorder: PolledRecorder | None = None
        self._transport_sequence = TransportSequence()
        handlers = TransportHandlers(
            on_rtp=self._router.handle_rtp, on_rtcp=self._router.handle_rtcp, on_state=self._follow
        )
        self._transport = MediaTransport(self._config, handlers, self.timings)

    @property
    def lines(self) -> Sequence[Line]:
        """All lines in their order, refused ones included."""
        return tuple(self._lines)

    @property
    def state(self) -> PeerState:
        """Where the peer stands."""
        return self._state

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
        index = len(self._lines)
        taken = {line.mid for line in self._lines}
        mid = next(name for name in map(str, range(index, 2 * index + 1)) if name not in taken)
        line = Line(
            index=index,
            mid=mid,
            kind=kind,
            content=content,
            sources=draw_sources(kind, self._cname),
            wanted=direction,
            codecs=codecs,
            wanted_bitrate_bps=bitrate_bps,
        )
        self._lines.append(line)
        return line

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
        self._apply(settled)
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
        known = [line.sources for line in self._lines]
        sources = [*known, *(draw_sources(Kind.VIDEO, self._cname) for _ in offer.media[len(known) :])]
        answer, settled = negotiation.create_answer(offer, policy, local, sources.__getitem__, origin=self._origin())
        self._offered = None  # the peer's offer goes before one of ours that it has not answered
        for agreed in settled:
            line = offered_line(agreed, sources[agreed.index], policy)
            if agreed.index == len(self._lines):
                self._lines.append(line)
            elif self._lines[agreed.index].kind is not line.kind or self._lines[agreed.index].mid != line.mid:
                self._drop(self._lines[agreed.index])  # its place is used again (RFC 8829 section 5.2.2)
                self._lines[agreed.index] = line
        self._apply(settled)
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
        found: list[RtpStatistics | PathStatistics] = [*self._transport.statistics(now)]
        for line in self._lines:
            if line.negotiated is not None:
                found += codec_statistics(line.negotiated, now)
            if line.receiver is not None:
                found += line.receiver.statistics(now)
            if line.sender is not None:
                found += line.sender.statistics(now)
        return found

    def impair(self, impairment: Impairment) -> None:
        """Make the network another one, of a peer that was configured with an impairment."""
        self._transport.impair(impairment)

    async def aclose(self) -> None:
        """End the call: taps of all receivers end, the peer is told, sockets and tasks are released. Idempotent."""
        self._timer.close()
        self._request_timer.close()
        for line in self._lines:
            self._drop(line)
        await self._transport.aclose()

    def _drop(self, line: Line) -> None:
        self._router.set_receiver(line.mid, None)
        if line.sender is not None:
            line.sender.end()
            self._router.remove_sender(line.sender)
        if line.receiver is not None:
            line.receiver.close()

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

    def _apply(self, settled: Sequence[NegotiatedLine]) -> None:
        """Let each line do what was agreed, and nothing more."""
        for line, agreed in zip(self._lines, settled, strict=True):
            line.negotiated = agreed
            direction = agreed.direction
            if line.kind is None:
                continue
            if direction.receives:
                self._receive_on(line, agreed)
            else:
                self._router.set_receiver(line.mid, None)
            if direction.sends:
                self._send_on(line, agreed)
        self._enable_senders()
        self._router.set_mid_extension(next((n for item in settled if (n := item.extensions.get(MID))), None))

    def _enable_senders(self) -> None:
        """Let senders drop what comes before there is a path: they go on with a key frame."""
        connected = self._state in (PeerState.CONNECTED, PeerState.DISCONNECTED)
        for line in self._lines:
            if line.sender is not None:
                line.sender.set_enabled(enabled=connected and line.direction.sends)

    def _receive_on(self, line: Line, agreed: NegotiatedLine) -> None:
        config = receiver_config(agreed, line.sources, max_bitrate_bps=line.wanted_bitrate_bps)
        if self._config.relaxed:
            config = replace(config, patience_s=_RELAXED_PATIENCE_S)
        if line.receiver is None:
            recorder = self._recorder_of(config)
            line.receiver = Receiver(config, self._transport.media.send_rtcp, self.clock, transport_feedback=recorder)
            line.receiver.on_timer = self._timer.arm if self._config.relaxed else self._arm
        else:
            line.receiver.reconfigure(config)
        self._router.set_receiver(
            line.mid,
            line.receiver,
            payload_types=config.formats.keys(),
            ssrcs=agreed.remote_ssrcs,
            on_first=lambda arrival: self._note_first(line, arrival),
        )

    def _send_on(self, line: Line, agreed: NegotiatedLine) -> None:
        if line.sender is None:
            config = sender_config(agreed, line.sources)
            line.sender = Sender(
                config,
                self._transport.media.send_rtp,
                self._transport.media.send_rtcp,
                self.send_clock,
                transport_sequence=self._transport_sequence,
            )
            line.sender.on_timer = self._timer.arm
            self._router.add_sender(line.sender)
            if config.transport_sequence_id is not None and self._transport_sequence.follower is None:
                follower = self._transport_sequence.follower = FeedbackFollower(self._share_queue)
                self._router.set_feedback(follower.handle_feedback)
        else:
            line.sender.reconfigure(sender_config(agreed, line.sources, before=line.sender.config))

    def _share_queue(self, through_bps: int, now: float) -> None:
        """Tell each sender its part of what gets through, while a queue grows: by what they were to send."""
        rates = [line.sender.rate for line in self._lines if line.sender is not None and line.sender.follows]
        shares = [rate.bitrate_bps or 0 for rate in rates]
        for rate, share in zip(rates, shares, strict=True):
            rate.handle_queue(through_bps * share // max(1, sum(shares)), now)

    def _recorder_of(self, config: ReceiverConfig) -> TransportFeedbackRecorder | None:
        """The one recorder of transport-wide feedback, made when it is first negotiated."""
        number = config.transport_sequence_id
        if self._recorder is None and number is not None and config.feedback.transport:
            recorder = TransportFeedbackRecorder(number, config.local_ssrc, self._transport.media.send_rtcp)
            self._recorder = PolledRecorder(recorder, lambda: self._transport.media.counts.packets_received)
        return self._recorder.recorder if self._recorder is not None else None

    def _note_first(self, line: Line, arrival: float) -> None:
        self.timings.setdefault(f"first_rtp:{line.mid}", arrival)

    def _arm(self) -> None:
        self._request_timer.arm()
        self._timer.arm()

    def _requests(self) -> Iterator[Timed]:
        return (Requests(line.receiver) for line in self._lines if line.receiver is not None)

    def _timed(self) -> Iterator[Timed]:
        for line in self._lines:
            if line.receiver is not None:
                yield line.receiver
            if line.sender is not None:
                yield line.sender
        if self._recorder is not None:
            yield self._recorder

    def _follow(self, state: TransportState) -> None:
        self._state = state
        self._enable_senders()
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
