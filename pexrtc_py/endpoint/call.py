"""One call: an offer to the node, its answer, and media until either side ends it.

The order is that of the guide, with `ack` sent as soon as the answer is taken, as real clients do: a node may hold
media back until then, and none waits for ICE. What the lines carry is decided by `CallConfig`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from ..errors import IceFailed, MediaError, PexrtcError, UsageError
from ..media.frames import Codec, EncodedFrame, Gap, Kind
from ..protocol.models import CallKind, CallRequest, CallUuid, ParticipantUuid, Present, UpdateRequest
from ..protocol.sdp import Content, Direction
from ..signalling import NodeClient, Session
from ..signalling.failures import printable
from ..webrtc.line import Line
from ..webrtc.peer import Peer, PeerConfig, PeerState
from ..webrtc.receiver import Receiver
from ..webrtc.stats_dump import ConnectionDump
from .call_dump import dumping
from .phases import JoinPhases

__all__ = ["AUDIO_CODECS", "VIDEO_CODECS", "Call", "CallConfig", "open_call"]

logger = logging.getLogger(__name__)

AUDIO_CODECS = (Codec.OPUS, Codec.G722, Codec.PCMU, Codec.PCMA)
"""Audio codecs in the order we like them."""
VIDEO_CODECS = (Codec.VP8, Codec.H264, Codec.VP9)
"""Video codecs in the order we like them: VP8 first, which every node and every container but MP4 takes."""

_HANG_UP_S = 2.0
"""How long we wait for the node to hear that a call is over; it finds out by itself if not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallConfig:
    """What a call shall carry, seen from us."""

    audio: Direction = Direction.SENDRECV
    """Main audio; `INACTIVE` leaves the line out."""
    video: Direction = Direction.SENDRECV
    """Main video, or the presentation when `present` says so; `INACTIVE` leaves the line out."""
    slides: Direction | None = None
    """A presentation line in the same call, as clients of today have it; None leaves it out."""
    present: Present | None = None
    """`SEND` or `RECEIVE`: this call is a presentation, as the guide has it. `MAIN`: mixed into the main picture."""
    breakout: str | None = None
    """UUID of the breakout to call into, one of `roster.breakouts`; None calls the conference itself."""
    audio_codecs: Sequence[Codec] = AUDIO_CODECS
    """In order of preference."""
    video_codecs: Sequence[Codec] = VIDEO_CODECS
    """In order of preference."""
    slides_codecs: Sequence[Codec] | None = None
    """Of the presentation line, in order of preference; None: as of main video."""
    bandwidth_bps: int | None = None
    """Most that we want to receive of each picture, bits per second."""
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports, TURN, impairment."""
    connect_timeout_s: float = 15.0
    """How long `Call.connected` waits: a node that answers at all is connected in well under a second."""


class _FirstFrame:
    """A tap that notes when the first frame came, then goes away."""

    def __init__(self, receiver: Receiver, phases: JoinPhases, kind: Kind) -> None:
        self._receiver = receiver
        self._phases = phases
        self._kind = kind
        receiver.add_tap(self)

    def push(self, item: EncodedFrame | Gap) -> None:
        """Note the first frame that can be decoded."""
        if isinstance(item, Gap) or not item.key:
            return
        if self._kind is Kind.AUDIO:
            self._phases.first_audio = item.arrival
        else:
            self._phases.first_video = item.arrival
        self._receiver.remove_tap(self)

    def end(self) -> None:
        """The call ended before any frame came."""


class Call:
    """A call in progress; made by `Conference.call`."""

    def __init__(self, session: Session, config: CallConfig, peer: Peer, phases: JoinPhases) -> None:
        self._me, self._client = _who_asks(session, config.breakout)
        self._peer = peer
        self._updating = asyncio.Lock()
        self._ended = asyncio.Event()
        self._ended_by_node = False
        self._peer.on_state = self._follow
        self._dump: ConnectionDump | None = None
        self.config = config
        self.phases = phases
        self.uuid = CallUuid("")
        self.offer_sdp = self.answer_sdp = ""  # as they went over the wire first; they hold ICE passwords
        self.ended_reason: str | None = None
        self.audio = self._add_line(Kind.AUDIO, config.audio, None, config.audio_codecs)
        presents = config.present in (Present.SEND, Present.RECEIVE)
        content = Content.SLIDES if presents else Content.MAIN
        self.video = self._add_line(Kind.VIDEO, config.video, content, config.video_codecs)
        self.slides = self.video if presents else None
        if config.slides is not None and not presents:
            self.slides = self._peer.add_line(
                Kind.VIDEO,
                direction=config.slides,
                content=Content.SLIDES,
                codecs=config.video_codecs if config.slides_codecs is None else config.slides_codecs,
                bitrate_bps=config.bandwidth_bps,
            )

    @property
    def peer(self) -> Peer:
        """The transport and its lines; for statistics and what this class does not offer."""
        return self._peer

    async def connected(self) -> None:
        """Wait until media can flow. Cancelling is safe.

        Raises:
            IceFailed: no path for media within `connect_timeout_s`.
            DtlsFailed: there is a path, and the handshake failed on it.
        """
        try:
            async with asyncio.timeout(self.config.connect_timeout_s):
                await self._peer.connected()
        except TimeoutError as exc:
            state = self._peer.state.value
            raise IceFailed(f"no media path within {self.config.connect_timeout_s:g} s ({state})") from exc
        self.phases.ice = self._peer.timings.get("ice_connected")
        self.phases.dtls = self._peer.timings.get("dtls_connected")

    async def ended(self) -> str:
        """Wait until the node ends the call or its transport fails; return the reason. Cancelling is safe."""
        await self._ended.wait()
        return self.ended_reason or "call ended"

    def _follow(self, state: PeerState) -> None:
        if self._dump is not None:
            self._dump.event("onconnectionstatechange", state.value, time.monotonic())
        if state is PeerState.FAILED:
            self.end("the media path is gone", by_node=False)

    def end(self, reason: str, *, by_node: bool = True) -> None:
        """Note that the call is over; called once the node or, not `by_node`, the transport says so."""
        if not self._ended.is_set():
            self.ended_reason = reason
            self._ended_by_node = by_node
            self._ended.set()
            logger.info("x call %s: %s", printable(self.uuid), reason)

    async def send_digits(self, digits: str) -> None:
        """Send DTMF digits of this call to the conference: 0-9, *, #, A-D (guide: Call functions, dtmf).

        Raises:
            PexrtcError: the node refused, or cannot be reached.
        """
        await self._client.call_dtmf(self._me, self.uuid, digits)

    async def set_slides(self, direction: Direction) -> None:
        """Turn the presentation line of this call to `direction` by a new offer, as clients of today do.

        Raises:
            PexrtcError: the node refused, or cannot be reached.
        """
        if self.slides is None or self.slides is self.video:
            raise MediaError("this call has no presentation line of its own")
        async with self._updating:
            self.slides.wanted = direction
            await self._offer_again()

    async def renew_path(self) -> bool:
        """Look for another path for the media of this call: `update` with an ICE restart. All else stays as it is.

        For a call that has fallen silent; the old path may come back meanwhile. Cancelling is safe, and leaves that.

        Returns:
            Whether media can flow; False when the node took no part in it, so that only another call helps.

        Raises:
            IceFailed: there is no other path either.
            PexrtcError: the node refused, or cannot be reached.
        """
        async with self._updating:
            await self._offer_again(restart=True)
        await self.connected()
        return self._peer.state is PeerState.CONNECTED

    async def _offer_again(self, *, restart: bool = False) -> None:
        me, client = self._me, self._client
        offer = await self._peer.create_offer(restart=restart)
        self._note("setLocalDescription", offer)
        answer = await client.call_update(me, self.uuid, UpdateRequest(sdp=offer))
        sdp = answer if isinstance(answer, str) else answer.sdp
        self._note("setRemoteDescription", sdp if isinstance(sdp, str) else "")
        await self._peer.accept_answer(sdp if isinstance(sdp, str) else "")
        await client.call_ack(me, self.uuid)

    def _add_line(
        self, kind: Kind, direction: Direction, content: Content | None, codecs: Sequence[Codec]
    ) -> Line | None:
        if direction is Direction.INACTIVE:
            return None
        return self._peer.add_line(
            kind,
            direction=direction,
            content=content if kind is Kind.VIDEO else None,
            codecs=codecs,
            bitrate_bps=self.config.bandwidth_bps if kind is Kind.VIDEO else None,
        )

    async def _set_up(self) -> None:
        me, client = self._me, self._client
        offer = self.offer_sdp = await self._peer.create_offer()
        self._note("setLocalDescription", offer)
        self.phases.offered = time.monotonic()
        result = await client.participant_calls(
            me, CallRequest(call_type=CallKind.WEBRTC, sdp=offer, present=self.config.present)
        )
        self.uuid = result.call_uuid
        if not isinstance(result.sdp, str) or not result.sdp:
            raise MediaError("the node answered without a session description (direct media is not supported)")
        self.answer_sdp = result.sdp
        self._note("setRemoteDescription", result.sdp)
        await self._peer.accept_answer(result.sdp)
        self.phases.answered = time.monotonic()
        for line, kind in ((self.audio, Kind.AUDIO), (self.video, Kind.VIDEO)):
            if line is not None and line.receiver is not None:
                _FirstFrame(line.receiver, self.phases, kind)
        await client.call_ack(me, self.uuid)
        self.phases.acked = time.monotonic()

    def _note(self, name: str, sdp: str) -> None:
        """Dump a description: ours is an offer, the node's an answer."""
        if self._dump is not None:
            kind = "offer" if name == "setLocalDescription" else "answer"
            self._dump.describe(name, kind, sdp, time.monotonic())

    async def _hang_up(self) -> None:
        self._peer.on_state = None  # the node may close the path before it answers, and that is no loss
        if not self.uuid or self._ended_by_node:
            return
        try:
            async with asyncio.timeout(_HANG_UP_S):
                await self._client.call_disconnect(self._me, self.uuid)
        except (PexrtcError, TimeoutError) as exc:
            logger.debug("! call %s: disconnect: %s", printable(self.uuid), exc)


def _who_asks(session: Session, breakout: str | None) -> tuple[ParticipantUuid, NodeClient]:
    """Return who we are where the call goes, and what to ask with there."""
    if breakout is None:
        return session.participant_uuid, session.client
    inside = session.roster.breakouts.get(breakout)
    if inside is None:
        raise UsageError(f"breakout {printable(breakout)!r}: there is none that we may look into")
    return inside.participant_uuid, session.client.in_breakout(breakout)


@asynccontextmanager
async def open_call(session: Session, config: CallConfig, phases: JoinPhases, calls: list[Call]) -> AsyncIterator[Call]:
    """Call the node; hang up on leaving, however that happens.

    The call is yielded as soon as the node has answered and taken `ack`: add taps, then wait for `connected`. It stands
    among `calls` from the beginning: the node may end it before it has answered.

    Raises:
        PexrtcError: the node refused, cannot be reached, or its answer cannot be used.
    """
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(Peer(config.peer))
        call = Call(session, config, peer, phases)
        call._dump = stack.enter_context(dumping(peer, config.peer))
        calls.append(call)
        try:
            await call._set_up()
            if session.closed is not None:
                call.end(session.closed.reason)
            yield call
        finally:
            calls.remove(call)
            await call._hang_up()
            call.end("hung up")
