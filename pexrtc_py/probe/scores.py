"""Figures with a definition that others share: freezes, jitter, bursts, percentiles, loss buckets, skew, sync score.

All are plain functions of numbers; where a figure comes from stands with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "CallQuality",
    "Freeze",
    "FreezeWatch",
    "Jitter",
    "Losses",
    "SkewBand",
    "SyncFigures",
    "burst_ratio",
    "call_quality",
    "percentile",
    "skew_band",
    "sync_score",
    "time_within",
]


def percentile(values: Iterable[float], percent: float) -> float:
    """Return a percentile with linear interpolation between the nearest ranks (as numpy's default).

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values to take a percentile of")
    position = (len(ordered) - 1) * min(100.0, max(0.0, percent)) / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


class CallQuality(StrEnum):
    """Pexip's words for the quality of a stream over 20 seconds."""

    GOOD = "good"
    OK = "ok"
    BAD = "bad"
    TERRIBLE = "terrible"
    UNKNOWN = "unknown"


CALL_QUALITY_WINDOW_S: Final = 20.0


def call_quality(lost: int, expected: int) -> CallQuality:
    """Return the bucket of packet loss over 20 seconds as in Pexip Infinity's call status and history.

    Below 1 % good, below 3 % ok, below 10 % bad, else terrible
    (docs.pexip.com, "Viewing participant status": call quality).
    """
    if expected <= 0:
        return CallQuality.UNKNOWN
    share = lost / expected
    if share < 0.01:
        return CallQuality.GOOD
    if share < 0.03:
        return CallQuality.OK
    return CallQuality.BAD if share < 0.10 else CallQuality.TERRIBLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The picture stood still."""

    begin: float
    """When the last picture before it was shown, seconds."""
    end: float
    """When the next one was."""

    @property
    def duration(self) -> float:
        """Seconds from picture to picture, as `totalFreezesDuration` counts them."""
        return self.end - self.begin


_LEAST_INTERVALS: Final = 5
_STILL_S: Final = 1.0
"""Where a stream ends after its first pictures (ours; webrtc-stats knows of no end)."""


class FreezeWatch:
    """Finds freezes as webrtc-stats defines them.

    A freeze is an interval between two pictures of at least max(3 x mean, mean + 150 ms), the mean being that of the
    last 30 intervals (W3C webrtc-stats, `freezeCount`). As in libwebrtc, five intervals are needed first.
    """

    def __init__(self) -> None:
        self.freezes: list[Freeze] = []
        self._intervals: deque[float] = deque(maxlen=30)
        self._last: float | None = None

    def show(self, time: float) -> Freeze | None:
        """Take the time, in seconds, at which the next new picture was shown; return the freeze that it ended."""
        last, self._last = self._last, time
        if last is None:
            return None
        freeze = self._freeze(last, time)
        self._intervals.append(time - last)
        if freeze is not None:
            self.freezes.append(freeze)
        return freeze

    def finish(self, time: float) -> Freeze | None:
        """Return the freeze that lasts at the end of the measurement, if it is long enough to be one.

        Also when there were too few pictures to know their usual interval: a second without another is one by any.
        """
        freeze = None if self._last is None else self._freeze(self._last, time)
        if freeze is None and self._last is not None and len(self._intervals) < _LEAST_INTERVALS:
            freeze = Freeze(begin=self._last, end=time) if time - self._last >= _STILL_S else None
        if freeze is not None:
            self.freezes.append(freeze)
        return freeze

    def _freeze(self, begin: float, end: float) -> Freeze | None:
        if len(self._intervals) < _LEAST_INTERVALS:
            return None
        mean = sum(self._intervals) / len(self._intervals)
        return Freeze(begin=begin, end=end) if end - begin >= max(3 * mean, mean + 0.150) else None


class Jitter:
    """Interarrival jitter of RFC 3550 section 6.4.1, and every single deviation for percentiles."""

    def __init__(self, clock_rate: int) -> None:
        self.seconds = 0.0
        """The running estimate J."""
        self.deviations: list[float] = []
        """|D(i-1, i)| in seconds."""
        self._clock_rate = clock_rate
        self._transit: float | None = None

    def arrive(self, rtp_time: int, arrival: float) -> None:
        """Take the next packet: unwrapped RTP timestamp, and arrival in seconds."""
        transit = arrival - rtp_time / self._clock_rate
        if self._transit is not None:
            deviation = abs(transit - self._transit)
            self.deviations.append(deviation)
            self.seconds += (deviation - self.seconds) / 16
        self._transit = transit


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Loss and how it comes, from which packets were received."""

    expected: int
    lost: int
    bursts: tuple[int, ...]
    """Length of each run of lost packets, in order."""

    @classmethod
    def of(cls, received: Sequence[bool]) -> Losses:
        """Count over packets in order of sequence number."""
        bursts, run = [], 0
        for arrived in received:
            if not arrived:
                run += 1
            elif run:
                bursts.append(run)
                run = 0
        if run:
            bursts.append(run)
        return cls(expected=len(received), lost=sum(bursts), bursts=tuple(bursts))

    @property
    def ratio(self) -> float:
        """Share of packets lost."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def mean_burst(self) -> float:
        """Mean run of lost packets, 0 without loss."""
        return self.lost / len(self.bursts) if self.bursts else 0.0

    @property
    def burst_ratio(self) -> float:
        """As `burst_ratio`."""
        return burst_ratio(lost=self.lost, expected=self.expected, runs=len(self.bursts))


def burst_ratio(*, lost: int, expected: int, runs: int) -> float:
    """Return BurstR of G.107 section 7.5: mean burst against that of random loss, 1/(1 - loss); 1 without loss."""
    if runs <= 0 or lost <= 0 or expected <= 0:
        return 1.0
    return lost / runs * (1 - min(1.0, lost / expected))


class SkewBand(StrEnum):
    """How sound against picture is taken."""

    UNNOTICED = "not noticed"
    NOTICED = "noticed"
    UNACCEPTABLE = "not accepted"


def skew_band(skew_ms: float) -> SkewBand:
    """Return how viewers take a skew; positive means sound is early.

    ITU-R BT.1359-1 (1998), considering g: noticed beyond about +45 and -125 ms, not accepted beyond about +90 and -185.
    """
    if -125 <= skew_ms <= 45:
        return SkewBand.UNNOTICED
    return SkewBand.NOTICED if -185 <= skew_ms <= 90 else SkewBand.UNACCEPTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFigures:
    """What the sync score of LiveKit egress's test harness is made of, in milliseconds but for the last."""

    skews_ms: tuple[float, ...]
    """Sound less picture, mark for mark."""
    audio_jitter_ms: float
    """Deviation of the intervals between sound marks."""
    video_jitter_ms: float
    """Deviation of the intervals between picture marks."""
    lock_s: float
    """Seconds until both marks were there."""


def sync_score(figures: SyncFigures) -> float:
    """Return 100 for perfect sync down to 0 (github.com/livekit/egress, test/avsync).

    100 - 20 n(sd of skew, 10, 50) - 20 n(|mean skew|, 50, 300) - 20 n(audio jitter, 5, 50) - 20 n(video jitter, 5, 50)
    - 10 n(largest skew, 100, 500) - 10 n(lock, 1 s, 10 s); n is 0 below its first bound, 1 above its second.

    Raises:
        ValueError: there is no skew.
    """
    if not figures.skews_ms:
        raise ValueError("no marks were matched")
    mean = sum(figures.skews_ms) / len(figures.skews_ms)
    deviation = math.sqrt(sum((skew - mean) ** 2 for skew in figures.skews_ms) / len(figures.skews_ms))
    return (
        100
        - 20 * _between(deviation, 10, 50)
        - 20 * _between(abs(mean), 50, 300)
        - 20 * _between(figures.audio_jitter_ms, 5, 50)
        - 20 * _between(figures.video_jitter_ms, 5, 50)
        - 10 * _between(max(map(abs, figures.skews_ms)), 100, 500)
        - 10 * _between(figures.lock_s, 1, 10)
    )


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def time_within(spans: Sequence[tuple[float, float]], windows: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Yield how much of each window the spans cover, in one sweep.

    Args:
        spans: (begin, end), in order, none overlapping the next.
        windows: likewise.
    """
    first = 0
    for begin, end in windows:
        while first < len(spans) and spans[first][1] <= begin:
            first += 1
        covered, place = 0.0, first
        while place < len(spans) and spans[place][0] < end:
            covered += min(spans[place][1], end) - max(spans[place][0], begin)
            place += 1
        yield covered
