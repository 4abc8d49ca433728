"""Chirps: what is put into sound is heard again, when and which, through codecs and noise."""

from __future__ import annotations

import av
import numpy as np
import pytest

from pexrtc_py.media.chirps import (
    PERIOD,
    RATE,
    Chirp,
    ChirpListener,
    Samples,
    chirp_samples,
    direction,
    number_near,
)

RNG = np.random.default_rng(7)


def shifted(samples: Samples, delay: float) -> Samples:
    """Return samples delayed by any number of samples, fractions included."""
    whole, part = int(delay), delay % 1
    size = len(samples) + 256
    spectrum = np.fft.rfft(samples, size) * np.exp(-2j * np.pi * np.fft.rfftfreq(size) * part)
    moved = np.fft.irfft(spectrum, size)
    return np.concatenate((np.zeros(whole), moved)).astype(np.float32)


def sound(
    seconds: int, *, delay: float = 0.0, gain: float = 0.25, noise: float = 0.0, drift_ppm: float = 0.0
) -> Samples:
    """Return reference sound; chirp k begins `delay` samples after second k, drifting."""
    samples = RNG.normal(0, noise, seconds * RATE + RATE // 2).astype(np.float32)
    for number in range(seconds):
        chirp = shifted(chirp_samples(number), delay + number * RATE * (1 + drift_ppm * 1e-6))
        end = min(len(chirp), len(samples))
        samples[:end] += gain * chirp[:end]
    return samples


def hear(samples: Samples, *, start: float = 0.0, chunk: int = 960) -> list[Chirp]:
    listener, heard = ChirpListener(), []
    for at in range(0, len(samples), chunk):
        heard += listener.push(samples[at : at + chunk], start + at / RATE)
    return heard + listener.flush()


def test_any_six_directions_in_a_row_tell_the_second() -> None:
    """The order of ups and downs is a de Bruijn sequence."""
    runs = {tuple(direction(number + step) for step in range(6)) for number in range(PERIOD)}
    assert len(runs) == PERIOD == 64


@pytest.mark.parametrize("delay", [1, 100.5, 4321.37, 24000.25])
def test_time_is_exact_to_a_fraction_of_a_sample(delay: float) -> None:
    """In noise 28 dB below, begin is found within a twentieth of a sample, and direction and level as sent."""
    heard = hear(sound(5, delay=delay, noise=0.01), start=50.0)
    assert [chirp.up for chirp in heard] == [direction(number) for number in range(5)]
    for number, chirp in enumerate(heard):
        assert (chirp.time - 50.0 - number) * RATE == pytest.approx(delay, abs=0.05)
        assert chirp.level == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("chunk", [160, 960, 4800, 100_000])
def test_chunks_do_not_matter(chunk: int) -> None:
    """The same chirps are heard in whatever pieces the sound arrives."""
    heard = hear(sound(6, delay=700), chunk=chunk)
    assert [round(chirp.time * RATE) - number * RATE for number, chirp in enumerate(heard)] == [700] * 6


@pytest.mark.parametrize("bit_rate", [16_000, 32_000, 64_000])
def test_chirps_survive_opus(bit_rate: int) -> None:
    """Through Opus the delay is the codec's own, the same for each chirp within 0.1 ms."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "flt", bit_rate
    encoder.options = {"application": "voip"}
    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate = RATE
    samples = sound(6, delay=5000, noise=0.003)
    decoded: list[Samples] = []
    for at in range(0, len(samples) - 959, 960):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 960], format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE, at
        for packet in encoder.encode(frame):
            for out in decoder.decode(av.Packet(bytes(packet))):
                pcm = out.to_ndarray().astype(np.float32)
                decoded.append(pcm.reshape(-1, len(out.layout.channels))[:, 0] / np.float32(32768))
    heard = hear(np.concatenate(decoded))
    delays = np.array([chirp.time - number for number, chirp in enumerate(heard)]) * RATE - 5000
    assert [chirp.up for chirp in heard] == [direction(number) for number in range(6)]
    assert np.ptp(delays) < 5
    assert 0 < delays.mean() < 0.02 * RATE


def test_drift_shows_in_the_times() -> None:
    """A clock 100 ppm slow moves each chirp by 4.8 samples a second."""
    heard = hear(sound(8, delay=500, drift_ppm=100))
    times = np.array([chirp.time for chirp in heard])
    assert np.polyfit(np.arange(8), times, 1)[0] - 1 == pytest.approx(100e-6, abs=1e-6)


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_clock_that_runs_otherwise_makes_no_joint(ppm: int) -> None:
    """A time line that parts from the samples bit by bit, 18 ms in a minute: every chirp is heard, when it is due."""
    samples, listener, heard = sound(60, delay=480), ChirpListener(), []
    for at in range(0, len(samples), 960):
        heard += listener.push(samples[at : at + 960], at / RATE * (1 + ppm * 1e-6))
    heard += listener.flush()
    due = [(number + 0.01) * (1 + ppm * 1e-6) for number in range(60)]
    assert [chirp.time for chirp in heard] == pytest.approx(due, abs=0.001)


def test_echo_is_measured() -> None:
    """A repeat 180 ms later and 20 dB weaker is told with both numbers; without one, none is told."""
    samples = sound(4, delay=100)
    late = np.concatenate((np.zeros(round(0.18 * RATE), dtype=np.float32), samples * np.float32(0.1)))[: len(samples)]
    for chirp in hear(samples + late):
        assert chirp.echo_s == pytest.approx(0.18, abs=0.0002)
        assert chirp.echo_db == pytest.approx(-20, abs=0.5)
    assert [chirp.echo_s for chirp in hear(samples)] == [None] * 4


def test_noise_tones_and_silence_hold_no_chirp() -> None:
    """Other sound is not taken for a chirp."""
    time = np.arange(3 * RATE) / RATE
    noise = RNG.normal(0, 0.1, len(time)).astype(np.float32)
    assert hear(noise) == []
    assert hear((0.5 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)) == []
    assert hear(np.zeros(3 * RATE, dtype=np.float32)) == []


def test_a_joint_begins_anew() -> None:
    """After a step of the time line times follow the new one; what was before is still heard."""
    listener = ChirpListener()
    samples = sound(2, delay=100)
    heard = listener.push(samples, 0.0) + listener.push(samples, 100.0) + listener.flush()
    assert [round(chirp.time, 1) for chirp in heard] == [0.0, 1.0, 100.0, 101.0]


@pytest.mark.parametrize("delay", [-0.2, 0.0, 0.45, 1.2, 7.9, 30.0])
def test_number_is_known_from_six_chirps(delay: float) -> None:
    """Ups and downs tell the second, also when sound is many seconds late."""
    for first in range(40, 40 + PERIOD):
        chirps = [
            Chirp(time=number + delay + 5.0, up=direction(number), level=1, likeness=1)
            for number in range(first, first + 6)
        ]
        assert number_near(chirps, 5.0) == first + 5


@pytest.mark.parametrize("delay", [-0.2, 0.0, 0.45])
def test_number_is_known_at_once_when_the_delay_is_short(delay: float) -> None:
    """Below half a second one chirp suffices, and lost ones in between do not matter."""
    for number in range(8, PERIOD):
        chirps = [Chirp(time=n + delay, up=direction(n), level=1, likeness=1) for n in (number - 7, number - 2, number)]
        assert number_near(chirps, 0.0) == number == number_near(chirps[-1:], 0.0)


def test_number_is_none_when_nothing_fits() -> None:
    """A chirp from before the reference began has no number."""
    assert number_near([Chirp(time=1.0, up=True, level=1, likeness=1)], 50.0) is None
