"""The media of one conference: calls come and go, sound is mixed, pictures are forwarded.

This is the earnest side of `media_port.MediaPort`; the room decides, this obeys and reports. Sound is
`conference_media_sound`, pictures are `conference_media_pictures` and `forwarding`, a call and its lines are
`conference_media_call`. All methods belong to the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time as clocks
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import SdpError
from ..protocol.models import CallUuid, ParticipantUuid
from ..protocol.room_settings import RoomSettings, ServiceKind
from ..webrtc.peer import PeerConfig
from ..webrtc.statistics import RtpStatistics
from ..webrtc.transport_statistics import PathStatistics
from .conference_media_call import Boards, MediaCall
from .conference_media_pictures import Slides, Source, Stage
from .conference_media_sound import ConferenceSound
from .media_port import CallAnswer, CallOffer, MediaListener, StreamOffer
from .presentation_frames import PresentationFrames
from .rtmp import RtmpPublisher, RtmpStream

__all__ = ["ConferenceMedia", "ConferenceMediaConfig"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferenceMediaConfig:
    """How the media of a node's conferences are set up; one for all of them."""

    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports and servers of every call."""
    bitrate_bps: int = 3_732_480
    """What each client may send at most on a video line (observed: the TIAS of a real node's answer)."""
    rtmp_ports: tuple[int, int] | None = None
    """First and last TCP port to wait for RTMP publishers on; None leaves it to the kernel."""
    echo_s: float = 2.0
    """A test call: how long until sound and picture come back."""


class ConferenceMedia:
    """The media of one conference.

    Args:
        settings: tells a test call from a conference.
        listener: learns of voices, digits, lost calls and presentation pictures.
        config: transport and limits.
    """

    def __init__(
        self, settings: RoomSettings, listener: MediaListener, config: ConferenceMediaConfig | None = None
    ) -> None:
        self._config = config or ConferenceMediaConfig()
        self._listener = listener
        self._calls: dict[CallUuid, MediaCall] = {}
        self._streams: dict[CallUuid, RtmpPublisher | RtmpStream] = {}
        self._muted: set[ParticipantUuid] = set()
        self._admitted: frozenset[ParticipantUuid] = frozenset()
        self._sound = ConferenceSound(
            on_voice=lambda participant, speaking: listener.on_voice(participant, speaking=speaking),
            on_delays=self._follow_delays,
        )
        self._stage = Stage()
        self._slides = Slides(self._follow_slides)
        self._frames: tuple[Source, PresentationFrames] | None = None
        self._retired_frames: list[PresentationFrames] = []
        is_test = settings.service_type is ServiceKind.TEST_CALL
        self._boards = Boards(
            sound=self._sound,
            stage=self._stage,
            slides=self._slides,
            echo_s=self._config.echo_s if is_test else None,
        )

    async def add_call(self, offer: CallOffer) -> CallAnswer:
        """See `MediaPort.add_call`."""
        call = MediaCall(
            offer,
            self._config.peer,
            self._boards,
            on_lost=lambda reason: self._listener.on_call_lost(offer.call, reason),
            on_digit=lambda digit: self._listener.on_digits(offer.participant, digit),
            bitrate_bps=self._config.bitrate_bps,
        )
        try:
            answer = await call.answer(offer.sdp)
        except BaseException:
            await asyncio.shield(call.aclose())
            raise
        self._calls[offer.call] = call
        if self._boards.echo_s is None:
            self._sound.start()
        self._apply_mute(offer.participant)
        return answer

    async def update_call(self, call: CallUuid, sdp: str) -> CallAnswer:
        """See `MediaPort.update_call`."""
        known = self._calls.get(call)
        if known is None:
            raise SdpError("the call has ended")
        answer = await known.answer(sdp)
        self._apply_mute(known.participant)
        return answer

    async def add_candidate(self, call: CallUuid, candidate: str, mid: str | None) -> None:
        """See `MediaPort.add_candidate`."""
        if known := self._calls.get(call):
            await known.peer.add_candidate(candidate, mid)

    def ack(self, call: CallUuid) -> None:
        """See `MediaPort.ack`."""
        if known := self._calls.get(call):
            known.ack()

    async def listen_stream(self, offer: StreamOffer) -> str:
        """See `MediaPort.listen_stream`."""
        addresses = self._config.peer.addresses
        publisher = RtmpPublisher(
            offer,
            self._boards,
            address=addresses[0] if addresses else "0.0.0.0",  # noqa: S104 - as media of all calls, when none is given
            ports=self._config.rtmp_ports,
            on_lost=lambda reason: self._listener.on_call_lost(offer.call, reason),
        )
        self._sound.start()
        url = await publisher.start()
        self._streams[offer.call] = publisher
        self._apply_mute(offer.participant)
        return url

    async def push_stream(self, offer: StreamOffer) -> None:
        """See `MediaPort.push_stream`."""
        stream = RtmpStream(offer, self._boards, on_lost=lambda reason: self._listener.on_call_lost(offer.call, reason))
        self._sound.start()
        await stream.start()
        self._streams[offer.call] = stream

    async def remove_call(self, call: CallUuid) -> None:
        """See `MediaPort.remove_call`."""
        if stream := self._streams.pop(call, None):
            await stream.aclose()
        if known := self._calls.pop(call, None):
            await known.aclose()

    def set_muted(self, participant: ParticipantUuid, *, muted: bool) -> None:
        """See `MediaPort.set_muted`."""
        (self._muted.add if muted else self._muted.discard)(participant)
        self._apply_mute(participant)

    def set_admitted(self, participant: ParticipantUuid, *, admitted: bool) -> None:
        """See `MediaPort.set_admitted`."""
        self._admitted = self._admitted | {participant} if admitted else self._admitted - {participant}
        self._apply_mute(participant)
        self._sound.set_hearing(self._admitted)
        self._stage.set_admitted(self._admitted)
        self._slides.set_admitted(self._admitted)

    def remove_participant(self, participant: ParticipantUuid) -> None:
        """See `MediaPort.remove_participant`."""
        self._muted.discard(participant)
        self._stage.forget(participant)
        self._slides.set_allowed(participant, allowed=True)
        self.set_admitted(participant, admitted=False)

    def set_stage(self, order: Sequence[ParticipantUuid]) -> None:
        """See `MediaPort.set_stage`."""
        self._stage.set_order(order)

    def set_layout(self, view: str) -> None:
        """See `MediaPort.set_layout`."""
        self._stage.set_layout(view)

    def set_name(self, participant: ParticipantUuid, name: str) -> None:
        """See `MediaPort.set_name`."""
        self._stage.set_name(participant, name)

    def set_floor(self, presenter: ParticipantUuid | None) -> None:
        """See `MediaPort.set_floor`."""
        self._slides.set_floor(presenter)

    def set_receives_presentation(self, participant: ParticipantUuid, *, allowed: bool) -> None:
        """See `MediaPort.set_receives_presentation`."""
        self._slides.set_allowed(participant, allowed=allowed)

    def send_digits(self, participant: ParticipantUuid, digits: str) -> None:
        """See `MediaPort.send_digits`."""
        for call in self._calls.values():
            if call.participant == participant and call.is_main:
                call.send_digits(digits)

    def statistics(self, call: CallUuid) -> list[RtpStatistics | PathStatistics]:
        """Return the W3C statistics of a call; none for an unknown one."""
        known = self._calls.get(call)
        return [] if known is None else known.peer.statistics(clocks.monotonic())

    async def aclose(self) -> None:
        """See `MediaPort.aclose`."""
        while calls := (*self._calls, *self._streams):
            await self.remove_call(calls[0])
        self._follow_slides(None)
        for frames in self._retired_frames:
            await frames.aclose()
        await self._stage.aclose()
        await self._sound.aclose()

    def _apply_mute(self, participant: ParticipantUuid) -> None:
        muted = participant in self._muted or participant not in self._admitted
        self._sound.set_muted(participant, muted=muted)

    def _follow_delays(self, delays: Mapping[ParticipantUuid, float]) -> None:
        self._stage.check(clocks.monotonic())
        self._stage.set_delays(delays)
        self._slides.set_delays(delays)

    def _follow_slides(self, source: Source | None) -> None:
        """Make still pictures of the presentation that runs, and mix it in where that is wanted."""
        self._stage.set_presentation(source)
        if self._frames is not None:
            old, frames = self._frames
            old.feed.remove_tap(frames)
            frames.stop()
            self._retired_frames.append(frames)
            self._frames = None
        self._retired_frames = [frames for frames in self._retired_frames if not frames.is_done]
        if source is not None:
            frames = PresentationFrames(self._listener.on_presentation_frame, source.feed.request_key_frame)
            frames.start()
            source.feed.add_tap(frames)
            self._frames = (source, frames)
