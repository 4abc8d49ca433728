"""What received sound is like: its level, its silences, its clipping, and the holes that were concealed.

Loudness is that of ITU-R BS.1770-4 as EBU R 128 uses it, by FFmpeg's `ebur128`. Mono is measured as one channel: the
same sound as two channels reads 3 LU more. All is 48 kHz; time is that of the samples, so that a gap is no silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

__all__ = ["SoundMeter", "SoundSecond", "Span"]

RATE: Final = 48000
_WINDOW: Final = RATE // 100
"""Silence is decided each 10 ms."""
_SILENT_DBFS: Final = -60.0
"""Level (RMS of 10 ms) below which sound is silence: above the comfort noise of codecs, below a quiet room."""
_LEAST_SILENCE_S: Final = 0.2
"""Shorter silences are pauses between words."""
_CLIPPED: Final = 32700
_CLIPPED_RUN: Final = 3
"""So many samples in a row at full scale are clipping; single ones are the loudest moments of sound that is not."""
_FLOOR_DB: Final = -120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time."""

    begin: float
    """Seconds on the time line of what was measured."""
    end: float

    @property
    def duration(self) -> float:
        """Seconds it lasts."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundSecond:
    """What one second of sound was like."""

    time: float
    """When the second began, on the time line of the sound."""
    rms_dbfs: float
    """Level over the second, decibels below full scale; -120 for digital silence."""
    peak_dbfs: float
    """Highest sample."""
    loudness_lufs: float
    """Short-term loudness (3 s) at its end, EBU Tech 3341; -120.7 in silence."""
    clipped: int
    """Samples that were clipped."""
    concealed_s: float
    """Seconds that were made up because packets were missing."""


@dataclass(slots=True)
class _Second:
    begin: float
    count: int = 0
    energy: float = 0.0
    peak: float = 0.0
    clipped: int = 0
    concealed: int = 0


def _decibels(ratio: float) -> float:
    return max(_FLOOR_DB, float(20 * np.log10(max(ratio, 1e-12))))


class _Loudness:
    """FFmpeg's ebur128, fed with what comes."""

    def __init__(self, channels: int) -> None:
        layout = "stereo" if channels == 2 else "mono"
        self._layout, self._pts = layout, 0
        self._graph = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=RATE, format="s16", layout=layout, channels=channels, time_base=Fraction(1, RATE)
        )
        node, self._sink = self._graph.add("ebur128", "metadata=1"), self._graph.add("abuffersink")
        self._source.link_to(node)
        node.link_to(self._sink)
        self._graph.configure()
        self.short_term = self.integrated = _FLOOR_DB

    def push(self, samples: NDArray[np.int16]) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=self._layout
        )
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._pts
        self._pts += len(samples)
        self._source.push(frame)
        while True:
            try:
                out = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            metadata = out.metadata
            self.short_term = float(metadata.get("lavfi.r128.S", self.short_term))
            self.integrated = float(metadata.get("lavfi.r128.I", self.integrated))


class SoundMeter:
    """Measures one stream of sound as it comes; memory is bounded but for the list of silences."""

    def __init__(self, *, channels: int = 1) -> None:
        self.silences: list[Span] = []
        """Silences of 0.2 s or more that have ended, in order."""
        self._loudness = _Loudness(channels)
        self._second: _Second | None = None
        self._silent_from: float | None = None
        self._until = 0.0
        self._clipped_run = 0

    @property
    def loudness_lufs(self) -> float:
        """Integrated, gated loudness of all sound so far (EBU R 128); -70 or less while there was none."""
        return self._loudness.integrated

    def push(self, samples: NDArray[np.int16], time: float, *, concealed: bool = False) -> list[SoundSecond]:
        """Take the next samples and return the seconds that are complete.

        Args:
            samples: shape (samples, channels).
            time: when the first is due, seconds.
            concealed: these were made up for lost ones.
        """
        done = []
        self._note_silence(samples, time)
        while len(samples):
            if self._second is None:
                self._second = _Second(time)
            take = min(RATE - self._second.count, len(samples))
            self._add(self._second, samples[:take], concealed=concealed)
            samples, time = samples[take:], time + take / RATE
            if self._second.count == RATE:
                done.append(self._close(self._second))
                self._second = None
        return done

    def finish(self) -> list[SoundSecond]:
        """Return the last, incomplete second, if any, and end a silence that lasts."""
        self._end_silence(self._until)
        second, self._second = self._second, None
        return [self._close(second)] if second is not None and second.count else []

    def _add(self, second: _Second, samples: NDArray[np.int16], *, concealed: bool) -> None:
        loudest = np.abs(samples.astype(np.int32)).max(axis=1)
        second.count += len(samples)
        second.energy += float(np.sum(samples.astype(np.float64) ** 2)) / samples.shape[1]
        second.peak = max(second.peak, float(loudest.max()))
        second.clipped += self._clipped(loudest >= _CLIPPED)
        second.concealed += len(samples) if concealed else 0
        self._loudness.push(samples)

    def _clipped(self, full: NDArray[np.bool_]) -> int:
        """Return how many samples belong to runs at full scale that have become long enough."""
        if not full.any():
            self._clipped_run = 0
            return 0
        clipped = 0
        for value in full:
            self._clipped_run = self._clipped_run + 1 if value else 0
            if self._clipped_run >= _CLIPPED_RUN:
                clipped += _CLIPPED_RUN if self._clipped_run == _CLIPPED_RUN else 1
        return clipped

    def _close(self, second: _Second) -> SoundSecond:
        return SoundSecond(
            time=second.begin,
            rms_dbfs=_decibels((second.energy / second.count) ** 0.5 / 32768),
            peak_dbfs=_decibels(second.peak / 32768),
            loudness_lufs=self._loudness.short_term,
            clipped=second.clipped,
            concealed_s=second.concealed / RATE,
        )

    def _note_silence(self, samples: NDArray[np.int16], time: float) -> None:
        if abs(time - self._until) > _WINDOW / RATE:
            self._end_silence(self._until)
        for at in range(0, len(samples), _WINDOW):
            window = samples[at : at + _WINDOW].astype(np.float64)
            silent = _decibels(float(np.sqrt(np.mean(window**2))) / 32768) < _SILENT_DBFS
            if not silent:
                self._end_silence(time + at / RATE)
            elif self._silent_from is None:
                self._silent_from = time + at / RATE
        self._until = time + len(samples) / RATE

    def _end_silence(self, time: float) -> None:
        begin, self._silent_from = self._silent_from, None
        if begin is not None and time - begin >= _LEAST_SILENCE_S:
            self.silences.append(Span(begin=begin, end=time))
