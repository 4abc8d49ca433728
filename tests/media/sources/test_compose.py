"""Composed sources: what goes in is heard and seen in what comes out, at its place."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Kind
from pexrtc_py.media.sources.compose import concatenate, cut, fade, gain, mix, overlay
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.file import open_raw_file
from pexrtc_py.media.sources.generated import Generated, Screen, black, plain_picture, silence, tone

from .looking import colour, drained, heard, level_db, loudest_hz, raw_drained, seen

SMALL = Screen(width=324, height=182, frame_rate=10)


def grey(luma: int, seconds: float | None = 1.0) -> Generated:
    frame = plain_picture(SMALL.width, SMALL.height, luma)
    return Generated(picture=lambda number: frame, screen=SMALL, duration_s=seconds)


def test_concatenated_sound_follows_without_a_hole() -> None:
    """One tone after the other, each for its time."""
    samples, _ = raw_drained(concatenate(tone(500, duration_s=0.5), tone(1500, duration_s=0.5)))
    assert len(samples) == 48000
    assert loudest_hz(samples[:24000]) == pytest.approx(500, abs=3)
    assert loudest_hz(samples[24000:]) == pytest.approx(1500, abs=3)


def test_concatenated_clips_keep_sound_and_picture_together() -> None:
    """Two clips with both kinds: the second begins with both at the same time."""
    samples, pictures = raw_drained(
        concatenate(open_raw_file(clip_path("motion.mkv")), open_raw_file(clip_path("motion.mkv")))
    )
    assert len(pictures) == 180
    assert pictures[90].time == pytest.approx(3.0, abs=0.03)
    assert len(samples) / 48000 == pytest.approx(6.0, abs=0.06)
    first, second = (
        samples[:48000, 0].astype(float),
        samples[round(pictures[90].time * 48000) :][:48000, 0].astype(float),
    )
    lag = np.argmax(np.fft.irfft(np.fft.rfft(second, 96000) * np.conj(np.fft.rfft(first, 96000))))
    assert min(lag, 96000 - lag) < 0.04 * 48000


def test_mix_has_all_of_its_parts() -> None:
    """Two tones of different lengths sound together; the mix lasts as long as the longer; mono and stereo mix."""
    samples, _ = raw_drained(mix(tone(500, duration_s=1), tone(2000, duration_s=0.5), silence(duration_s=0.2)))
    assert len(samples) == 48000
    spectrum = np.abs(np.fft.rfft(samples[:24000, 0].astype(float)))
    assert spectrum[250] > 100 * np.median(spectrum)
    assert spectrum[1000] > 100 * np.median(spectrum)
    assert level_db(samples[:24000]) == pytest.approx(-20, abs=0.3)
    assert level_db(samples[24000:]) == pytest.approx(-23, abs=0.3)


def test_mix_is_clipped_not_wrapped() -> None:
    """Too much of it stays at full scale."""
    samples, _ = raw_drained(mix(*(tone(500, level_dbfs=-4, duration_s=0.2) for _ in range(4))))
    assert samples.max() == 32767
    assert samples.min() == -32768


def test_mix_shows_the_first_picture() -> None:
    """A voice mixed over a clip keeps the clip's pictures, in order of time."""
    samples, pictures = raw_drained(mix(tone(500, duration_s=3), open_raw_file(clip_path("motion.mkv"))))
    assert len(pictures) == 90
    assert len(samples) >= 3 * 48000


def test_overlay_covers_its_place_only() -> None:
    """White over dark grey, lower right, from half a second on; sizes that are no multiple of four."""
    late = concatenate(grey(40, 0.5), grey(235, 0.5))
    _, pictures = raw_drained(overlay(grey(80), late, place=(0.5, 0.5), width=0.4))
    assert len(pictures) == 10
    inside, outside = colour(pictures[7].frame, 0.7, 0.7), colour(pictures[7].frame, 0.2, 0.2)
    assert inside == pytest.approx((255, 255, 255), abs=4)
    assert outside == pytest.approx((75, 75, 75), abs=4)
    assert colour(pictures[2].frame, 0.7, 0.7)[0] < 40


def test_overlay_keeps_colours() -> None:
    """What is laid over keeps its colours, and the ground beside it too."""
    ground = open_raw_file(clip_path("motion.mkv"), kinds=(Kind.VIDEO,))
    plain = raw_drained(open_raw_file(clip_path("motion.mkv"), kinds=(Kind.VIDEO,)))[1]
    _, pictures = raw_drained(overlay(ground, grey(235, None), place=(0.6, 0.6), width=0.2))
    assert colour(pictures[40].frame, 0.7, 0.7) == pytest.approx((255, 255, 255), abs=3)
    assert colour(pictures[40].frame, 0.05, 0.9) == colour(plain[40].frame, 0.05, 0.9)


def test_gain_is_in_decibels() -> None:
    """Six down is half, and the pitch stays."""
    samples, _ = raw_drained(gain(tone(700, duration_s=0.5), -6))
    assert level_db(samples) == pytest.approx(-29, abs=0.1)


def test_fade_rises_and_falls() -> None:
    """Sound and pictures come out of nothing and go back to it, without a step."""
    samples, _ = raw_drained(fade(tone(700, duration_s=2), in_s=0.5, out_s=0.5, duration_s=2))
    levels = [level_db(samples[start : start + 2400]) for start in range(0, 96000, 2400)]
    assert levels[0] < -40
    assert levels[20] == pytest.approx(-23, abs=0.1)
    assert levels[-1] < -40
    assert levels[:10] == sorted(levels[:10])
    _, pictures = raw_drained(fade(grey(200), in_s=0.5))
    shades = [colour(p.frame, 0.5, 0.5)[0] for p in pictures]
    assert shades[0] < 5
    assert shades == sorted(shades)
    assert shades[-1] > 200


def test_cut_ends_what_is_endless() -> None:
    """So many seconds and no more."""
    samples, _ = raw_drained(cut(tone(440), 0.5))
    assert len(samples) == 24000


@pytest.mark.slow
def test_composed_is_sent_like_any_other() -> None:
    """A voice over a clip, faded, encoded, decoded: the tone is there, and so is the picture."""
    bed = gain(open_raw_file(clip_path("motion.mkv")), -20)
    found = drained(EncodedSource(fade(mix(bed, tone(3000, level_dbfs=-15, duration_s=3)), in_s=0.2)))
    assert loudest_hz(heard(found[Kind.AUDIO])[24000:]) == pytest.approx(3000, abs=5)
    assert len(seen(found[Kind.VIDEO])) == 90


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mix(),
        lambda: overlay(tone(), black()),
        lambda: overlay(black(), black(), place=(2, 0)),
        lambda: fade(tone(), out_s=1),
    ],
)
def test_nonsense_is_refused(wrong: object) -> None:
    """What cannot be composed is a usage error."""
    assert callable(wrong)
    with pytest.raises(UsageError):
        wrong()
