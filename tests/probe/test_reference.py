"""The log of what was sent, and the skew of what was heard."""

from __future__ import annotations

import pytest

from pexrtc_py.media.chirps import Chirp
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.probe.hearing import HeardChirp, SoundWatch
from pexrtc_py.probe.reference import SentLog, write_skew
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.watching import PictureWatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def pushed(log: SentLog, clock: Clock, codec: Codec, moments: list[float], *, start: float) -> None:
    for moment in moments:
        clock.now = start + moment + 0.003
        log.push(EncodedFrame(codec=codec, data=b"x", rtp_time=0, time=start + moment))


def test_frames_are_logged_by_number() -> None:
    """A frame that the encoder left out is not known; 0 always is."""
    clock = Clock()
    log = SentLog(30, lambda: 500.0, now=clock)
    pushed(log, clock, Codec.VP8, [0, 1 / 30, 3 / 30], start=500.0)
    assert log.sent_at(1) == pytest.approx(500.003 + 1 / 30)
    assert log.sent_at(2) is None
    assert log.sent_at(3) == pytest.approx(500.003 + 0.1)


def test_sound_is_logged_by_the_second() -> None:
    """Only the piece that a second begins with counts."""
    clock = Clock()
    log = SentLog(1, lambda: 500.0, now=clock)
    pushed(log, clock, Codec.OPUS, [1 + piece / 50 for piece in range(120)], start=500.0)
    assert log.sent_at(1) == pytest.approx(501.003)
    assert log.sent_at(2) == pytest.approx(502.003)
    assert log.sent_at(4) is None
    assert log.sent_at(0) == pytest.approx(500.003)  # as when it would have been sent


@pytest.mark.parametrize("late", [0.0, 0.00001, 0.004, 0.01, 0.015, 0.01999])
def test_a_second_that_begins_inside_a_piece_is_logged_as_that_moment(late: float) -> None:
    """Sound that begins between the source's pieces: half a piece late, each second was logged or not by rounding."""
    for start in (500.0, 40123.456789, 1234567.123):
        clock = Clock()
        log = SentLog(1, lambda start=start: start, now=clock)  # type: ignore[misc]
        pushed(log, clock, Codec.OPUS, [late + piece / 50 for piece in range(190)], start=start)
        assert [log.sent_at(second) for second in (1, 2, 3)] == pytest.approx(
            [start + second + 0.003 for second in (1, 2, 3)], abs=2e-5
        )
        assert log.sent_at(4) is None


def test_nothing_is_known_before_the_player_began() -> None:
    """No number, not even 0."""
    log = SentLog(30, lambda: None, now=Clock())
    log.push(EncodedFrame(codec=Codec.VP8, data=b"x", rtp_time=0, time=0))
    assert log.sent_at(0) is None


def test_skew_needs_picture_and_sound_of_the_same_time() -> None:
    """Sound 40 ms after the picture is -40 ms; a chirp without frames around it says nothing."""
    book = SeriesBook()
    pictures = PictureWatch(book, 0.0, reference=Reference(ReferenceConfig(width=320, height=180)))
    sound = SoundWatch(book, 0.0)
    pictures.offsets = [(second / 10, 70.1) for second in range(20)]
    chirp = Chirp(time=0, up=True, level=1, likeness=1)
    for number in (1, 9):
        at = 70.14 + number
        sound.heard.append(HeardChirp(number=number, time=at, arrival=at, decoded=at, chirp=chirp))
    write_skew(book, 0.0, pictures, sound)
    assert book.values("av.skew_ms") == pytest.approx([-40])
