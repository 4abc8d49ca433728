"""One WebRTC call of a conference: its peer, and what each of its lines is joined to.

Lines are told apart by what the offer says of them and by what the call is for, never by their place: a presentation
call (`present` send or receive) has slides only; elsewhere a video line is slides when it says so, or when it is the
second one and says nothing. Joining is done anew after each negotiation and is idempotent: what a line may do decides.

What the client sends is taken as soon as it comes. What it receives waits until the transport is connected and the
client has acknowledged the answer, or has not within a second: clients that never send `ack` have been observed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import LocalProtocolError, MediaError
from ..media.frames import Codec, Kind, Tap
from ..protocol.models import CallUuid, ParticipantUuid
from ..protocol.opus import opus_wishes
from ..protocol.sdp import Content
from ..webrtc.line import Line
from ..webrtc.peer import Peer, PeerConfig, PeerState
from ..webrtc.receiver import Receiver
from ..webrtc.sender import Sender
from .conference_media_echo import Delay
from .conference_media_lines import PictureLine, answer_policy, sendable_codecs
from .conference_media_pictures import UNLIMITED_BPS, Slides, Source, Stage
from .conference_media_sound import ConferenceSound
from .forwarding import Feed, Outlet
from .media_port import CallAnswer, CallOffer

__all__ = ["Boards", "MediaCall"]

logger = logging.getLogger(__name__)

_ACK_GRACE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """What the lines of calls are joined to; one set per conference."""

    sound: ConferenceSound
    """The mix."""
    stage: Stage
    """The main pictures."""
    slides: Slides
    """The presentation."""
    echo_s: float | None
    """A test call: send everything back after so many seconds, and join nothing."""


@dataclass(slots=True)
class _Joint:
    """What one line is joined to at present."""

    voice: Tap | None = None
    heard: tuple[Codec, Sender] | None = None
    source: Source | None = None
    board: Stage | Slides | None = None
    outlet: Outlet | None = None
    codecs: tuple[Codec, ...] = ()
    echo: Delay | None = None


class MediaCall:
    """One call. Driven by offers, candidates, `ack`, and the peer's state.

    Args:
        offer: whose call it is, and what for.
        on_lost: told the reason when the transport ended without us.
        on_digit: told each DTMF digit of the client.

    Attributes:
        participant: whose call it is.
        is_main: whether it carries main sound and picture.
    """

    def __init__(
        self,
        offer: CallOffer,
        config: PeerConfig,
        boards: Boards,
        *,
        on_lost: Callable[[str], None],
        on_digit: Callable[[str], None],
        bitrate_bps: int,
    ) -> None:
        self.participant: ParticipantUuid = offer.participant
        self.is_main = offer.present not in ("send", "receive")
        self._slides_in_main = offer.present == "main"
        self.peer = Peer(config)
        self.peer.on_state = self._follow
        self._uuid: CallUuid = offer.call
        self._boards = boards
        self._on_lost = on_lost
        self._on_digit = on_digit
        self._bitrate_bps = bitrate_bps
        self._joints: dict[str, tuple[Line, _Joint]] = {}
        self._limits: dict[str, int] = {}
        self._answering = asyncio.Lock()
        self._acked = self._connected = self._started = self._closed = False
        self._grace: asyncio.TimerHandle | None = None

    async def answer(self, sdp: str) -> CallAnswer:
        """Answer the first offer, or a later one, one after the other. When cancelled the call can only be closed.

        Raises:
            SdpError: the offer cannot be used.
            CodecMismatch: no codec in common.
            MediaError: the call has ended meanwhile, or there is no address for media.
        """
        async with self._answering:
            answer = await self.peer.answer_offer(sdp, answer_policy(sdp, self._bitrate_bps))
            if self._closed:
                raise MediaError("the call has ended")
            await self._join()
        live = [line for line in self.peer.lines if not line.rejected and not self._is_slides(line)]
        return CallAnswer(
            sdp=answer,
            has_audio=any(line.kind is Kind.AUDIO for line in live),
            has_video=any(line.kind is Kind.VIDEO for line in live),
        )

    def ack(self) -> None:
        """Let media flow to the client once it is connected."""
        self._acked = True
        self._start_when_ready()

    def send_digits(self, digits: str) -> None:
        """Play DTMF to the client; lost when no sound is sent yet, or the client takes no telephone events."""
        for line in self.peer.lines:
            if line.kind is Kind.AUDIO and line.sender is not None and line.direction.sends:
                try:
                    line.sender.send_digits(digits)
                except LocalProtocolError as exc:
                    logger.info("! digits for call %s are lost: %s", self._uuid, exc)

    async def aclose(self) -> None:
        """Leave the conference and end the transport. Idempotent."""
        self._closed = True
        if self._grace is not None:
            self._grace.cancel()
        for line, joint in self._joints.values():
            await self._part(line, joint)
        await self.peer.aclose()

    # The peer's state

    def _follow(self, state: PeerState) -> None:
        if self._closed:
            return
        logger.debug("= call %s is %s", self._uuid, state)
        if state is PeerState.CONNECTED:
            self._connected = True
            if self._grace is None:
                self._grace = asyncio.get_running_loop().call_later(_ACK_GRACE_S, self.ack)
            self._start_when_ready()
        elif state in (PeerState.FAILED, PeerState.CLOSED):
            self._on_lost("Call disconnected" if self._connected else "Ice failure")

    def _start_when_ready(self) -> None:
        if self._connected and self._acked and not self._started and not self._closed:
            self._started = True
            for line in self.peer.lines:
                if line.direction.sends and line.sender is not None:
                    self._join_sending(line, line.sender, self._joint(line))

    # Joining lines

    async def _join(self) -> None:
        """Join and part lines by what was negotiated, and part those whose places others have now."""
        for line, joint in tuple(self._joints.values()):
            if line not in self.peer.lines:
                del self._joints[line.mid]
                await self._part(line, joint)
        for line in self.peer.lines:
            joint = self._joint(line)
            if line.direction.receives and line.receiver is not None:
                self._join_receiving(line, line.receiver, joint)
            else:
                await self._part_receiving(line, joint)
            if line.direction.sends and line.sender is not None and self._started:
                self._join_sending(line, line.sender, joint)
            elif not line.direction.sends:
                self._part_sending(line, joint)

    def _joint(self, line: Line) -> _Joint:
        return self._joints.setdefault(line.mid, (line, _Joint()))[1]

    def _is_slides(self, line: Line) -> bool:
        if line.kind is not Kind.VIDEO:
            return False
        if not self.is_main or line.content is Content.SLIDES:
            return True
        videos = [other for other in self.peer.lines if other.kind is Kind.VIDEO]
        return line.content is None and line is not videos[0]

    def _board_of(self, line: Line) -> Stage | Slides:
        return self._boards.slides if self._is_slides(line) else self._boards.stage

    def _join_receiving(self, line: Line, receiver: Receiver, joint: _Joint) -> None:
        if line.kind is Kind.AUDIO:
            receiver.on_digit = self._on_digit
        if self._boards.echo_s is not None:
            return
        if line.kind is Kind.AUDIO:
            if joint.voice is None and self.is_main:
                joint.voice = self._boards.sound.add_input(self.participant)
                receiver.add_tap(joint.voice)
        elif joint.source is None:
            joint.board = self._board_of(line)
            joint.source = joint.board.publish(
                self.participant,
                receiver.request_key_frame,
                lambda bps: self._limit(line.mid, bps, receiver),
            )
            receiver.add_tap(joint.source.feed)

    def _limit(self, mid: str, bitrate_bps: int, receiver: Receiver) -> None:
        """Tell the client what may be sent on a line; an estimate is of all its streams together."""
        self._limits[mid] = bitrate_bps
        receiver.limit_bitrate(min(sum(self._limits.values()), UNLIMITED_BPS))

    async def _part_receiving(self, line: Line, joint: _Joint) -> None:
        if joint.voice is not None:
            if line.receiver is not None:
                line.receiver.remove_tap(joint.voice)
            self._boards.sound.remove_input(self.participant, joint.voice)
            joint.voice = None
        if joint.source is not None and joint.board is not None:
            source, joint.source = joint.source, None
            self._limits.pop(line.mid, None)
            if line.receiver is not None:
                line.receiver.remove_tap(source.feed)
            await joint.board.unpublish(self.participant, source)

    def _join_sending(self, line: Line, sender: Sender, joint: _Joint) -> None:
        codecs = sendable_codecs(line)
        if not codecs:
            return
        if self._boards.echo_s is not None:
            self._join_echo(line, sender, joint, self._boards.echo_s)
        elif line.kind is Kind.AUDIO:
            heard = sender.config.codec, sender
            if joint.heard != heard and self.is_main:
                joint.heard = heard
                self._boards.sound.add_output(self.participant, *heard)
                self._heed_loss(line, sender)
        elif joint.codecs != codecs:
            self._part_sending(line, joint)
            joint.codecs = codecs
            outlet = Outlet(PictureLine(line, sender), codecs=codecs, name=f"call {self._uuid} line {line.mid}")
            joint.outlet = outlet
            if sender.config.max_bitrate_bps is None:
                # Without a limit of its own the sender would take no notice of estimates and losses.
                sender.reconfigure(replace(sender.config, max_bitrate_bps=self._bitrate_bps))
            else:
                outlet.set_limit(sender.config.max_bitrate_bps)
            sender.on_bitrate = outlet.set_limit
            sender.on_key_frame_request = outlet.request_key_frame
            key = (self._uuid, line.mid)
            if self._slides_in_main:
                self._boards.stage.mark(key)
            self._board_of(line).watch(key, self.participant, outlet)

    def _heed_loss(self, line: Line, sender: Sender) -> None:
        """Have sound encoded for the loss that is reported, for who can use error correction."""
        payload = line.send_payload
        if payload is None or sender.config.codec is not Codec.OPUS or not opus_wishes(payload.parameters).fec:
            return

        def expect(percent: int) -> None:
            self._boards.sound.expect_loss(self.participant, sender, percent)

        sender.expected_loss.on_change = expect
        expect(sender.expected_loss.percent)

    def _part_sending(self, line: Line, joint: _Joint) -> None:
        if joint.heard is not None:
            joint.heard[1].expected_loss.on_change = None
            self._boards.sound.remove_output(self.participant, joint.heard[1])
            joint.heard = None
        if joint.outlet is not None:
            self._boards.stage.unwatch((self._uuid, line.mid))
            self._boards.slides.unwatch((self._uuid, line.mid))
            joint.outlet.close()
            joint.outlet, joint.codecs = None, ()

    def _join_echo(self, line: Line, sender: Sender, joint: _Joint, seconds: float) -> None:
        receiver = line.receiver
        if receiver is None or joint.echo is not None:
            return
        if line.kind is Kind.AUDIO:
            joint.echo = Delay(sender, seconds)
        else:
            feed = Feed(receiver.request_key_frame, delay_s=0.0)
            joint.outlet = Outlet(PictureLine(line, sender), codecs=sendable_codecs(line), name=f"echo {self._uuid}")
            joint.outlet.show(feed)
            sender.on_key_frame_request = joint.outlet.request_key_frame
            joint.echo = Delay(feed, seconds)
        receiver.add_tap(joint.echo)

    async def _part(self, line: Line, joint: _Joint) -> None:
        if joint.echo is not None:
            if line.receiver is not None:
                line.receiver.remove_tap(joint.echo)
            joint.echo.end()
            joint.echo = None
        self._part_sending(line, joint)
        await self._part_receiving(line, joint)
