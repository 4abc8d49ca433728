"""The queue of one voice before the mix: how much of it is held back, so that what comes late is still heard whole.

Late is what a loaded machine, a stalled event loop or a network makes late. The rule, in the order of its aims:

- Nothing that came is dropped, unless more than 500 ms are held (then the oldest).
- It waits for its reserve before it plays: 80 ms at first. When it runs dry it waits again, and what comes then is
  played after it, so the delay has grown by what was late; a burst that makes up for a stall is played at once. Each
  time it ran dry because sound came late the reserve grows by 20 ms, to 160 ms. A pause of the sender is no lateness.
- Delay is given up 20 ms at a time, and only in silence (below -50 dBov), the joint faded: when in ten seconds (in a
  minute, after it ran dry) never less than 50 ms were held. On a quiet machine 40 ms remain. In silence, what is held
  beyond 200 ms goes at once.
- Ticks that were missed and are made up for now are owed: what is held for them is no delay, and is neither dropped nor
  given up.
- What conceals lost or unsent packets is left out as far as silence was played in its place already.

What changes here changes how late the picture is: the delay is told with every mix.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from .encoding import FRAME_SAMPLES, SAMPLE_RATE
from .voice import level_dbov

__all__ = ["InputQueue"]

_BEGIN, _STEP, _LARGEST = 4 * FRAME_SAMPLES, FRAME_SAMPLES, 8 * FRAME_SAMPLES
_MOST, _PLENTY = 25 * FRAME_SAMPLES, 10 * FRAME_SAMPLES
# Half a frame stays in reserve when 20 ms are given up of this.
_ENOUGH = 2 * FRAME_SAMPLES + FRAME_SAMPLES // 2
# Ticks of 20 ms: ten seconds, a minute.
_PATIENCE, _PATIENCE_AFTER_DRY = 500, 3000
_SILENT_DBOV = -50.0
# Sound that begins within this of where the last ended goes on from it.
_JOINED_S = 0.03


class InputQueue:
    """Sound of one participant on its way to the mix. Driven by `push` as sound comes and `pull` every 20 ms.

    Attributes:
        time: seconds on the call's timeline at which the frame pulled last began; None when there was nothing to play.
        reserve_s: what it waits for before it plays.
        owed: samples that will be pulled at once, for they should have been pulled before.
    """

    def __init__(self) -> None:
        self.time: float | None = None
        self.owed = 0
        self._pieces: deque[tuple[NDArray[np.int16], float]] = deque()
        self._held = 0
        self._reserve = _BEGIN
        self._waiting = True
        self._waited = 0
        # After it ran dry: samples of silence played instead, and where the sound played last ended.
        self._silence = 0
        self._ended_at: float | None = None
        self._lowest, self._ticks, self._patience = _MOST, 0, _PATIENCE

    @property
    def reserve_s(self) -> float:
        """What it waits for before it plays, seconds."""
        return self._reserve / SAMPLE_RATE

    def push(self, samples: NDArray[np.int16], time: float, *, concealed: bool = False) -> None:
        """Append samples (48 kHz, one dimension) that begin at `time`; drops the oldest beyond 500 ms and the owed."""
        if concealed:
            spare = min(len(samples), self._silence)
            self._silence -= spare
            samples, time = samples[spare:], time + spare / SAMPLE_RATE
        elif self._silence and not self._held and self._ended_at is not None:
            if abs(time - self._ended_at) < _JOINED_S:
                self._reserve = min(self._reserve + _STEP, _LARGEST)
                self._lowest, self._ticks, self._patience = _MOST, 0, _PATIENCE_AFTER_DRY
            self._ended_at = None
        if len(samples):
            self._pieces.append((samples, time))
            self._held += len(samples)
        if self._held > _MOST + self.owed:
            self._take(self._held - _MOST - self.owed)

    def pull(self) -> NDArray[np.int16] | None:
        """Return the next 20 ms, or None while there is nothing to play."""
        self.time = None
        if not self._waiting and self._held < FRAME_SAMPLES:
            self._waiting, self._waited = True, 0
        if self._waiting:
            # A few packets alone are played when the reserve could have come.
            self._waited += FRAME_SAMPLES if self._held else 0
            if self._held < self._reserve and self._waited <= self._reserve:
                self._silence += FRAME_SAMPLES if self._ended_at is not None else 0
                return None
            self._waiting, self._silence = False, 0
        frame = self._shorten()
        if frame is None:
            self.time = self._pieces[0][1]
            frame = self._take(min(FRAME_SAMPLES, self._held))
        self._ended_at = (self.time or 0.0) + len(frame) / SAMPLE_RATE
        if len(frame) < FRAME_SAMPLES:
            frame = np.concatenate([frame, np.zeros(FRAME_SAMPLES - len(frame), np.int16)])
        return frame

    def _shorten(self) -> NDArray[np.int16] | None:
        """Return 20 ms made of 40 when delay can be given up here, else None."""
        held = max(0, self._held - self.owed)
        self._lowest = min(self._lowest, held)
        self._ticks += 1
        patient = self._ticks >= self._patience
        if patient and self._lowest <= _ENOUGH:
            self._lowest, self._ticks, self._patience = _MOST, 0, _PATIENCE
            self._reserve = max(_BEGIN, self._reserve - _STEP)
            return None
        if not (patient or held > _PLENTY) or held < 2 * FRAME_SAMPLES:
            return None
        time = self._pieces[0][1]
        both = self._take(2 * FRAME_SAMPLES)
        given_up, kept = both[:FRAME_SAMPLES], both[FRAME_SAMPLES:]
        if max(level_dbov(given_up), level_dbov(kept)) > _SILENT_DBOV:
            self._pieces.appendleft((both, time))
            self._held += len(both)
            return None
        if patient:
            self._lowest, self._ticks, self._patience = _MOST, 0, _PATIENCE
        self.time = time + FRAME_SAMPLES / SAMPLE_RATE
        ramp = np.linspace(0.0, 1.0, FRAME_SAMPLES, dtype=np.float32)
        return (given_up * (1 - ramp) + kept * ramp).astype(np.int16)

    def _take(self, count: int) -> NDArray[np.int16]:
        taken = []
        self._held -= count
        while count:
            samples, time = self._pieces.popleft()
            if len(samples) > count:
                self._pieces.appendleft((samples[count:], time + count / SAMPLE_RATE))
                samples = samples[:count]
            taken.append(samples)
            count -= len(samples)
        return taken[0] if len(taken) == 1 else np.concatenate(taken)
