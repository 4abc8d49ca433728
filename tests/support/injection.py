"""Known faults put into known media, and what the probe makes of them: for truth tests and `make bench truth`.

All is real but the time: pictures and sound go through encoders and decoders, packets through our sender, a bad link
and our receiver, and a composed picture is drawn as the node draws it. What was injected is counted here, beside and
apart from whatever measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import av
import numpy as np

from pexrtc_py.media.compositor_canvas import Canvas, SceneTile
from pexrtc_py.media.decoding import AudioDecoding, Picture, VideoDecoding
from pexrtc_py.media.encoding import FRAME_SAMPLES, AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.marks import Plane
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.sources.generated import plain_picture
from pexrtc_py.probe.hearing import SoundTimes, SoundWatch
from pexrtc_py.probe.network import NetworkWatch
from pexrtc_py.probe.reference import write_skew
from pexrtc_py.probe.scores import Jitter, Losses, percentile
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.watching import PictureTimes, PictureWatch
from pexrtc_py.protocol.layout import LAYOUTS
from pexrtc_py.webrtc.impairment import ImpairedLink, Impairment
from pexrtc_py.webrtc.receiver_config import Feedback
from pexrtc_py.webrtc.rtp import parse_header

from ..webrtc.link import Link, opus_frame, vp8_frame

FPS = 30
CONFIG = ReferenceConfig(width=640, height=360, first_id=1000)
START = 5000.0
"""When the source's second 0 is sent, on the listener's clock."""
DECODING = 0.004
"""What decoding a picture takes."""


def median(values: Iterable[float]) -> float:
    return percentile(values, 50)


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


@dataclass
class Room:
    """What lies between source and listener."""

    video_delay: float = 0.05
    audio_delay: float = 0.05
    shown: Callable[[int], int | None] = lambda number: number
    """Which frame is sent in place of frame `number`; None: a black one."""
    compose: Callable[[av.VideoFrame], av.VideoFrame] | None = None
    """What the node makes of a decoded picture."""
    sound: Callable[[int, np.ndarray], np.ndarray] = lambda piece, samples: samples
    """What is sent in place of a piece of 20 ms."""
    late: dict[int, float] = field(default_factory=dict)
    """Seconds by which the picture at a place is late."""


def frame_of(plane: Plane) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuv420p")


def quarter() -> Callable[[av.VideoFrame], av.VideoFrame]:
    """Return what the node does in a layout of two: each a quarter of the picture, its name over it; encoded again."""
    canvas, other = Canvas(1280, 720), Reference(replace(CONFIG, first_id=CONFIG.first_id + (1 << 22), seed=2))
    mine, theirs = (
        SceneTile(source=name, label=name, x=tile.x, y=tile.y, width=tile.width, height=tile.height)
        for name, tile in zip(("Ann", "Bob"), LAYOUTS["4:0"].tiles(2), strict=True)
    )
    encoder, decoding = VideoEncoder(Codec.VP8, 1280, 720, FPS, 2_000_000), VideoDecoding()
    count = 0

    def compose(frame: av.VideoFrame) -> av.VideoFrame:
        nonlocal count
        canvas.clear()
        for tile, shown in ((theirs, other.picture(count)), (mine, frame)):
            canvas.draw(shown, tile)
            canvas.write(tile)
        time = START + count / FPS
        (encoded,) = encoder.encode(canvas.frame(), rtp_time=count * 3000, time=time, force_key=count == 0)
        (picture,) = decoding.feed(encoded)
        count += 1
        return picture.frame

    return compose


def watch(room: Room, seconds: int, codec: Codec = Codec.VP8) -> tuple[SeriesBook, PictureWatch]:
    """Carry reference pictures through a codec and watch them."""
    book, reference = SeriesBook(), Reference(CONFIG)
    watched = PictureWatch(book, START, reference=Reference(CONFIG), sent_at=lambda number: START + number / FPS)
    encoder = VideoEncoder(codec, CONFIG.width, CONFIG.height, FPS, 1_500_000)
    decoding = VideoDecoding()
    for place in range(seconds * FPS):
        number = room.shown(place)
        frame = reference.picture(number) if number is not None else plain_picture(CONFIG.width, CONFIG.height)
        time = START + place / FPS
        for encoded in encoder.encode(frame, rtp_time=place * 3000, time=time, force_key=place == 0):
            for picture in decoding.feed(encoded):
                shown = room.compose(picture.frame) if room.compose else picture.frame
                at = time + room.video_delay + room.late.get(place, 0.0)
                watched.see(
                    Picture(frame=shown, rtp_time=picture.rtp_time, time=time + room.video_delay, key=picture.key),
                    PictureTimes(arrival=at, decoded=at + DECODING),
                )
    watched.finish(START + seconds + room.video_delay + DECODING)
    return book, watched


def listen(room: Room, seconds: int, *, answers: bool = False) -> tuple[SeriesBook, SoundWatch]:
    """Carry reference sound through Opus and listen to it."""
    book, reference = SeriesBook(), Reference(CONFIG)
    watched = SoundWatch(book, START, sent_at=lambda number: START + number, answers=answers)
    encoder, decoding = AudioEncoder(), AudioDecoding()
    for piece in range(seconds * 50):
        samples = room.sound(piece, reference.sound(piece))
        time = START + piece / 50
        for packet in encoder.encode(samples, rtp_time=piece * FRAME_SAMPLES, time=time + room.audio_delay):
            for sound in decoding.feed(packet):
                at = time + room.audio_delay
                watched.hear(sound, SoundTimes(arrival=at, decoded=at + 0.001))
    watched.finish(START + seconds + room.audio_delay)
    return book, watched


def skews(skew: float, seconds: int, compose: Callable[[av.VideoFrame], av.VideoFrame] | None = None) -> list[float]:
    """Return what is measured when sound is so much earlier than the picture, seconds; the codec's delay included."""
    room = Room(video_delay=0.25 + skew, audio_delay=0.25, compose=compose)
    (book, pictures), (_, sound) = watch(room, seconds), listen(room, seconds)
    write_skew(book, START, pictures, sound)
    return book.values("av.skew_ms")


def sine(peak_dbfs: float) -> Callable[[int, np.ndarray], np.ndarray]:
    """Return 997 Hz of so much at its peak, in place of the reference's sound."""

    def sound(piece: int, samples: np.ndarray) -> np.ndarray:
        steps = piece * FRAME_SAMPLES + np.arange(FRAME_SAMPLES)
        wave = 32767 * 10 ** (peak_dbfs / 20) * np.sin(2 * np.pi * 997 * steps / 48000)
        return wave.astype(np.int16)[:, None]

    return sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What the link did with one packet of the stream, retransmissions apart."""

    sequence: int
    """As sent first, 0 and on."""
    timestamp: int
    sent: float
    arrived: tuple[float, ...] = ()
    """When each copy came; none: it was dropped."""


class Wire(Link):
    """Our sender and receiver with a bad link from the one to the other, and an account of every packet's fate."""

    def __init__(self, codec: Codec, impairment: Impairment, *, nack: bool = True) -> None:
        self.fates: dict[bytes, Fate] = {}
        self.readings: list[float] = []
        """When the receiver's statistics were read."""
        feedback = Feedback(nack=nack and codec.kind is Kind.VIDEO, pli=True, reduced_size=True)
        super().__init__(codec, round_trip_s=0.02, lose=self._take, feedback=feedback)
        self._way: ImpairedLink[bytes] = ImpairedLink(impairment)
        self._armed = 0.0

    def _take(self, way: str, packet: bytes) -> bool:
        """Give a packet of media to the bad link; the good one it would go over loses it."""
        if way != "rtp":
            return False
        header = parse_header(packet)
        if header.ssrc == self.sender.config.ssrc and packet not in self.fates:
            self.fates[packet] = Fate(sequence=len(self.fates), timestamp=header.timestamp, sent=self.now)
        self._way.push(packet, len(packet), self.now)
        self._arm()
        return True

    def _arm(self) -> None:
        due = self._way.next_timer()
        if due is not None and due != self._armed:
            self._armed = due
            self.at(due, self._pull)

    def _pull(self) -> None:
        for packet in self._way.pull(self.now):
            fate = self.fates.get(packet)
            if fate is not None:
                self.fates[packet] = replace(fate, arrived=(*fate.arrived, self.now))
            self.receiver.handle_rtp(packet, parse_header(packet), self.now)
        self._arm()

    @property
    def _between(self) -> list[Fate]:
        """Fates from the first packet that came to the last: of others no receiver knows."""
        fates = list(self.fates.values())
        came = [fate.sequence for fate in fates if fate.arrived]
        return fates[came[0] : came[-1] + 1]

    @property
    def losses(self) -> Losses:
        """What the link really dropped."""
        return Losses.of([bool(fate.arrived) for fate in self._between])

    @property
    def reordered(self) -> int:
        """Packets that came after a later one (RFC 4737)."""
        highest, count = -1, 0
        for fate in sorted((fate for fate in self._between if fate.arrived), key=lambda fate: fate.arrived[0]):
            count += fate.sequence < highest
            highest = max(highest, fate.sequence)
        return count

    @property
    def duplicates(self) -> int:
        """Further copies that came."""
        return sum(len(fate.arrived) - 1 for fate in self._between if fate.arrived)

    def passed_bytes(self, begin: float, until: float) -> int:
        """Return how much came out of the link in a span of time, retransmissions apart."""
        return sum(len(packet) for packet, fate in self.fates.items() for time in fate.arrived if begin < time <= until)

    def jitter(self, until: float) -> Jitter:
        """Return the jitter of RFC 3550, by the delays that the link gave to the first packet of each timestamp."""
        jitter, seen = Jitter(self.sender.config.codec.clock_rate), set[int]()
        for fate in self._between:
            if fate.arrived and fate.arrived[0] <= until and fate.timestamp not in seen:
                seen.add(fate.timestamp)
                jitter.arrive(0, fate.arrived[0] - fate.sent)
        return jitter


def carry(
    codec: Codec, impairment: Impairment, seconds: int, *, video_bps: int = 1_300_000, nack: bool = True
) -> tuple[SeriesBook, Wire]:
    """Send sound or pictures over a bad link, and read the receiver's statistics once a second, as the probe does."""
    wire, book = Wire(codec, impairment, nack=nack), SeriesBook()
    watched, begin = NetworkWatch(book, wire.now), wire.now
    watched.read(wire.receiver.statistics(wire.now), wire.now)
    size, wanted = video_bps // (8 * FPS), [True]
    wire.sender.on_key_frame_request = partial(wanted.append, True)
    rate = FPS if codec is Codec.VP8 else 50
    for index in range(seconds * rate):
        frame: EncodedFrame
        if codec is Codec.VP8:
            frame = vp8_frame(index, key=bool(wanted), size=size, time=wire.now)
            wanted.clear()
        else:
            frame = opus_frame(index, time=wire.now)
        wire.sender.push(frame)
        wire.run(begin + (index + 1) / rate)
        if (index + 1) % rate == 0:
            watched.read(wire.receiver.statistics(wire.now), wire.now)
            wire.readings.append(wire.now)
    watched.finish()
    wire.run(wire.now + 2.0)  # what is under way, and what is asked for still
    return book, wire
