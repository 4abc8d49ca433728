"""Finding a known sound in a recording: where it begins, how loud it is, and what of it is missing.

It is found as a whole first, by cross-correlation over the spectrum: its place stands out even under other people's
talk. Then each tenth of a second of it is looked for at that place, so that a lost packet shows, and a cut-off word.
Both sounds are compared between 150 and 3800 Hz, which every codec of a conference passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .encoding import SAMPLE_RATE

__all__ = ["Found", "Missing", "find_sound"]

# Four times the highest pitch compared, so that a parabola finds a peak between two samples.
_RATE: Final = 16000
_BAND_HZ: Final = (150.0, 3800.0)
_BLOCK_S: Final = 0.1
# How far a block may be from where the whole says: clocks drift, jitter buffers stretch.
_WANDER_S: Final = 0.06
# A block counts as heard when the part of its energy that is explained by the original is above this; uncorrelated
# speech explains about a hundredth of it, Opus at 5 % loss and a talking room leave more than half.
_HEARD: Final = 0.25
# Blocks so much softer than the loudest are pauses: nobody can say whether silence arrived.
_PAUSE_DB: Final = -35.0
# The whole counts as found when so much of it was heard.
_FOUND: Final = 0.3

Wave: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A stretch of the original that was not heard."""

    start_s: float
    """Seconds from the original's beginning."""
    end_s: float
    """The same, of its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A known sound in a recording."""

    offset_s: float
    """Where its beginning lies in the recording, seconds; negative when the recording began later."""
    level_db: float
    """How much louder it is there than in the original, decibels."""
    heard: float
    """How much of what can be heard of it was heard, 0 to 1."""
    missing: tuple[Missing, ...]
    """What of it was not heard, to a tenth of a second. Pauses are never missing."""

    @property
    def missing_s(self) -> float:
        """Seconds that were not heard."""
        return sum(part.end_s - part.start_s for part in self.missing)


def find_sound(
    original: NDArray[np.int16] | NDArray[np.float32], recording: NDArray[np.int16] | NDArray[np.float32]
) -> Found | None:
    """Find a known sound in a recording; None when it is not there.

    Args:
        original: 48 kHz, shape (samples,) or (samples, channels).
        recording: likewise; other voices, loss and noise in it do no harm.
    """
    known, given = _band(original), _band(recording)
    if not known.any() or not given.any():
        return None
    place = _place(known, given)
    blocks = _blocks(known, given, place)
    audible = [block for block in blocks if block.audible]
    if not audible:
        return None
    heard = [block for block in audible if block.likeness > _HEARD]
    if len(heard) < _FOUND * len(audible):
        return None
    # The median of the blocks is finer than the whole: it is where most of it lies.
    shift = float(np.median([block.shift for block in heard]))
    energy = sum(block.energy for block in heard)
    factor = sum(block.factor * block.energy for block in heard) / energy
    return Found(
        offset_s=(place + shift) / _RATE,
        level_db=20 * float(np.log10(max(factor, 1e-6))),
        heard=len(heard) / len(audible),
        missing=_missing(blocks),
    )


@dataclass(frozen=True, slots=True)
class _Block:
    audible: bool
    likeness: float
    shift: float
    factor: float
    energy: float


def _band(sound: NDArray[np.int16] | NDArray[np.float32]) -> Wave:
    """Return sound as mono at 16 kHz without what is outside the band."""
    scale = 1 / 32768 if sound.dtype == np.int16 else 1.0
    if not len(sound):
        return np.zeros(0, np.float32)
    mono = sound.reshape(len(sound), -1).astype(np.float32).mean(axis=1) * np.float32(scale)
    count = len(mono)
    kept = max(2, round(count * _RATE / SAMPLE_RATE))
    spectrum = np.fft.rfft(mono)[: kept // 2 + 1]
    pitches = np.arange(len(spectrum)) * (SAMPLE_RATE / count)
    spectrum[(pitches < _BAND_HZ[0]) | (pitches > _BAND_HZ[1])] = 0
    result: Wave = (np.fft.irfft(spectrum, kept) * (kept / count)).astype(np.float32)
    return result


def _place(known: Wave, given: Wave) -> int:
    """Return where `known` lies in `given`, in samples; negative when its beginning is not in it."""
    size = 1 << (len(known) + len(given) - 1).bit_length()
    a, b = np.fft.rfft(given, size), np.fft.rfft(known, size)
    likeness = np.abs(np.fft.irfft(a * np.conj(b), size))
    best = int(np.argmax(likeness))
    return best if best < len(given) else best - size


def _blocks(known: Wave, given: Wave, place: int) -> list[_Block]:
    """Look for each tenth of a second of the original at its place."""
    length, wander = round(_BLOCK_S * _RATE), round(_WANDER_S * _RATE)
    count = len(known) // length
    pieces = known[: count * length].reshape(count, length)
    energies = np.square(pieces, dtype=np.float64).sum(axis=1)
    threshold = float(energies.max(initial=0.0)) * 10 ** (_PAUSE_DB / 10)
    padded = np.pad(given, (length + wander, length + wander))
    found = []
    for number, piece in enumerate(pieces):
        energy = float(energies[number])
        start = place + number * length + length  # in `padded`, `wander` before the place
        window = padded[max(0, start) : max(0, start) + length + 2 * wander]
        if energy <= threshold or energy == 0 or start < 0 or len(window) < length + 2 * wander:
            found.append(_Block(energy > threshold and energy > 0, 0.0, 0, 0.0, energy))
            continue
        products = np.correlate(window, piece, "valid").astype(np.float64)
        squares = np.concatenate([[0.0], np.cumsum(np.square(window, dtype=np.float64))])
        there = np.maximum(squares[length:] - squares[:-length], 1e-12)
        likeness = np.square(products) / (there * energy)
        best = int(np.argmax(likeness))
        between, product = _peak(np.abs(products), best)
        factor = product / energy
        # Noise a thousand times softer than it should be can look alike by chance; it is not the announcement.
        alike = min(1.0, product**2 / float(there[best] * energy)) if factor > 1e-3 else 0.0
        found.append(_Block(True, alike, best + between - wander, factor, energy))
    return found


def _peak(values: NDArray[np.float64], at: int) -> tuple[float, float]:
    """Return how far the crest of a parabola through a sample and its neighbours is from the sample, and its height."""
    if not 0 < at < len(values) - 1:
        return 0.0, float(values[at])
    before, middle, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * middle + after
    if bend >= 0:
        return 0.0, middle
    between = (before - after) / (2 * bend)
    return between, middle - (before - after) * between / 4


def _missing(blocks: list[_Block]) -> tuple[Missing, ...]:
    stretches: list[Missing] = []
    for number, block in enumerate(blocks):
        if not block.audible or block.likeness > _HEARD:
            continue
        start, end = number * _BLOCK_S, (number + 1) * _BLOCK_S
        if stretches and abs(stretches[-1].end_s - start) < _BLOCK_S / 2:
            start = stretches.pop().start_s
        stretches.append(Missing(start_s=round(start, 3), end_s=round(end, 3)))
    return tuple(stretches)
