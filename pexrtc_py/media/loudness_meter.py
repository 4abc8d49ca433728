"""Measuring loudness by EBU R128 as sound comes, and FFmpeg's filters around it.

Knows nothing of sources: `loudness` measures those, `loudness_running` follows what cannot be measured before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from .encoding import SAMPLE_RATE

__all__ = ["Loudness", "LoudnessMeter", "filter_graph", "filtered", "framed"]

# ebur128 says -70 where it found nothing above its absolute gate.
_SILENT_LUFS: Final = -69.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """How loud something is."""

    integrated_lufs: float
    """Integrated loudness, LUFS; -inf when there is nothing to be heard, or less than 0.4 s."""
    true_peak_dbtp: float
    """Highest true peak, dBTP; -inf when there is none."""
    duration_s: float
    """How much was measured."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it is loud enough to be measured."""
        return self.integrated_lufs == -math.inf


class LoudnessMeter:
    """Measures sound as it comes.

    Args:
        channels: 1 or 2. A mono sound counts as it is heard from one loudspeaker.
        peaks: measure true peaks too, which takes four times as long.
    """

    def __init__(self, channels: int, *, peaks: bool = True) -> None:
        self._layout = "stereo" if channels == 2 else "mono"
        self._graph = filter_graph(self._layout, ("ebur128", f"metadata=1:peak={'true' if peaks else 'none'}"))
        self._taken = 0
        self._integrated, self._peak = -math.inf, 0.0
        self.momentary_lufs = -math.inf
        """Loudness of the last 400 ms."""

    def push(self, samples: NDArray[np.int16]) -> None:
        """Take more sound: 48 kHz, shape (samples, channels)."""
        self._graph.push(framed(samples, self._layout, self._taken))
        self._taken += len(samples)
        for frame in filtered(self._graph):
            said = frame.metadata
            self._integrated = _lufs(said.get("lavfi.r128.I"), self._integrated)
            self.momentary_lufs = _lufs(said.get("lavfi.r128.M"), self.momentary_lufs)
            self._peak = float(said.get("lavfi.r128.true_peak", self._peak))

    @property
    def loudness(self) -> Loudness:
        """All so far; the filter tells every 100 ms."""
        peak = 20 * math.log10(self._peak) if self._peak > 0 else -math.inf
        return Loudness(integrated_lufs=self._integrated, true_peak_dbtp=peak, duration_s=self._taken / SAMPLE_RATE)


def filter_graph(layout: str, *filters: tuple[str, str]) -> Graph:
    """Return filters in a row, for packed s16 at 48 kHz in and out."""
    graph = Graph()
    nodes = [
        graph.add_abuffer(sample_rate=SAMPLE_RATE, format="s16", layout=layout, time_base=Fraction(1, SAMPLE_RATE))
    ]
    nodes += [graph.add(name, arguments) for name, arguments in filters]
    nodes.append(graph.add("aformat", f"sample_fmts=s16:channel_layouts={layout}"))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def framed(samples: NDArray[np.int16], layout: str, pts: int) -> av.AudioFrame:
    """Return samples as a frame that `filter_graph` takes."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), "s16", layout)
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), pts
    return frame


def filtered(graph: Graph) -> list[av.AudioFrame]:
    """Return what the filters have ready."""
    frames: list[av.AudioFrame] = []
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return frames
        if isinstance(frame, av.AudioFrame):
            frames.append(frame)


def _lufs(said: str | None, before: float) -> float:
    if said is None:
        return before
    value = float(said)
    return value if value > _SILENT_LUFS else -math.inf
