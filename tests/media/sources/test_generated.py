"""Tone, silence, black, pattern: heard and seen, raw and encoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.sources.compose import cut
from pexrtc_py.media.sources.encoded import EncodeConfig, EncodedSource
from pexrtc_py.media.sources.generated import Screen, black, silence, tone
from pexrtc_py.media.sources.pattern import pattern
from pexrtc_py.media.sources.slides import Slide, parse_slides, slides

from .looking import colour, drained, heard, level_db, loudest_hz, luma, raw_drained, seen, steps


@pytest.mark.parametrize("hz", [100.0, 440.0, 997.3, 7000.0])
def test_tone_is_what_it_says(hz: float) -> None:
    """Frequency and level are as told, raw and after Opus, and no piece is out of phase with the next."""
    samples, pictures = raw_drained(tone(hz, level_dbfs=-23, duration_s=1))
    assert not pictures
    assert loudest_hz(samples) == pytest.approx(hz, abs=0.6)
    assert level_db(samples) == pytest.approx(-23, abs=0.1)
    ideal = 10 ** ((-23 + 3.01) / 20) * 32767 * np.sin(2 * np.pi * hz * np.arange(len(samples)) / 48000)
    assert np.abs(samples[:, 0] - ideal).max() < 1.5
    audio = drained(EncodedSource(tone(hz, duration_s=1)))[Kind.AUDIO]
    assert len(audio) == 50
    assert steps(audio) == {960}
    assert loudest_hz(heard(audio)[9600:]) == pytest.approx(hz, abs=2)


def test_tone_goes_on_for_a_day_without_drift() -> None:
    """The phase of a piece a day in is still exact."""
    source = tone(440.0)
    number = 86400 * 50
    assert source._sound is not None
    ideal = np.sin(2 * np.pi * 440.0 * ((number * 960) % 48000 + np.arange(960)) / 48000)
    piece = source._sound(number)[:, 0] / (10 ** ((-23 + 3.01) / 20) * 32767)
    assert np.abs(piece - ideal).max() < 1e-3


def test_silence_is_silent() -> None:
    """Nothing but zeros, in packets all the same."""
    assert not raw_drained(silence(duration_s=0.5))[0].any()
    audio = drained(EncodedSource(silence(duration_s=0.5)))[Kind.AUDIO]
    assert len(audio) == 25
    assert level_db(heard(audio)) < -90


def test_black_is_black_and_slow() -> None:
    """Five black pictures a second."""
    video = drained(EncodedSource(black(duration_s=2)))[Kind.VIDEO]
    assert len(video) == 10
    assert colour(seen(video)[-1].frame, 0.5, 0.5) == pytest.approx((0, 0, 0), abs=4)


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_pattern_shows_bars_and_its_number(codec: Codec) -> None:
    """After encoding, each picture still tells its number and time, and the bars have their colours."""
    screen = Screen(width=640, height=360, frame_rate=25)
    source = EncodedSource(pattern(screen, duration_s=2), accept={Kind.VIDEO: (codec,)})
    pictures = seen(drained(source)[Kind.VIDEO])
    reader = MarkReader(640, 360)
    sightings = [reader.read(luma(picture.frame)) for picture in pictures]
    assert [s.mark.frame_id for s in sightings if s is not None] == list(range(50))
    assert [s.mark.clock_ms for s in sightings if s is not None] == [40 * n for n in range(50)]
    bars = [colour(pictures[-1].frame, (n + 0.5) / 7, 0.1) for n in range(7)]
    expected = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)]
    for bar, wanted in zip(bars, expected, strict=True):
        assert bar == pytest.approx(wanted, abs=25)


def test_key_frame_interval_is_kept() -> None:
    """With an interval, key frames come each second; without one, only the first and those asked for."""
    screen = Screen(width=320, height=180, frame_rate=10)
    with_keys = drained(EncodedSource(pattern(screen, duration_s=3), config=EncodeConfig(key_interval_s=1.0)))
    assert [n for n, f in enumerate(with_keys[Kind.VIDEO]) if f.key] == [0, 10, 20]
    without = drained(EncodedSource(pattern(screen, duration_s=3)))
    assert [n for n, f in enumerate(without[Kind.VIDEO]) if f.key] == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: tone(5.0),
        lambda: tone(440.0, level_dbfs=3),
        lambda: Screen(width=5),
        lambda: Screen(frame_rate=1000),
        lambda: pattern(Screen(width=64, height=36)),
        lambda: parse_slides("a.png@x"),
        lambda: parse_slides("a.png@5,b.png@5"),
        lambda: slides([]),
    ],
)
def test_nonsense_is_refused(wrong: object) -> None:
    """What cannot be made is a usage error with one line."""
    assert callable(wrong)
    with pytest.raises(UsageError):
        wrong()


def test_slides_change_at_their_times(tmp_path: Path) -> None:
    """Each picture is there from its time on, fitted and not stretched, and sharp."""
    Image.new("RGB", (400, 300), (200, 30, 30)).save(tmp_path / "a.png")
    Image.new("RGBA", (100, 400), (30, 30, 200, 255)).save(tmp_path / "b.png")
    shows = parse_slides(f"{tmp_path}/a.png@0,{tmp_path}/b.png@1")
    source = EncodedSource(slides(shows, size=(640, 360), duration_s=2), config=EncodeConfig(screen=True))
    pictures = seen(drained(source)[Kind.VIDEO])
    assert len(pictures) == 10
    assert colour(pictures[4].frame, 0.5, 0.5) == pytest.approx((200, 30, 30), abs=10)
    assert colour(pictures[6].frame, 0.5, 0.5) == pytest.approx((30, 30, 200), abs=10)
    assert colour(pictures[4].frame, 0.02, 0.5) == pytest.approx((0, 0, 0), abs=10)


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_slides_are_encoded_ahead(tmp_path: Path, codec: Codec) -> None:
    """Each new one begins with a key frame, again after five seconds, and none waits to be asked for.

    They were encoded 0.3 s before they were due, like what heeds requests: a busy machine showed them 0.7 s late.
    """
    for name, light in (("a", 40), ("b", 200)):
        Image.new("L", (320, 180), light).save(tmp_path / f"{name}.png")
    shows = parse_slides(f"{tmp_path}/a.png@0,{tmp_path}/b.png@1")
    raw = cut(slides(shows, size=(320, 180)), 7.0)
    source = EncodedSource(raw, accept={Kind.VIDEO: (codec,)}, config=EncodeConfig(screen=True))
    assert (source.encodes, source.passes_pictures) == (False, True)
    frames = drained(source)[Kind.VIDEO]
    assert len(frames) == 35
    assert [n for n, frame in enumerate(frames) if frame.key] == [0, 5, 30]


def test_slides_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing picture, one that is none, and one that is cut off are each told by name before anything is shown."""
    (tmp_path / "text.png").write_text("no picture")
    Image.effect_noise((300, 300), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    for name in ("missing.png", "text.png", "cut.png"):
        with pytest.raises(SourceError, match=name):
            slides([Slide(path=tmp_path / name, at_s=0)])
