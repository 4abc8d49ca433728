"""The mix: everybody hears everybody else, 20 ms at a time. Pure arithmetic on PCM; codecs and threads are elsewhere.

One sum is made of all voices and each contributor's own is taken from it; all who contribute nothing hear the same sum,
so that it is encoded once. A voice below the floor is not in the mix at all. One gain keeps the loudest result below
full scale: it falls at once and recovers slowly, the same for all listeners.

Each input has a queue, whose rule is in `mixer_queue`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .encoding import FRAME_SAMPLES, SAMPLE_RATE
from .mixer_queue import InputQueue
from .voice import SILENCE_DBOV, level_dbov

__all__ = ["Mix", "Mixer"]

_Name = TypeVar("_Name", bound=Hashable)

# Below this level a voice is not mixed, and after this many ticks below it its owner hears the common mix: a second, so
# that pauses between words do not change what is encoded for whom.
_FLOOR_DBOV, _HOLD = -65.0, 50
# The limiter: aim of the highest peak, and the share of the way back to full gain per 20 ms (about half a second).
_CEILING, _RECOVERY = 30000.0, 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix(Generic[_Name]):
    """20 ms of the conference."""

    common: NDArray[np.int16]
    """What everybody hears who contributes nothing."""
    minus: Mapping[_Name, NDArray[np.int16]]
    """What each contributor who listens hears: all but itself."""
    levels: Mapping[_Name, float]
    """Level of each input in dBov, as it came; silence for muted ones and for those with nothing to play."""


@dataclass(slots=True)
class _Input:
    queue: InputQueue
    muted: bool = False
    quiet: int = _HOLD


class Mixer(Generic[_Name]):
    """The mix of one conference, mono at 48 kHz; not thread-safe."""

    def __init__(self) -> None:
        self._inputs: dict[_Name, _Input] = {}
        self._gain = 1.0

    def add(self, name: _Name) -> None:
        """Take a participant into the mix; one who is there stays as it is."""
        self._inputs.setdefault(name, _Input(queue=InputQueue()))

    def remove(self, name: _Name) -> None:
        """Forget a participant; unknown ones are ignored."""
        self._inputs.pop(name, None)

    def set_muted(self, name: _Name, *, muted: bool) -> None:
        """Keep a participant's voice out of the mix, or let it in; unknown ones are ignored."""
        if source := self._inputs.get(name):
            source.muted = muted

    def push(self, name: _Name, samples: NDArray[np.int16], time: float, *, concealed: bool = False) -> None:
        """Queue a participant's sound, or what conceals that some is missing; unknown ones are ignored."""
        if source := self._inputs.get(name):
            source.queue.push(samples, time, concealed=concealed)

    def owe(self, seconds: float) -> None:
        """Tell how much is to be mixed at once after the next 20 ms, because it was due before."""
        for source in self._inputs.values():
            source.queue.owed = round(seconds * SAMPLE_RATE)

    def restart(self) -> None:
        """Leave out all that waits to be mixed, as if everybody had just come."""
        for source in self._inputs.values():
            source.queue = InputQueue()

    def delay(self, name: _Name, now: float) -> float | None:
        """Return how late a participant's sound was in the last mix, made at `now`; None when there was none."""
        source = self._inputs.get(name)
        return None if source is None or source.queue.time is None else now - source.queue.time

    def mix(self, listeners: Collection[_Name] | None = None) -> Mix[_Name]:
        """Take 20 ms from every queue and mix them.

        Args:
            listeners: those who hear the mix; None is everybody, and for nobody only the levels are true.
        """
        levels: dict[_Name, float] = {}
        voices: dict[_Name, NDArray[np.int16] | None] = {}
        total: NDArray[np.int32] = np.zeros(FRAME_SAMPLES, np.int32)
        for name, source in self._inputs.items():
            frame = source.queue.pull()
            level = SILENCE_DBOV if frame is None or source.muted else level_dbov(frame)
            levels[name] = level
            source.quiet = 0 if level > _FLOOR_DBOV else source.quiet + 1
            if frame is not None and level > _FLOOR_DBOV:
                total += frame
                voices[name] = frame
            elif source.quiet < _HOLD:
                voices[name] = None
        if listeners is not None:
            voices = {name: voice for name, voice in voices.items() if name in listeners}
            if not listeners:
                return Mix(common=np.zeros(FRAME_SAMPLES, np.int16), minus={}, levels=levels)
        sums = {name: total if voice is None else total - voice for name, voice in voices.items()}
        before, after = self._limit([total, *sums.values()])
        return Mix(
            common=_scale(total, before, after),
            minus={name: _scale(part, before, after) for name, part in sums.items()},
            levels=levels,
        )

    def _limit(self, sums: list[NDArray[np.int32]]) -> tuple[float, float]:
        """Return the gain to begin and to end with, so that the loudest sum stays below the ceiling."""
        peak = max(float(np.abs(part).max()) for part in sums)
        before = self._gain
        recovered = before + (1.0 - before) * _RECOVERY if before < 0.999 else 1.0
        self._gain = min(recovered, _CEILING / peak) if peak > _CEILING else recovered
        return before, self._gain


def _scale(part: NDArray[np.int32], before: float, after: float) -> NDArray[np.int16]:
    if before == after == 1.0:
        return part.clip(-32768, 32767).astype(np.int16)
    # A falling gain falls within the first 2 ms; a rising one takes the whole frame.
    gain = np.full(len(part), after, np.float32)
    ramp = 96 if after < before else len(part)
    gain[:ramp] = np.linspace(before, after, ramp, dtype=np.float32)
    scaled: NDArray[np.float32] = part * gain
    return scaled.clip(-32768, 32767).astype(np.int16)
