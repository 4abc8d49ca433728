"""Who speaks: voice activity from sound levels, with hysteresis in level and in time. Pure: the clock is a parameter.

A level alone tells no voice from a slammed door; the times do: sound must last to count as speech, and a pause between
words does not end it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["SILENCE_DBOV", "VoiceActivity", "level_dbov"]

SILENCE_DBOV = -127.0
"""The level of digital silence (RFC 6465 section 3.1 ends its scale there)."""

# Speech at a usual distance is at -35 to -15 dBov; a quiet office through a headset below -55.
_BEGIN_DBOV, _END_DBOV = -42.0, -48.0
# 100 ms of sound is shorter than a syllable and longer than a key stroke; 700 ms is longer than a pause for breath.
_BEGIN_S, _END_S = 0.1, 0.7


def level_dbov(samples: NDArray[np.int16]) -> float:
    """Return the root mean square level in dB of full scale, -127 for silence (RFC 6464 section 3 measures alike)."""
    if not samples.size:
        return SILENCE_DBOV
    wide = samples.astype(np.float32).ravel()
    power = float(np.dot(wide, wide)) / wide.size
    return max(SILENCE_DBOV, 10.0 * math.log10(power / 32768.0**2)) if power > 0 else SILENCE_DBOV


class VoiceActivity:
    """One participant's voice. Feed it a level for every 20 ms of sound; it forgets what it is not told.

    Attributes:
        speaking: whether the participant speaks, as of the last call.
    """

    def __init__(self) -> None:
        self.speaking = False
        self._since: float | None = None

    def handle_level(self, dbov: float, now: float) -> bool:
        """Take the level of the sound at `now` (seconds); returns whether `speaking` changed."""
        towards = dbov < _END_DBOV if self.speaking else dbov > _BEGIN_DBOV
        if not towards:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since < (_END_S if self.speaking else _BEGIN_S):
            return False
        self.speaking = not self.speaking
        self._since = None
        return True
