"""Injected against measured, through real encoders and decoders and in virtual time: every figure tells the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import av
import numpy as np
import pytest

from pexrtc_py.media.chirps import RATE
from pexrtc_py.media.comparison import luma_plane, scaled
from pexrtc_py.media.decoding import AudioDecoding, Picture, VideoDecoding
from pexrtc_py.media.encoding import FRAME_SAMPLES, AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.marks import Plane
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.sources.generated import plain_picture
from pexrtc_py.probe.hearing import SoundTimes, SoundWatch
from pexrtc_py.probe.reference import write_skew
from pexrtc_py.probe.scores import percentile
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.watching import PictureTimes, PictureWatch

FPS = 30
CONFIG = ReferenceConfig(width=640, height=360, first_id=1000)
START = 5000.0
"""When the source's second 0 is sent, on the listener's clock."""


def frame_of(plane: Plane) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuv420p")


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
    late: dict[int, float] = field(default_factory=dict)
    """Seconds by which the picture at a place is late."""


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
                    PictureTimes(arrival=at, decoded=at + 0.004),
                )
    watched.finish(START + seconds + room.video_delay + 0.004)
    return book, watched


def listen(room: Room, seconds: int) -> tuple[SeriesBook, SoundWatch]:
    """Carry reference sound through Opus and listen to it."""
    book, reference = SeriesBook(), Reference(CONFIG)
    watched = SoundWatch(book, START, sent_at=lambda number: START + number)
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


def median(values: Iterable[float]) -> float:
    return percentile(values, 50)


def totals(watched: PictureWatch) -> tuple[int, int, int, int]:
    account = watched.account
    return account.lost, account.repeated, account.reordered, account.unread


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_clean_pictures_have_no_fault(codec: Codec) -> None:
    """Nothing is lost, frozen, black or unread, and the picture is good."""
    book, watched = watch(Room(), 3, codec)
    assert totals(watched) == (0, 0, 0, 0)
    assert watched.freezes == []
    assert max(book.values("video.freeze_ratio") + book.values("video.black_ratio")) == 0
    assert min(book.values("video.psnr_db")) > 30
    assert min(book.values("video.ssim")) > 0.9
    assert book.values("video.height_px")[0] == 360
    assert median(book.values("video.fps")) == FPS


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.25, 0.5])
def test_video_delay(delay: float) -> None:
    """Injected delay is measured to the millisecond, to last packet and to decoded picture."""
    book, _ = watch(Room(video_delay=delay), 2)
    assert median(book.values("video.packet_delay_ms")) == pytest.approx(1000 * delay, abs=1)
    assert median(book.values("video.delay_ms")) == pytest.approx(1000 * delay + 4, abs=1)


@pytest.fixture(scope="module")
def codec_delay() -> float:
    """What Opus itself adds, milliseconds."""
    book, _ = listen(Room(audio_delay=0.0), 6)
    return median(book.values("audio.packet_delay_ms"))


def test_codec_delay_is_that_of_opus(codec_delay: float) -> None:
    """The look-ahead of libopus, 312 samples at 48 kHz."""
    assert codec_delay == pytest.approx(6.5, abs=0.5)


@pytest.mark.parametrize("delay", [0.02, 0.25, 0.5, 1.7])
def test_audio_delay(delay: float, codec_delay: float) -> None:
    """Injected delay is measured within 2 ms of the run without it, also beyond a second."""
    book, watched = listen(Room(audio_delay=delay), 9)
    found = book.values("audio.packet_delay_ms")[-1]
    assert found - codec_delay == pytest.approx(1000 * delay, abs=2)
    assert watched.heard[-1].number >= 7
    assert book.values("audio.chirps_lost") == [0]


@pytest.mark.parametrize("skew", [-0.2, -0.05, 0.0, 0.05, 0.2])
def test_skew(skew: float, codec_delay: float) -> None:
    """Positive is early sound; within 5 ms, when the codec's own delay is known."""
    room = Room(video_delay=0.25 + skew, audio_delay=0.25)
    (book, pictures), (_, sound) = watch(room, 4), listen(room, 4)
    write_skew(book, START, pictures, sound)
    assert len(book.values("av.skew_ms")) >= 3
    assert median(book.values("av.skew_ms")) + codec_delay == pytest.approx(1000 * skew, abs=5)


def test_drops_duplicates_and_reorders_are_exact() -> None:
    """Seven dropped, three repeated, two swapped: each found by its own counter."""
    dropped = {20, 31, 32, 45, 60, 61, 62}
    order = [number for number in range(90) if number not in dropped]
    for place in (50, 52, 54):
        order.insert(place, order[place])
    order[70], order[71] = order[71], order[70]
    book, watched = watch(Room(shown=lambda place: order[place] if place < len(order) else order[-1] + 1), 3)
    extra = 3 * FPS - len(order) - 1
    assert totals(watched) == (7, 3 + extra, 1, 0)
    assert sum(book.values("video.frames_lost")) == 7


@pytest.mark.parametrize("held", [7, 20])
def test_a_freeze_is_exact_to_the_frame(held: int) -> None:
    """A frame held in place of the next `held` ones is one freeze of `held` + 1 intervals."""
    book, watched = watch(Room(shown=lambda place: 40 if 40 < place <= 40 + held else place), 3)
    assert [round(freeze.duration * FPS) for freeze in watched.freezes] == [held + 1]
    assert watched.freezes[0].begin == pytest.approx(START + 40 / FPS + 0.054)
    frozen = sum(book.values("video.freeze_ratio")) / len(book.values("video.freeze_ratio"))
    assert frozen == pytest.approx((held + 1) / FPS / 3, rel=0.03)
    assert sum(book.values("video.freezes")) == 1
    assert max(book.values("video.longest_freeze_ms")) == pytest.approx(1000 * (held + 1) / FPS, abs=1)


def test_late_pictures_are_a_freeze_of_display() -> None:
    """Pictures that come in a burst after 300 ms are a freeze, though none is lost."""
    late = {place: max(0.0, (54 - place) / FPS) for place in range(45, 54)}
    _, watched = watch(Room(late=late), 3)
    assert [round(freeze.duration * FPS) for freeze in watched.freezes] == [10]
    assert totals(watched) == (0, 0, 0, 0)


def test_black_pictures_are_found() -> None:
    """One second of black in three: a third of the pictures, and as many without a mark."""
    book, watched = watch(Room(shown=lambda place: None if 30 <= place < 60 else place), 3)
    black = book.values("video.black_ratio")
    assert sum(black) / len(black) == pytest.approx(1 / 3, abs=0.02)
    assert watched.account.unread == 30
    assert watched.account.lost == 30


def composed(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the picture at half its width and height at the lower right of a larger one, with a name laid over it."""
    canvas = np.full((720, 1280), 60, dtype=np.uint8)
    canvas[::8] = 90
    canvas[340:700, 600:1240] = scaled(luma_plane(frame), 640, 360)
    canvas[660:690, 620:800] = 235
    return frame_of(canvas)


def test_truth_through_a_composed_and_overlaid_picture() -> None:
    """A quarter of the frame, with a name over it: every frame is still counted, drops and a freeze too."""
    room = Room(compose=composed, shown=lambda place: 40 if 40 < place <= 60 else place)
    book, watched = watch(room, 3)
    assert totals(watched) == (20, 20, 0, 0)
    assert [round(freeze.duration * FPS) for freeze in watched.freezes] == [21]
    assert min(book.values("video.psnr_db")) > 20


def test_frames_of_another_reference_are_not_ours() -> None:
    """A node that shows somebody else's reference shows no frame of ours."""
    book = SeriesBook()
    other = Reference(ReferenceConfig(width=640, height=360, first_id=500))
    watched = PictureWatch(book, START, reference=Reference(CONFIG), sent_at=lambda number: START)
    for place in range(10):
        picture = Picture(frame=other.picture(place), rtp_time=0, time=START, key=True)
        watched.see(picture, PictureTimes(arrival=START, decoded=START + place / FPS))
    assert (watched.account.read, watched.account.unread) == (0, 10)


def test_silence_is_found() -> None:
    """Two seconds muted in the middle: their share, and their chirps lost."""
    mute = Room(sound=lambda piece, samples: samples * 0 if 98 <= piece < 198 else samples)
    book, _ = listen(mute, 6)
    silence = book.values("audio.silence_ratio")
    assert sum(silence) / len(silence) == pytest.approx(2 / 6, abs=0.02)
    assert book.values("audio.chirps_lost") == [2]


def test_level_is_measured() -> None:
    """12 s of a sine at -23 dBFS peak through Opus: -26 LUFS in mono, within 0.2 LU."""

    def sine(piece: int, samples: np.ndarray) -> np.ndarray:
        steps = piece * FRAME_SAMPLES + np.arange(FRAME_SAMPLES)
        wave = 32767 * 10 ** (-23 / 20) * np.sin(2 * np.pi * 997 * steps / RATE)
        return wave.astype(np.int16)[:, None]

    book, _ = listen(Room(sound=sine), 12)
    assert book.values("audio.loudness_lufs")[-1] == pytest.approx(-26.0, abs=0.2)


def test_a_lost_packet_is_concealed_sound() -> None:
    """Every tenth packet lost is a tenth of the sound concealed."""
    book = SeriesBook()
    reference, watched = Reference(CONFIG), SoundWatch(book, START)
    encoder, decoding = AudioEncoder(), AudioDecoding()
    packets: list[EncodedFrame] = []
    for piece in range(200):
        time = START + piece / 50
        packets += encoder.encode(reference.sound(piece), rtp_time=piece * FRAME_SAMPLES, time=time)
    for index, packet in enumerate(packets):
        if index % 10 != 5:
            for sound in decoding.feed(packet):
                watched.hear(sound, SoundTimes(arrival=packet.time, decoded=sound.time))
    watched.finish(START + 4)
    assert median(book.values("audio.concealed_ratio")) == pytest.approx(0.1, abs=0.001)
