"""Sound and pictures before they are encoded: what generators make, decoders give, and composing works on.

Sound comes in pieces of exactly 20 ms (960 samples at 48 kHz, s16, mono or stereo), one after the other without a
hole; pictures come whenever there is a new one. Both carry seconds since the start of their source. `encoded` turns a
`RawSource` into a `Source` that can be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import av
import numpy as np
from numpy.typing import NDArray

from ..decoding import Picture, Sound
from ..encoding import FRAME_SAMPLES, SAMPLE_RATE
from ..frames import Codec, Kind

__all__ = [
    "DEFAULT_ACCEPT",
    "FRAME_S",
    "Accept",
    "Interruptible",
    "Picture",
    "RawFormat",
    "RawSource",
    "Samples",
    "Sound",
    "SoundTuning",
    "Tunable",
    "picture_at",
    "sound_at",
    "with_channels",
]

Accept = Mapping[Kind, Sequence[Codec]]
"""Codecs that can be sent, by kind, the preferred one first; a kind left out is not wanted."""

DEFAULT_ACCEPT: Final[Accept] = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8, Codec.H264)}
"""What every Pexip node and every browser takes."""

FRAME_S: Final = FRAME_SAMPLES / SAMPLE_RATE
"""Seconds in one piece of sound."""

Samples = NDArray[np.int16]
"""Sound, shape (samples, channels)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFormat:
    """What a raw track is made of."""

    width: int = 0
    """Picture width in pixels; 0 for audio."""
    height: int = 0
    """Picture height in pixels; 0 for audio."""
    frame_rate: float = 0.0
    """Pictures per second, 0 when not constant or for audio."""
    channels: int = 0
    """1 or 2; 0 for video."""


class RawSource(Protocol):
    """Where raw sound and pictures come from. Used from one thread at a time; `pull` may block."""

    @property
    def live(self) -> bool:
        """Whether it makes its own pace: a camera, a stream. What is not live is read as fast as it is asked for."""

    @property
    def formats(self) -> Mapping[Kind, RawFormat]:
        """The tracks it has, known before the first pull."""

    def pull(self) -> Sound | Picture | None:
        """Return the next piece of either kind, in order of time; None at the end.

        Raises:
            SourceError: the source broke in the middle.
        """

    def close(self) -> None:
        """Release what is held. Idempotent."""


@runtime_checkable
class Interruptible(Protocol):
    """A source whose `pull` can wait for long, and can be told not to."""

    def interrupt(self) -> None:
        """Make `pull` return soon, with None for ever after. Thread-safe, idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTuning:
    """How sound shall be encoded for who hears it, within what the source has and is configured to."""

    stereo: bool
    """Whether two channels are of use; one channel is never doubled."""
    fec: bool
    """Whether in-band forward error correction is of use."""
    most_bps: int | None
    """Bits per second at most; None: as configured, which is never exceeded."""
    expected_loss_percent: int
    """How many packets in a hundred are lost; what is configured is the least."""


@runtime_checkable
class Tunable(Protocol):
    """A source that may encode its sound, and then does so as far sides wish. What was read ahead is as it was."""

    def tune_sound(self, tuning: SoundTuning) -> None:
        """Encode sound like this from the next packet on; sound that is sent as it came stays. Thread-safe."""


def sound_at(number: int, samples: Samples) -> Sound:
    """Wrap the piece `number`, counted from the source's start; `samples` are 960 by channels."""
    return Sound(samples=samples, rtp_time=number * FRAME_SAMPLES, time=number * FRAME_S)


def picture_at(time: float, frame: av.VideoFrame) -> Picture:
    """Wrap a picture that is due `time` seconds after the source's start."""
    return Picture(frame=frame, rtp_time=round(time * 90000), time=time, key=False)


def with_channels(samples: Samples, channels: int) -> Samples:
    """Return `samples` with 1 or 2 channels: doubled, or the mean of both."""
    if samples.shape[1] == channels:
        return samples
    if channels == 2:
        return np.repeat(samples, 2, axis=1)
    mean: Samples = samples.mean(axis=1, keepdims=True, dtype=np.float32).astype(np.int16)
    return mean
