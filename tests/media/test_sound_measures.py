"""Level, silence, clipping and concealment, injected against measured."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pexrtc_py.media.sound_measures import RATE, SoundMeter, SoundSecond


def tone(seconds: float, *, dbfs: float, hertz: float = 997.0, channels: int = 1) -> NDArray[np.int16]:
    """Return a sine whose peak is at this level."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.round(32767 * 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
    return np.repeat(wave[:, None], channels, axis=1)


def measure(samples: NDArray[np.int16], meter: SoundMeter, start: float = 0.0) -> list[SoundSecond]:
    seconds = []
    for at in range(0, len(samples), 960):
        seconds += meter.push(samples[at : at + 960], start + at / RATE)
    return seconds + meter.finish()


@pytest.mark.parametrize("dbfs", [-40.0, -23.0, -10.0])
def test_stereo_sine_reads_its_level_in_lufs(dbfs: float) -> None:
    """EBU Tech 3341 test 1 and 2: a 1 kHz stereo sine at -23 dBFS peak reads -23 LUFS, within 0.1."""
    meter = SoundMeter(channels=2)
    seconds = measure(tone(10, dbfs=dbfs, channels=2), meter)
    assert meter.loudness_lufs == pytest.approx(dbfs, abs=0.1)
    assert seconds[-1].loudness_lufs == pytest.approx(dbfs, abs=0.1)
    assert len(seconds) == 10


def test_mono_reads_3_lu_less_and_rms_is_3_db_below_peak() -> None:
    """Mono is one channel, as said."""
    meter = SoundMeter()
    seconds = measure(tone(10, dbfs=-20.0), meter)
    assert meter.loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert seconds[5].rms_dbfs == pytest.approx(-23.0, abs=0.05)
    assert seconds[5].peak_dbfs == pytest.approx(-20.0, abs=0.05)


def test_silences_are_found_with_begin_and_end() -> None:
    """A silence of 0.75 s is one span, exact to the 10 ms window; a pause of 0.1 s is none."""
    parts = [tone(1.3, dbfs=-20), tone(0.75, dbfs=-80), tone(1.0, dbfs=-20), tone(0.1, dbfs=-80), tone(0.5, dbfs=-20)]
    meter = SoundMeter()
    measure(np.concatenate(parts), meter, start=100.0)
    (span,) = meter.silences
    assert span.begin == pytest.approx(101.3, abs=0.011)
    assert span.end == pytest.approx(102.05, abs=0.011)
    assert span.duration == pytest.approx(0.75, abs=0.021)


def test_silence_at_the_end_and_digital_silence_count() -> None:
    """Silence that lasts is ended by `finish`."""
    meter = SoundMeter()
    seconds = measure(np.zeros((3 * RATE, 1), dtype=np.int16), meter)
    (span,) = meter.silences
    assert span.begin == 0
    assert span.end == pytest.approx(3.0)
    assert [second.rms_dbfs for second in seconds] == [-120.0] * 3


def test_a_gap_in_time_is_no_silence() -> None:
    """Two silences of 0.15 s with a hole between them are not one."""
    meter = SoundMeter()
    meter.push(np.zeros((RATE * 15 // 100, 1), dtype=np.int16), 0.0)
    meter.push(np.zeros((RATE * 15 // 100, 1), dtype=np.int16), 5.0)
    meter.finish()
    assert meter.silences == []


def test_clipping_is_counted() -> None:
    """A sine 6 dB over full scale is clipped for two thirds of the time; one at full scale is not."""
    wave = np.clip(tone(1, dbfs=0).astype(np.int32) * 2, -32768, 32767).astype(np.int16)
    clipped = measure(wave, SoundMeter())[0].clipped
    assert clipped / RATE == pytest.approx(2 / 3, abs=0.01)
    assert measure(tone(1, dbfs=-0.1), SoundMeter())[0].clipped == 0


def test_concealed_sound_is_counted() -> None:
    """Ten made-up packets are 0.2 s."""
    meter = SoundMeter()
    seconds = []
    for index in range(50):
        seconds += meter.push(tone(0.02, dbfs=-20), index * 0.02, concealed=10 <= index < 20)
    assert [second.concealed_s for second in seconds] == [pytest.approx(0.2)]
