"""Injected against measured, through real encoders and decoders and in virtual time: every figure tells the truth."""

from __future__ import annotations

import av
import numpy as np
import pytest

from pexrtc_py.media.comparison import luma_plane, scaled
from pexrtc_py.media.decoding import AudioDecoding, Picture, Sound
from pexrtc_py.media.encoding import FRAME_SAMPLES, AudioEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.sources.generated import plain_picture
from pexrtc_py.probe.hearing import SoundTimes, SoundWatch
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.thresholds import PROFILES, judge, profile
from pexrtc_py.probe.watching import PictureTimes, PictureWatch
from pexrtc_py.webrtc.impairment import Impairment

from ..support.injection import (
    CONFIG,
    FPS,
    START,
    Room,
    carry,
    frame_of,
    listen,
    mean,
    median,
    quarter,
    sine,
    skews,
    watch,
)


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
    found = book.values("audio.packet_delay_ms")
    assert [one - codec_delay for one in found] == pytest.approx([1000 * delay] * len(found), abs=2)
    assert watched.heard[-1].number >= 7
    assert not watched.is_uncertain
    assert sum(book.values("audio.chirps_lost")) == 0


@pytest.mark.parametrize(("seconds", "uncertain"), [(5, True), (9, False)])
def test_a_delay_of_seconds_from_few_chirps(codec_delay: float, seconds: int, *, uncertain: bool) -> None:
    """Two chirps that are heard late in a run may be a second earlier: it is said so, or the next ones tell."""
    late = Room(audio_delay=1.05, sound=lambda piece, samples: samples * (piece >= 100))
    book, watched = listen(late, seconds)
    found = [one - codec_delay for one in book.values("audio.packet_delay_ms")]
    assert watched.is_uncertain == uncertain
    assert found == pytest.approx([50.0 if uncertain else 1050.0] * len(found), abs=2)


@pytest.mark.parametrize("skew", [-0.2, -0.05, 0.0, 0.05, 0.2])
def test_skew(skew: float, codec_delay: float) -> None:
    """Positive is early sound; within 5 ms, when the codec's own delay is known."""
    measured = skews(skew, 4)
    assert len(measured) >= 3
    assert median(measured) + codec_delay == pytest.approx(1000 * skew, abs=5)


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


def test_seconds_without_pictures_count() -> None:
    """Of thirty seconds whose pictures ended after two, the mean was 30 a second."""
    book = SeriesBook()
    watched = PictureWatch(book, START)
    for place in range(2 * FPS):
        time = START + place / FPS
        watched.see(
            Picture(frame=plain_picture(320, 180), rtp_time=place * 3000, time=time, key=place == 0),
            PictureTimes(arrival=time, decoded=time),
        )
    watched.finish(START + 30.0)
    assert book.values("video.fps") == [FPS, FPS] + [0.0] * 28
    assert mean(book.values("video.freeze_ratio")) == pytest.approx(28 / 30, abs=0.01)
    assert not judge(profile("strict"), book.series()).passed


def test_the_rest_of_a_second_is_no_second() -> None:
    """A freeze of 0.3 s at the end of 10.01 s weighed four times what it was: the last 10 ms counted as a second."""
    book = SeriesBook()
    watched = PictureWatch(book, START)
    for place in range(round(9.71 * FPS)):
        time = START + place / FPS
        watched.see(
            Picture(frame=plain_picture(320, 180), rtp_time=place * 3000, time=time, key=place == 0),
            PictureTimes(arrival=time, decoded=time),
        )
    watched.finish(START + 10.01)
    assert mean(book.values("video.freeze_ratio")) == pytest.approx(watched.freezes[0].duration / 10.01, abs=0.002)


def test_seconds_without_sound_are_silent() -> None:
    """Of thirty seconds whose sound came for four, and then for four more, it was told that none was silent."""
    book, piece = SeriesBook(), np.full((960, 1), 3000, np.int16)
    piece[::2] *= -1
    watched = SoundWatch(book, START)
    for place in (*range(200), *range(600, 800)):
        time = START + place / 50
        watched.hear(Sound(samples=piece, rtp_time=place * 960, time=time), SoundTimes(arrival=time, decoded=time))
    watched.finish(START + 30.0)
    assert mean(book.values("audio.silence_ratio")) == pytest.approx(22 / 30, abs=0.01)
    assert len(book.values("audio.level_dbfs")) == 8


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
    assert sum(book.values("audio.chirps_lost")) == 2


@pytest.mark.parametrize("name", PROFILES)
def test_sound_that_ends_is_lost_until_the_end(name: str) -> None:
    """Five seconds of sixteen, then silence: chirps were counted up to the last one heard, and every profile passed."""
    book, _ = listen(Room(sound=lambda piece, samples: samples * 0 if piece >= 250 else samples), 16)
    assert sum(book.values("audio.chirps_lost")) == 11
    failed = [reason.metric for reason in judge(profile(name), book.series()).failures]
    assert failed == ["audio.chirps_lost"]


def test_sound_without_a_single_chirp_of_ours_is_lost() -> None:
    """Silence from the first packet on: each second sent after it, and early enough to be heard a second later."""
    book, _ = listen(Room(sound=lambda piece, samples: samples * 0), 6)
    assert book.values("audio.chirps_lost") == [1, 1, 1, 1]


@pytest.mark.parametrize(("answers", "lost"), [(False, 2), (True, 0)])
def test_sound_that_begins_late_is_lost_unless_it_is_an_answer(answers: bool, lost: int) -> None:
    """Silence for five seconds: the chirps at 3 and 4 s were due, but for a test call that greets first."""
    mute = Room(sound=lambda piece, samples: samples * 0 if piece < 250 else samples)
    book, watched = listen(mute, 8, answers=answers)
    assert watched.heard[0].number == 5
    assert sum(book.values("audio.chirps_lost")) == lost


def test_level_is_measured() -> None:
    """12 s of a sine at -23 dBFS peak through Opus: -26 LUFS in mono, within 0.2 LU."""
    book, _ = listen(Room(sound=sine(-23)), 12)
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


SECONDS = 90
BAD = {
    "random loss": Impairment(delay_s=0.02, loss=0.05),
    "bursts": Impairment(delay_s=0.02, loss=0.1, burst=4),
    "jitter": Impairment(delay_s=0.02, jitter_s=0.03),
    "disorder": Impairment(delay_s=0.02, reorder=0.03, reorder_s=0.05),
    "duplicates": Impairment(delay_s=0.02, duplicate=0.02),
    "an outage": Impairment(delay_s=0.02, blackouts=((30.2, 0.9),)),
}


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.VP8])
@pytest.mark.parametrize("name", BAD)
def test_what_the_network_did(name: str, codec: Codec) -> None:
    """Loss within 0.2 points, bursts, duplicates and disorder exact, against what the link did to each packet."""
    book, wire = carry(codec, BAD[name], SECONDS)
    kind, losses = codec.kind, wire.losses
    assert 100 * mean(book.values(f"{kind}.loss_ratio")) == pytest.approx(100 * losses.ratio, abs=0.2)
    assert mean(book.values(f"{kind}.loss_burst") or [0]) == pytest.approx(losses.mean_burst, rel=0.02)
    assert sum(book.values(f"{kind}.duplicates")) == wire.duplicates
    expected = len(wire.fates) / SECONDS
    assert expected * sum(book.values(f"{kind}.reordered_ratio")) == pytest.approx(wire.reordered, rel=0.02)
    if name == "jitter":
        made = wire.jitter(wire.readings[-1])
        assert book.values(f"{kind}.jitter_ms")[-1] == pytest.approx(1000 * made.seconds, abs=0.1)
        assert max(book.values(f"{kind}.jitter_max_ms")) == pytest.approx(1000 * max(made.deviations), abs=0.1)


def test_a_bitrate_cap_is_measured() -> None:
    """1.3 Mb/s of pictures into 1 Mb/s: what came out of the link, packet for packet."""
    book, wire = carry(Codec.VP8, Impairment(delay_s=0.02, rate_bps=1_000_000), 30, nack=False)
    rates = book.values("video.bitrate_bps")
    begin, until = wire.readings[0], wire.readings[-1]
    assert mean(rates) == pytest.approx(8 * wire.passed_bytes(begin, until) / (until - begin), rel=0.001)
    assert max(rates) <= 1_000_000 * 1.01


@pytest.mark.slow
def test_truth_through_what_the_node_composes() -> None:
    """A quarter of the node's composed picture, named and encoded again, beside another reference: all still holds."""
    book, watched = watch(Room(compose=quarter(), shown=lambda place: 40 if 40 < place <= 60 else place), 3)
    assert totals(watched) == (20, 20, 0, 0)
    assert [round(freeze.duration * FPS) for freeze in watched.freezes] == [21]
    assert median(book.values("video.delay_ms")) == pytest.approx(54, abs=1)
    assert min(book.values("video.psnr_db")) > 25


@pytest.mark.slow
@pytest.mark.parametrize("skew", [-0.2, 0.2])
def test_skew_through_what_the_node_composes(skew: float, codec_delay: float) -> None:
    """Scaling and overlaying cost the skew nothing."""
    assert median(skews(skew, 4, quarter())) + codec_delay == pytest.approx(1000 * skew, abs=5)
