"""Chirps: the marks in reference sound, one each second, and how they are heard again.

A chirp sweeps 600 to 6000 Hz in 100 ms under a Hann window; correlation finds it to a fraction of a sample, through any
speech codec. It sweeps up or down, and the order of ups and downs is a de Bruijn sequence: six in a row tell which
second of 64 they are. So delay is known beyond one second, and lost chirps are noticed. All is mono at 48 kHz.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHIRP_S",
    "PERIOD",
    "RATE",
    "Chirp",
    "ChirpListener",
    "Samples",
    "chirp_samples",
    "direction",
    "number_near",
    "numbers_near",
]

Samples: TypeAlias = NDArray[np.float32]
"""Mono sound, full scale is 1."""

RATE: Final = 48000
"""Samples per second of all sound here."""
CHIRP_S: Final = 0.1
"""Length of a chirp in seconds."""
LENGTH: Final = round(CHIRP_S * RATE)
LOWEST_HZ: Final = 600.0
HIGHEST_HZ: Final = 6000.0
ORDER: Final = 6
PERIOD: Final = 1 << ORDER
"""Seconds after which the order of ups and downs repeats."""

_BLOCK: Final = 1 << 16
_LEAST_LIKENESS: Final = 0.35
"""Normalised correlation that makes a chirp; clean ones come near 1, other sound stays below 0.2."""
_CLEAN: Final = 0.75
"""Below this the chirp itself was cut or stretched on its way, and its own parts would pass for an echo."""
_LEAST_LEVEL: Final = 1e-4
"""RMS below which nothing is looked for (-80 dBFS)."""
_ECHO_AFTER_S: Final = 0.02
"""Repeats sooner than this are the sidelobes of the correlation, not an echo."""
_ECHO_WITHIN_S: Final = 0.5
_JOINT_S: Final = 0.005
"""Time lines that step by more than this are cut."""
_FOLLOWED_S: Final = 1.0
"""Time constant with which a time line is followed whose clock runs faster or slower than the samples: 100 ppm would
come to a joint each 50 s, and a chirp there would not be heard."""
_LEAST_ECHO: Final = 0.02
"""Repeats weaker than -34 dB drown in what codecs add."""
_DECIDED: Final = _BLOCK - LENGTH + 1 - round(_ECHO_WITHIN_S * RATE)
"""Where chirps may begin in a block so that their echo lies within it, too."""


def _de_bruijn(order: int) -> tuple[bool, ...]:
    """Return the binary sequence in which every run of `order` comes once ("prefer one", M. H. Martin, 1934)."""
    bits, seen = [False] * order, {(False,) * order}
    while True:
        for bit in (True, False):
            run = (*bits[len(bits) - order + 1 :], bit)
            if run not in seen:
                seen.add(run)
                bits.append(bit)
                break
        else:
            return tuple(bits[order - 1 :])


_DIRECTIONS: Final = _de_bruijn(ORDER)


def direction(number: int) -> bool:
    """Return whether chirp `number` (the second it begins) sweeps up."""
    return _DIRECTIONS[number % PERIOD]


def _sweep(*, up: bool) -> Samples:
    time = np.arange(LENGTH) / RATE
    phase = 2 * np.pi * (LOWEST_HZ * time + (HIGHEST_HZ - LOWEST_HZ) * time**2 / (2 * CHIRP_S))
    sweep = (np.sin(phase) * np.hanning(LENGTH)).astype(np.float32)
    return sweep if up else np.ascontiguousarray(sweep[::-1])


_SWEEPS: Final = {up: _sweep(up=up) for up in (True, False)}
_SPECTRA: Final = {up: np.conj(np.fft.rfft(sweep, _BLOCK)) for up, sweep in _SWEEPS.items()}
_ENERGY: Final = float(np.sum(_SWEEPS[True].astype(np.float64) ** 2))


def chirp_samples(number: int) -> Samples:
    """Return chirp `number`, 100 ms of mono sound with a peak of 1."""
    return _SWEEPS[direction(number)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chirp:
    """A chirp that was heard."""

    time: float
    """When it began, in seconds of the time line the sound was given with."""
    up: bool
    """Whether it sweeps up."""
    level: float
    """Peak of the chirp itself, full scale is 1."""
    likeness: float
    """Normalised correlation with what was sent, 0 to 1."""
    echo_s: float | None = None
    """How much later its strongest repeat came, None when there is none."""
    echo_db: float | None = None
    """Level of that repeat, relative to the chirp."""


class ChirpListener:
    """Hears the chirps in a continuous stream of sound.

    Chirps come out when at most 1.4 s of sound after them is in, so that their echo is known. About 5 ms of a core
    per second of sound.
    """

    def __init__(self) -> None:
        self._kept: list[Samples] = []
        self._count = 0
        self._time = 0.0
        self._after = -np.inf

    def push(self, samples: Samples, time: float) -> list[Chirp]:
        """Take the next samples and return the chirps that have become known.

        Args:
            samples: mono sound at 48 kHz.
            time: when its first sample is due, in seconds on any time line. A step against what came before by more
                than 5 ms (a gap, a clock set anew) begins anew there: chirps are never heard across a joint.
        """
        found: list[Chirp] = []
        late = time - self._time - self._count / RATE
        if self._count and abs(late) > _JOINT_S:
            found = self.flush()
        if not self._count:
            self._time = time
        else:
            self._time += late * min(1.0, len(samples) / RATE / _FOLLOWED_S)
        self._kept.append(samples)
        self._count += len(samples)
        while self._count >= _BLOCK:
            sound = np.concatenate(self._kept)
            found += self._search(sound[:_BLOCK], _DECIDED)
            self._kept, self._count = [sound[_DECIDED:]], len(sound) - _DECIDED
            self._time += _DECIDED / RATE
        return found

    def flush(self) -> list[Chirp]:
        """Return the chirps in what is left and forget the sound."""
        found = self._search(np.concatenate(self._kept), _BLOCK) if self._count > LENGTH else []
        self._kept, self._count, self._after = [], 0, -np.inf
        return found

    def _search(self, block: Samples, decided: int) -> list[Chirp]:
        """Return the chirps that begin in the first `decided` samples of a block."""
        energy = np.cumsum(np.concatenate(([0.0], block.astype(np.float64) ** 2)))
        energy = energy[LENGTH:] - energy[:-LENGTH]
        if float(energy.max()) < _LEAST_LEVEL**2 * LENGTH:
            return []
        norm = np.sqrt(np.maximum(energy, _LEAST_LEVEL**2 * LENGTH) * _ENERGY)
        spectrum = np.fft.rfft(block, _BLOCK)
        correlation = {up: np.fft.irfft(spectrum * _SPECTRA[up])[: len(norm)] for up in (True, False)}
        likeness = {up: np.abs(correlation[up]) / norm for up in (True, False)}
        found = []
        while True:
            up = bool(likeness[True][:decided].max() >= likeness[False][:decided].max())
            peak = int(likeness[up][:decided].argmax())
            if likeness[up][peak] < _LEAST_LIKENESS:
                break
            chirp = self._describe(correlation[up], peak, up=up, likeness=float(likeness[up][peak]))
            span = slice(max(0, peak - LENGTH), peak + round(_ECHO_WITHIN_S * RATE))
            for other in likeness.values():
                other[span] = 0.0
            if peak > 0 and chirp.time > self._after:
                found.append(chirp)
        found.sort(key=lambda chirp: chirp.time)
        if found:
            self._after = found[-1].time + _ECHO_WITHIN_S
        return found

    def _describe(self, correlation: NDArray[np.floating[Any]], peak: int, *, up: bool, likeness: float) -> Chirp:
        strength = np.abs(correlation)
        echo_s = echo_db = None
        tail = strength[peak + round(_ECHO_AFTER_S * RATE) : peak + round(_ECHO_WITHIN_S * RATE)]
        if likeness >= _CLEAN and len(tail) and tail.max() > _LEAST_ECHO * strength[peak]:
            echo_s = _ECHO_AFTER_S + int(tail.argmax()) / RATE
            echo_db = float(20 * np.log10(tail.max() / strength[peak]))
        return Chirp(
            time=self._time + (peak + _parabola(strength, peak)) / RATE,
            up=up,
            level=float(strength[peak]) / _ENERGY,
            likeness=likeness,
            echo_s=echo_s,
            echo_db=echo_db,
        )


def _parabola(values: NDArray[np.float64], peak: int) -> float:
    """Return how far the summit of a parabola through the peak and its neighbours is from the peak, in samples."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, at, after = (float(value) for value in values[peak - 1 : peak + 2])
    curve = before - 2 * at + after
    return 0.0 if curve == 0 else (before - after) / (2 * curve)


def number_near(
    chirps: list[Chirp], expected: float, *, earliest: float = -0.3, latest: float = PERIOD / 2
) -> int | None:
    """Return the number of the last of these chirps.

    Of all numbers whose ups and downs agree with what was heard, the one with the smallest delay is taken; a single
    chirp leaves only its direction to go by. Arguments as of `numbers_near`.
    """
    return next(numbers_near(chirps, expected, earliest=earliest, latest=latest), None)


def numbers_near(
    chirps: list[Chirp], expected: float, *, earliest: float = -0.3, latest: float = PERIOD / 2
) -> Iterator[int]:
    """Yield the numbers that the last of these chirps may have, by what was heard: the one with the least delay first.

    Args:
        chirps: consecutive chirps as heard, last one last; missing ones show by their times.
        expected: when the chirp number 0 would be heard without any delay, on the time line of the chirps.
        earliest: smallest delay thought possible, in seconds; below zero because clocks are set only so well.
        latest: largest.
    """
    last = chirps[-1]
    steps = [round(last.time - chirp.time) for chirp in chirps]
    first_number = max(int(np.ceil(last.time - expected - latest)), *steps)  # nothing was sent before number 0
    for number in range(int(np.floor(last.time - expected - earliest)), first_number - 1, -1):
        if all(direction(number - step) == chirp.up for step, chirp in zip(steps, chirps, strict=True)):
            yield number
