"""How well sound and picture of a recording fit: LiveKit egress's score, on flashes and beeps of once a second.

The formula is that of egress's test harness (design notes, field.md section 2b): 100, less up to 20 each for the spread
of the skew, its mean, and the jitter of beeps and of flashes, less up to 10 each for the largest skew and for the time
until the first pair. A pair is a flash and a beep within `TOLERANCE_S`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np

from ..errors import SourceError

__all__ = ["SyncScore", "find_beeps", "find_flashes", "score_recording", "score_sync"]

TOLERANCE_S = 0.3
_BRIGHT = 130.0
_LOUD = 10 ** (-35 / 20)
_WINDOW_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncScore:
    """The score, and what it is made of; skew is positive when the picture comes after the sound."""

    score: float
    """0 to 100."""
    pairs: int
    """Flashes with a beep."""
    mean_skew_s: float
    """Mean over all pairs."""
    skew_deviation_s: float
    """Standard deviation."""
    p95_skew_s: float
    """95th percentile of the absolute skew."""
    max_skew_s: float
    """Largest absolute skew."""
    beep_jitter_s: float
    """Standard deviation of the time between beeps, of neighbours only."""
    flash_jitter_s: float
    """The same of flashes."""
    lock_s: float
    """From the first mark of either kind to the first pair."""


def score_sync(flashes: Sequence[float], beeps: Sequence[float], *, period_s: float = 1.0) -> SyncScore | None:
    """Score times of flashes and beeps, None without a pair."""
    pairs = [
        (flash, beep)
        for flash in flashes
        for beep in [min(beeps, key=lambda at: abs(at - flash), default=float("inf"))]
        if abs(flash - beep) <= TOLERANCE_S
    ]
    if not pairs:
        return None
    skews = np.array([flash - beep for flash, beep in pairs])
    deviation, mean, largest = float(skews.std()), float(skews.mean()), float(np.abs(skews).max())
    beep_jitter, flash_jitter = _jitter(beeps, period_s), _jitter(flashes, period_s)
    lock = min(pairs[0]) - min(flashes[0], beeps[0])
    score = (
        100
        - 20 * _between(deviation, 0.010, 0.050)
        - 20 * _between(abs(mean), 0.050, 0.300)
        - 20 * _between(beep_jitter, 0.005, 0.050)
        - 20 * _between(flash_jitter, 0.005, 0.050)
        - 10 * _between(largest, 0.100, 0.500)
        - 10 * _between(lock, 1.0, 10.0)
    )
    return SyncScore(
        score=round(score, 2),
        pairs=len(pairs),
        mean_skew_s=mean,
        skew_deviation_s=deviation,
        p95_skew_s=float(np.percentile(np.abs(skews), 95)),
        max_skew_s=largest,
        beep_jitter_s=beep_jitter,
        flash_jitter_s=flash_jitter,
        lock_s=lock,
    )


def score_recording(path: Path) -> SyncScore | None:
    """Decode a recording and score it; None without a pair. Decodes: not in a process that records.

    Raises:
        SourceError: it cannot be read.
    """
    return score_sync(find_flashes(path), find_beeps(path))


def find_flashes(path: Path) -> list[float]:
    """Return when the picture becomes bright, seconds of the file.

    Raises:
        SourceError: the file cannot be read.
    """
    found: list[float] = []
    bright = False
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                luma = frame.reformat(format="gray").to_ndarray()
                was, bright = bright, float(luma.mean()) > _BRIGHT
                if bright and not was and frame.time is not None:
                    found.append(frame.time)
    except (OSError, av.error.FFmpegError, IndexError) as exc:
        raise SourceError(f"{path}: no picture to score: {exc}") from exc
    return found


def find_beeps(path: Path) -> list[float]:
    """Return when sound becomes loud after silence of a tenth of a second, seconds of the file.

    Raises:
        SourceError: the file cannot be read.
    """
    found: list[float] = []
    loud_at = float("-inf")
    try:
        with av.open(path) as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
            for decoded in container.decode(audio=0):
                at = decoded.time or 0.0
                decoded.pts = None
                for frame in resampler.resample(decoded):
                    samples = frame.to_ndarray()[0]
                    step = round(_WINDOW_S * 48000)
                    for start in range(0, len(samples) - step + 1, step):
                        if float(np.sqrt(np.mean(samples[start : start + step] ** 2))) > _LOUD:
                            moment = at + start / 48000
                            if moment - loud_at > 0.1:
                                found.append(moment)
                            loud_at = moment
    except (OSError, av.error.FFmpegError, IndexError) as exc:
        raise SourceError(f"{path}: no sound to score: {exc}") from exc
    return found


def _between(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, linear between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _jitter(moments: Sequence[float], period_s: float) -> float:
    """Deviation of the intervals from the period; a missing mark (mute, pause) is no jitter."""
    intervals = [later - earlier for earlier, later in itertools.pairwise(moments)]
    off = [interval - period_s * max(1, round(interval / period_s)) for interval in intervals]
    return float(np.std(off)) if off else 0.0
