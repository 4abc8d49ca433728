"""Participants with a tone for a voice and a grey for a face: real peers on 127.0.0.1 for a conference's media."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import av
import numpy as np
from numpy.typing import NDArray

from pexrtc_py.media.decoding import AudioDecoding, Sound, VideoDecoding
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.node.conference_media import ConferenceMedia, ConferenceMediaConfig
from pexrtc_py.node.media_port import CallOffer
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.webrtc.line import Line
from pexrtc_py.webrtc.peer import Peer, PeerConfig

LOOPBACK = PeerConfig(addresses=("127.0.0.1",))


@dataclass
class Listener:
    """Keeps what a conference reports."""

    voices: list[tuple[str, bool]] = field(default_factory=list)
    digits: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    jpegs: list[bytes] = field(default_factory=list)
    has_lost: asyncio.Event = field(default_factory=asyncio.Event)

    def on_voice(self, participant: ParticipantUuid, *, speaking: bool) -> None:
        self.voices.append((participant, speaking))

    def on_digits(self, participant: ParticipantUuid, digits: str) -> None:
        self.digits.append((participant, digits))

    def on_call_lost(self, call: CallUuid, reason: str) -> None:
        self.lost.append((call, reason))
        self.has_lost.set()

    def on_presentation_frame(self, jpeg: bytes) -> None:
        self.jpegs.append(jpeg)


@dataclass
class Heard:
    """A tap that decodes sound."""

    sounds: list[Sound] = field(default_factory=list)
    frames: list[EncodedFrame] = field(default_factory=list)
    decoding: AudioDecoding = field(default_factory=AudioDecoding)

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, EncodedFrame):
            self.frames.append(item)
        self.sounds += self.decoding.feed(item)

    def end(self) -> None:
        pass

    def last(self, seconds: float) -> NDArray[np.int16]:
        """The newest samples."""
        samples = [sound.samples[:, 0] for sound in self.sounds] or [np.zeros(0, np.int16)]
        return np.concatenate(samples)[-round(48000 * seconds) :]


@dataclass
class Seen:
    """A tap that decodes pictures."""

    frames: list[EncodedFrame] = field(default_factory=list)
    pictures: list[tuple[float, av.VideoFrame]] = field(default_factory=list)
    decoding: VideoDecoding = field(default_factory=VideoDecoding)

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, EncodedFrame):
            self.frames.append(item)
        self.pictures += [(picture.time, picture.frame) for picture in self.decoding.feed(item)]

    def end(self) -> None:
        pass

    @property
    def grey(self) -> int | None:
        """Brightness in the middle of the newest picture."""
        if not self.pictures:
            return None
        return luma_of(self.pictures[-1][1])


class Client:
    """A participant with a tone for a voice and a grey for a face."""

    def __init__(self, name: str, *, hertz: float = 0.0, grey: int = 0, codec: Codec = Codec.VP8) -> None:
        self.name = ParticipantUuid(name)
        self.call = CallUuid(f"call-{name}")
        self.peer = Peer(LOOPBACK)
        self.heard, self.seen, self.slides = Heard(), Seen(), Seen()
        self.hertz, self.grey, self.codec = hertz, grey, codec
        self.audio: Line | None = None
        self.video: Line | None = None
        self.present: Line | None = None
        self.sent: list[EncodedFrame] = []
        self._key_wanted = True

    async def join(self, media: ConferenceMedia, *, present: str | None = None, ack: bool = True) -> None:
        """Offer, take the answer, connect."""
        offer = await self.peer.create_offer()
        media.set_admitted(self.name, admitted=True)
        answer = await media.add_call(CallOffer(participant=self.name, call=self.call, sdp=offer, present=present))
        await self.peer.accept_answer(answer.sdp)
        await media.add_candidate(self.call, "", "0")
        if ack:
            media.ack(self.call)
        async with asyncio.timeout(10):
            await self.peer.connected()
        self.attach()

    async def update(self, media: ConferenceMedia) -> None:
        """Negotiate again on the same transport."""
        answer = await media.update_call(self.call, await self.peer.create_offer())
        await self.peer.accept_answer(answer.sdp)
        media.ack(self.call)
        self.attach()

    def attach(self) -> None:
        """Listen on every line that receives, and answer requests for key frames."""
        for line in self.peer.lines:
            if line.receiver is not None and line.direction.receives:
                pictures = self.slides if line is self.present else self.seen
                tap = self.heard if line.kind is Kind.AUDIO else pictures
                line.receiver.remove_tap(tap)
                line.receiver.add_tap(tap)
            if line.sender is not None and line.kind is Kind.VIDEO:
                line.sender.on_key_frame_request = self.ask

    def ask(self) -> None:
        """Make the next picture a key frame."""
        self._key_wanted = True

    def take_request(self) -> bool:
        """Say whether the next picture is to be a key frame."""
        wanted, self._key_wanted = self._key_wanted, False
        return wanted

    def add_main(self, *codecs: Codec) -> None:
        """Add audio and main video lines, of more codecs than its own when told."""
        self.audio = self.peer.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        self.video = self.peer.add_line(
            Kind.VIDEO, direction=Direction.SENDRECV, codecs=codecs or [self.codec], content=Content.MAIN
        )

    def add_slides(self, direction: Direction) -> None:
        """Add a slides line."""
        self.present = self.peer.add_line(Kind.VIDEO, direction=direction, codecs=[self.codec], content=Content.SLIDES)


def grey_picture(grey: int, width: int = 160, height: int = 120) -> av.VideoFrame:
    """A picture of one grey."""
    picture = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(picture.planes, (grey, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return picture


def luma_of(frame: av.VideoFrame, x: float = 0.5, y: float = 0.5) -> int:
    """Brightness at a place, 0 to 1 of width and height."""
    return int(frame.to_ndarray(format="yuv420p")[int(frame.height * y), int(frame.width * x)])


async def perform(clients: Sequence[Client], seconds: float, *, on_slides: bool = False) -> None:
    """Let clients speak and show their faces (or slides) in real time: 50 packets and 25 pictures a second."""
    sounds = {client.name: AudioEncoder() for client in clients}
    faces = {client.name: VideoEncoder(client.codec, 160, 120, 25, 200_000) for client in clients}
    began = time.monotonic()
    for tick in range(round(seconds * 50)):
        now = began + tick / 50
        await asyncio.sleep(max(0.0, now - time.monotonic()))
        for client in clients:
            if client.hertz and client.audio is not None and client.audio.sender is not None:
                phase = (tick * 960 + np.arange(960)) * 2 * np.pi * client.hertz / 48000
                wave = (6000 * np.sin(phase)).astype(np.int16)
                for frame in sounds[client.name].encode(wave, rtp_time=tick * 960, time=now):
                    client.audio.sender.push(frame)
            line = client.present if on_slides else client.video
            if client.grey and tick % 2 == 0 and line is not None and line.sender is not None:
                picture = grey_picture(client.grey)
                for frame in faces[client.name].encode(
                    picture, rtp_time=tick * 1800, time=now, force_key=client.take_request()
                ):
                    client.sent.append(frame)
                    line.sender.push(frame)


@asynccontextmanager
async def conference(
    *clients: Client, settings: RoomSettings | None = None, echo_s: float = 0.5
) -> AsyncIterator[tuple[ConferenceMedia, Listener]]:
    """A conference and its clients, all closed at the end."""
    listener = Listener()
    config = ConferenceMediaConfig(peer=LOOPBACK, echo_s=echo_s)
    media = ConferenceMedia(settings or RoomSettings(alias="meet.test"), listener, config)
    try:
        yield media, listener
    finally:
        for client in clients:
            await client.peer.aclose()
        await media.aclose()


def strength(samples: NDArray[np.int16], hertz: float) -> float:
    """Amplitude of one frequency."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / 48000)
    return float(2 * abs(np.dot(samples.astype(np.float64), wave)) / max(1, len(samples)))
