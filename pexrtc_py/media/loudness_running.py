"""Loudness of what cannot be measured before it is sent: a gain that follows slowly."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .encoding import FRAME_SAMPLES, SAMPLE_RATE
from .loudness_meter import LoudnessMeter

__all__ = ["RunningLevel"]


class RunningLevel:
    """Brings sound to a loudness while it goes on, piece by piece of 20 ms.

    The gain follows the loudness of the last three seconds that were not silent by at most 3 dB a second, and stands
    still in silence. A peak that would be clipped lowers it at once.

    Args:
        channels: 1 or 2.
        target_lufs: loudness wanted.
        peak_dbtp: highest peak wanted.
    """

    _PACE_DB: Final = 3.0 * FRAME_SAMPLES / SAMPLE_RATE
    _GATE_LUFS: Final = -50.0
    _RANGE_DB: Final = (-30.0, 20.0)
    _NEAR_LU: Final = 0.5

    def __init__(self, channels: int, *, target_lufs: float, peak_dbtp: float) -> None:
        self._meter = LoudnessMeter(channels, peaks=False)
        self._target = target_lufs
        self._peak = 32768 * 10 ** (peak_dbtp / 20)
        # The last three seconds in which there was something to be heard, every tenth of one.
        self._recent: deque[float] = deque(maxlen=30)
        self._pieces = 0
        self.gain_db = 0.0
        """The gain now."""

    def levelled(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the next 20 ms, shape (samples, channels), louder or softer."""
        self._meter.push(samples)
        before = self.gain_db
        self._follow()
        highest = float(np.abs(samples.astype(np.int32)).max(initial=0))
        if highest > 0:
            allowed = 20 * math.log10(self._peak / highest)
            self.gain_db = min(self.gain_db, allowed)
            before = min(before, allowed)
        slope = np.linspace(10 ** (before / 20), 10 ** (self.gain_db / 20), len(samples), dtype=np.float32)
        loud: NDArray[np.int16] = np.clip(np.rint(samples * slope[:, None]), -32768, 32767).astype(np.int16)
        return loud

    def _follow(self) -> None:
        self._pieces += 1
        momentary = self._meter.momentary_lufs
        if self._pieces % 5 == 0 and momentary > self._GATE_LUFS:
            self._recent.append(10 ** (momentary / 10))
        if not self._recent or momentary <= self._GATE_LUFS:
            return
        loud = 10 * math.log10(sum(self._recent) / len(self._recent))
        off = self._target - loud - self.gain_db
        if abs(off) > self._NEAR_LU:
            wanted = self.gain_db + max(-self._PACE_DB, min(self._PACE_DB, off))
            self.gain_db = max(self._RANGE_DB[0], min(self._RANGE_DB[1], wanted))
