"""Loudness: measured as EBU R128 says, and what comes out is as loud as it should be, whatever went in."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Kind
from pexrtc_py.media.loudness import Levelled, LoudnessMeter, RunningGain, levelling, measure
from pexrtc_py.media.sources.compose import gain, mix
from pexrtc_py.media.sources.file import open_raw_file
from pexrtc_py.media.sources.generated import Generated, silence, tone
from pexrtc_py.media.sources.raw import RawSource, Samples

from .sources.looking import level_db, loudest_hz, raw_drained


def voice() -> RawSource:
    return open_raw_file(clip_path("announcement.mkv"), kinds=(Kind.AUDIO,))


def test_measure_of_a_known_tone() -> None:
    """EBU Tech 3341 case 1: a stereo sine of 1 kHz at -23 dBFS peak is -23 LUFS; in mono 3 less."""
    wave = (10 ** (-23 / 20) * 32768 * np.sin(2 * np.pi * 1000 * np.arange(20 * 48000) / 48000)).astype(np.int16)
    meter = LoudnessMeter(2)
    meter.push(np.repeat(wave[:, None], 2, axis=1))
    assert meter.loudness.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert meter.loudness.true_peak_dbtp == pytest.approx(-23.0, abs=0.2)
    assert measure(tone(1000, level_dbfs=-26.01, duration_s=10)).integrated_lufs == pytest.approx(-26.0, abs=0.1)


def test_silence_has_no_loudness() -> None:
    """Nothing to be heard is not taken for something very soft, and is not made louder."""
    found = measure(silence(duration_s=2))
    assert found.is_silent
    assert found.true_peak_dbtp == -math.inf
    assert levelling(lambda: silence(duration_s=2))[0] == 0.0


def test_true_peak_between_samples() -> None:
    """A tone at a quarter of the sample rate whose samples miss the crests: the peak is found all the same."""
    wave = (16384 * np.sin(2 * np.pi * np.arange(96000) / 4 + np.pi / 4)).astype(np.int16)
    meter = LoudnessMeter(1)
    meter.push(wave[:, None])
    assert int(np.abs(wave).max()) < 11700
    assert meter.loudness.true_peak_dbtp == pytest.approx(-6.0, abs=0.7)


def clipped() -> RawSource:
    """The voice, 25 dB too loud: everything is cut off at full scale."""
    return gain(voice(), 25)


@pytest.mark.parametrize(
    "opener",
    [
        voice,
        lambda: gain(voice(), -24),
        lambda: gain(voice(), 9),
        clipped,
        lambda: mix(voice(), tone(90, level_dbfs=-12, duration_s=10)),
    ],
    ids=["as it is", "quiet", "loud", "clipped", "with hum"],
)
def test_anything_comes_out_at_the_target(opener: Callable[[], RawSource]) -> None:
    """Quiet, loud, clipped: -20 LUFS to within a unit, and no true peak above -1 dBTP."""
    decibels, before = levelling(opener)
    after = measure(Levelled(opener(), decibels) if decibels else opener())
    assert after.integrated_lufs == pytest.approx(-20.0, abs=1.0)
    assert after.true_peak_dbtp <= -1.0
    assert after.duration_s == pytest.approx(before.duration_s, abs=0.001)


def test_what_is_near_is_left_alone() -> None:
    """A file already within a unit of the target is not touched."""
    decibels, found = levelling(voice)
    assert decibels == 0.0
    assert found.integrated_lufs == pytest.approx(-20, abs=0.6)


def test_levelled_keeps_length_pitch_and_place() -> None:
    """Exactly as long as before, not shifted by more than a millisecond, and without a click."""
    before, _ = raw_drained(gain(voice(), -20))
    after, pictures = raw_drained(Levelled(gain(open_raw_file(clip_path("announcement.mkv")), -20), 20.0))
    assert len(pictures) == 300
    assert len(before) == len(after)
    a, b = (np.fft.rfft(s[:, 0].astype(float), 1 << 20) for s in (after, before))
    likeness = np.fft.irfft(a * np.conj(b))
    lag = int(np.argmax(likeness))
    assert min(lag, len(likeness) - lag) <= 48
    steady, _ = raw_drained(Levelled(tone(997, duration_s=1), 6.0))
    assert loudest_hz(steady) == pytest.approx(997, abs=1)
    assert level_db(steady[4800:43200]) == pytest.approx(-17, abs=0.1)


def test_live_gain_follows_slowly_and_rests_in_silence() -> None:
    """A source 15 LU too soft reaches the target, holds its gain through a pause, and is never clipped."""

    def piece(number: int) -> Samples:
        loud = number < 1000 or number >= 1250
        wave = (10 ** ((-35 + 3.01) / 20) if loud else 0.0) * np.sin(
            2 * np.pi * 1000 * (number * 960 + np.arange(960)) / 48000
        )
        return (32768 * wave)[:, None].astype(np.int16)

    source = RunningGain(Generated(sound=piece, duration_s=30))
    samples, _ = raw_drained(source)
    assert level_db(samples[18 * 48000 : 20 * 48000]) == pytest.approx(-20, abs=1.0)
    assert not samples[21 * 48000 : 24 * 48000].any()
    assert level_db(samples[26 * 48000 : 27 * 48000]) == pytest.approx(-20, abs=1.5)
    levels = [level_db(samples[n * 4800 : (n + 1) * 4800]) for n in range(180)]
    assert max(b - a for a, b in pairwise(levels)) < 1.0


def test_live_gain_lowers_peaks_at_once() -> None:
    """From soft to full scale: not one sample above the limit."""

    def piece(number: int) -> Samples:
        wave = (10 ** (-40 / 20) if number < 300 else 1.0) * np.sin(2 * np.pi * 1000 * np.arange(960) / 48000)
        return (32700 * wave)[:, None].astype(np.int16)

    samples, _ = raw_drained(RunningGain(Generated(sound=piece, duration_s=10)))
    assert int(np.abs(samples.astype(np.int32)).max()) <= 32768 * 10 ** (-1.4 / 20)
