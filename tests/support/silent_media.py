"""Media that does nothing, for tests of HTTP alone: it answers every offer and notes what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pexrtc_py.errors import MediaError, SdpError
from pexrtc_py.node.media_port import CallAnswer, CallOffer, MediaListener, StreamOffer
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings

__all__ = ["SilentMedia", "SilentMediaMaker"]

ANSWER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@dataclass
class SilentMedia:
    """The media of one conference, without any."""

    settings: RoomSettings
    listener: MediaListener
    calls: dict[CallUuid, CallOffer] = field(default_factory=dict)
    streams: dict[CallUuid, StreamOffer] = field(default_factory=dict)
    acked: list[CallUuid] = field(default_factory=list)
    candidates: list[tuple[str, str | None]] = field(default_factory=list)
    muted: dict[ParticipantUuid, bool] = field(default_factory=dict)
    admitted: dict[ParticipantUuid, bool] = field(default_factory=dict)
    names: dict[ParticipantUuid, str] = field(default_factory=dict)
    receives: dict[ParticipantUuid, bool] = field(default_factory=dict)
    stage: tuple[ParticipantUuid, ...] = ()
    view: str = ""
    floor: ParticipantUuid | None = None
    played: list[tuple[ParticipantUuid, str]] = field(default_factory=list)
    closed: bool = False

    async def add_call(self, offer: CallOffer) -> CallAnswer:
        return self._answer(offer.call, offer)

    async def update_call(self, call: CallUuid, sdp: str) -> CallAnswer:
        return self._answer(call, self.calls[call], sdp)

    def _answer(self, call: CallUuid, offer: CallOffer, sdp: str | None = None) -> CallAnswer:
        text = sdp or offer.sdp
        if not text.startswith("v=0"):
            raise SdpError("no v= line", line=1)
        self.calls[call] = offer
        return CallAnswer(sdp=ANSWER, has_audio="m=audio" in text, has_video="m=video" in text)

    async def add_candidate(self, call: CallUuid, candidate: str, mid: str | None) -> None:
        self.candidates.append((candidate, mid))

    def ack(self, call: CallUuid) -> None:
        self.acked.append(call)

    async def listen_stream(self, offer: StreamOffer) -> str:
        self.streams[offer.call] = offer
        return f"rtmp://{offer.host}:40002/pexip/{offer.call}"

    async def push_stream(self, offer: StreamOffer) -> None:
        if "refuses" in offer.url:
            raise MediaError("rtmp server refuses")
        self.streams[offer.call] = offer

    async def remove_call(self, call: CallUuid) -> None:
        self.calls.pop(call, None)
        self.streams.pop(call, None)

    def set_muted(self, participant: ParticipantUuid, *, muted: bool) -> None:
        self.muted[participant] = muted

    def set_admitted(self, participant: ParticipantUuid, *, admitted: bool) -> None:
        self.admitted[participant] = admitted

    def set_name(self, participant: ParticipantUuid, name: str) -> None:
        self.names[participant] = name

    def set_stage(self, order: Sequence[ParticipantUuid]) -> None:
        self.stage = tuple(order)

    def set_layout(self, view: str) -> None:
        self.view = view

    def set_floor(self, presenter: ParticipantUuid | None) -> None:
        self.floor = presenter

    def set_receives_presentation(self, participant: ParticipantUuid, *, allowed: bool) -> None:
        self.receives[participant] = allowed

    def send_digits(self, participant: ParticipantUuid, digits: str) -> None:
        self.played.append((participant, digits))

    def remove_participant(self, participant: ParticipantUuid) -> None:
        self.admitted.pop(participant, None)

    async def aclose(self) -> None:
        self.calls.clear()
        self.streams.clear()
        self.closed = True


class SilentMediaMaker:
    """Makes `SilentMedia` and keeps the latest of each alias to look at."""

    def __init__(self) -> None:
        self.made: dict[str, SilentMedia] = {}

    def __call__(self, settings: RoomSettings, listener: MediaListener) -> SilentMedia:
        media = self.made[settings.alias] = SilentMedia(settings, listener)
        return media
