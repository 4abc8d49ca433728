"""Loudness by EBU R128: how loud a source is, what would make it as loud as it should be, and making it so.

Recorded sources are measured whole and get one gain (`levelling`, `Levelled`); live ones are measured as they go and
get a gain that follows slowly (`RunningGain`). Peaks are held below a limit measured as true peak, that is between the
samples too (ITU-R BS.1770 annex 2): at four times the sample rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from .encoding import FRAME_SAMPLES, SAMPLE_RATE
from .frames import Kind
from .loudness_meter import Loudness, LoudnessMeter, filter_graph, filtered, framed
from .loudness_running import RunningLevel
from .sources.raw import FRAME_S, Interruptible, Picture, RawFormat, RawSource, Samples, Sound, sound_at

__all__ = [
    "PEAK_DBTP", "TARGET_LUFS", "Levelled", "Loudness", "LoudnessMeter", "RunningGain", "levelling", "measure",
]  # fmt: skip

TARGET_LUFS: Final = -20.0
"""How loud announcements are, integrated: about as loud as people speak in conferences."""
PEAK_DBTP: Final = -1.5
"""Highest true peak; a codec adds up to half a decibel to it."""

# A file within this of the target is left as it is (EBU R128 allows programmes +-0.5, live ones +-1).
_NEAR_LU: Final = 1.0
_MOST_GAIN_DB: Final = 40.0
# A limiter makes what it limits softer, so what is limited is measured again.
_ROUNDS: Final = 3


def measure(source: RawSource) -> Loudness:
    """Measure all the sound of a source, and close it.

    Raises:
        SourceError: it broke, or has no sound.
    """
    try:
        channels = source.formats[Kind.AUDIO].channels if Kind.AUDIO in source.formats else 1
        meter = LoudnessMeter(channels)
        while (item := source.pull()) is not None:
            if not isinstance(item, Picture):
                meter.push(item.samples)
        # The filter works in blocks of 100 ms: silence pushes the last one out.
        meter.push(np.zeros((SAMPLE_RATE // 10, channels), np.int16))
        return meter.loudness
    finally:
        source.close()


def levelling(
    opener: Callable[[], RawSource], *, target_lufs: float = TARGET_LUFS, peak_dbtp: float = PEAK_DBTP
) -> tuple[float, Loudness]:
    """Find the gain that makes a source as loud as it should be, and how loud it is without.

    Args:
        opener: opens the source; called once to measure, and again for each round in which peaks had to be limited.
        target_lufs: integrated loudness wanted.
        peak_dbtp: highest true peak wanted.

    Returns:
        Decibels for `Levelled`; 0 when the source is within 1 LU and below the peak, or has nothing to be measured.

    Raises:
        SourceError: it cannot be opened or broke.
    """
    found = measure(opener())
    if found.is_silent or (
        abs(found.integrated_lufs - target_lufs) <= _NEAR_LU and found.true_peak_dbtp <= peak_dbtp + 0.5
    ):
        return 0.0, found
    gain = min(target_lufs - found.integrated_lufs, _MOST_GAIN_DB)
    if found.true_peak_dbtp + gain <= peak_dbtp:
        return gain, found
    for _ in range(_ROUNDS):
        reached = measure(Levelled(opener(), gain, peak_dbtp=peak_dbtp))
        missing = target_lufs - reached.integrated_lufs
        if missing < 0.3:
            break
        gain = min(gain + missing, _MOST_GAIN_DB)
    return gain, found


class Levelled:
    """A `RawSource` with its sound louder or softer by a gain, and its peaks held below a limit without distortion.

    Args:
        part: the source; closed with this.
        gain_db: decibels.
        peak_dbtp: highest true peak.
    """

    def __init__(self, part: RawSource, gain_db: float, *, peak_dbtp: float = PEAK_DBTP) -> None:
        self._part = part
        self.formats: Mapping[Kind, RawFormat] = part.formats
        self._channels = part.formats[Kind.AUDIO].channels if Kind.AUDIO in part.formats else 1
        self._layout = "stereo" if self._channels == 2 else "mono"
        # Resampling back to 48 kHz overshoots a little, hence the quarter of a decibel.
        limit = 10 ** ((min(peak_dbtp, 0.0) - 0.25) / 20)
        self._graph = filter_graph(
            self._layout,
            ("volume", f"{gain_db}dB:precision=float"),
            ("aresample", f"{4 * SAMPLE_RATE}"),
            ("alimiter", f"limit={limit}:level=0:attack=5:release=80:latency=1"),
            ("aresample", f"{SAMPLE_RATE}"),
        )
        self._taken = 0
        self._rest: Samples = np.zeros((0, self._channels), np.int16)
        self._given = 0
        self._waiting: deque[Sound | Picture] = deque()
        self._ended = False

    @property
    def live(self) -> bool:
        """Whether the source makes its own pace."""
        return self._part.live

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None at the end."""
        while not self._is_settled():
            item = self._part.pull()
            if item is None:
                self._end()
            elif isinstance(item, Picture):
                self._waiting.append(item)
            else:
                self._graph.push(framed(item.samples, self._layout, self._taken))
                self._taken += len(item.samples)
                self._cut()
        if len(self._rest) >= FRAME_SAMPLES and not (self._waiting and self._waiting[0].time <= self._given * FRAME_S):
            piece, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            self._given += 1
            return sound_at(self._given - 1, np.ascontiguousarray(piece))
        return self._waiting.popleft() if self._waiting else None

    def interrupt(self) -> None:
        """Pass it on. Thread-safe."""
        if isinstance(self._part, Interruptible):
            self._part.interrupt()

    def close(self) -> None:
        """Close the source. Idempotent."""
        self._part.close()

    def _is_settled(self) -> bool:
        """Whether the next piece is known: the limiter holds sound back, and pictures wait for it."""
        if self._ended or Kind.AUDIO not in self.formats:
            return self._ended or bool(self._waiting)
        return len(self._rest) >= FRAME_SAMPLES or len(self._waiting) > 100

    def _cut(self) -> None:
        for frame in filtered(self._graph):
            samples = frame.to_ndarray().reshape(-1, self._channels).astype(np.int16, copy=False)
            self._rest = np.concatenate([self._rest, samples])

    def _end(self) -> None:
        """Take what the filters still hold, and end where the source ended."""
        self._ended = True
        self._graph.push(None)
        self._cut()
        wanted = self._taken - self._given * FRAME_SAMPLES
        missing = max(0, wanted - len(self._rest))
        self._rest = np.concatenate([self._rest, np.zeros((missing, self._channels), np.int16)])[:wanted]


class RunningGain:
    """A `RawSource` whose loudness is brought to the target while it goes on, see `RunningLevel`."""

    def __init__(self, part: RawSource, *, target_lufs: float = TARGET_LUFS, peak_dbtp: float = PEAK_DBTP) -> None:
        self._part = part
        self.formats: Mapping[Kind, RawFormat] = part.formats
        channels = part.formats[Kind.AUDIO].channels if Kind.AUDIO in part.formats else 1
        self._level = RunningLevel(channels, target_lufs=target_lufs, peak_dbtp=peak_dbtp)

    @property
    def gain_db(self) -> float:
        """The gain now."""
        return self._level.gain_db

    @property
    def live(self) -> bool:
        """Whether the source makes its own pace."""
        return self._part.live

    def pull(self) -> Sound | Picture | None:
        """Return the next piece; None at the end."""
        item = self._part.pull()
        if item is None or isinstance(item, Picture):
            return item
        return Sound(samples=self._level.levelled(item.samples), rtp_time=item.rtp_time, time=item.time)

    def interrupt(self) -> None:
        """Pass it on. Thread-safe."""
        if isinstance(self._part, Interruptible):
            self._part.interrupt()

    def close(self) -> None:
        """Close the source. Idempotent."""
        self._part.close()
