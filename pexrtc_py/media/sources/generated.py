"""Sources that need no input: tone, silence, black, and whatever two functions can make.

A generated source is as long as it was told, or endless, and made as fast as it is read; a player gives it its pace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import av
import numpy as np

from ...errors import UsageError
from ..encoding import FRAME_SAMPLES, SAMPLE_RATE
from ..frames import Kind
from .raw import FRAME_S, Picture, RawFormat, Samples, Sound, picture_at, sound_at

__all__ = ["Generated", "Screen", "black", "plain_picture", "silence", "tone"]

_FULL_SCALE: Final = 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Size and rate of generated pictures."""

    width: int = 1280
    """Pixels."""
    height: int = 720
    """Pixels."""
    frame_rate: float = 30.0
    """Pictures per second."""

    def __post_init__(self) -> None:
        if not (16 <= self.width <= 3840 and 16 <= self.height <= 2160 and 0.1 <= self.frame_rate <= 60):
            raise UsageError(f"no picture can be {self.width}x{self.height} at {self.frame_rate:g} a second")


class Generated:
    """A `RawSource` made of functions that tell the n-th piece of sound and the n-th picture.

    Args:
        sound: returns 960 samples by channels for piece n; None: no sound.
        channels: how many channels `sound` gives.
        picture: returns picture n; None: no pictures.
        screen: size and rate of the pictures.
        duration_s: how long; None: endless.
    """

    live = False

    def __init__(
        self,
        *,
        sound: Callable[[int], Samples] | None = None,
        channels: int = 1,
        picture: Callable[[int], av.VideoFrame] | None = None,
        screen: Screen | None = None,
        duration_s: float | None = None,
    ) -> None:
        screen = screen or Screen()
        self._sound, self._picture = sound, picture
        self._sounds = self._pictures = 0
        self._step = 1 / screen.frame_rate
        self._until = duration_s - 1e-6 if duration_s is not None else float("inf")
        self.formats: Mapping[Kind, RawFormat] = {}
        if sound is not None:
            self.formats = {Kind.AUDIO: RawFormat(channels=channels)}
        if picture is not None:
            form = RawFormat(width=screen.width, height=screen.height, frame_rate=screen.frame_rate)
            self.formats = {**self.formats, Kind.VIDEO: form}

    def pull(self) -> Sound | Picture | None:
        """Return what is due next; None when the duration is over."""
        sound_due = self._sounds * FRAME_S if self._sound else float("inf")
        picture_due = self._pictures * self._step if self._picture else float("inf")
        if min(sound_due, picture_due) >= self._until:
            return None
        if self._picture is not None and picture_due <= sound_due:
            self._pictures += 1
            return picture_at(picture_due, self._picture(self._pictures - 1))
        if self._sound is not None:
            self._sounds += 1
            return sound_at(self._sounds - 1, self._sound(self._sounds - 1))
        return None

    def close(self) -> None:
        """Nothing is held."""
        self._until = 0.0


def tone(hz: float = 440.0, *, level_dbfs: float = -23.0, duration_s: float | None = None) -> Generated:
    """Return a sine tone, mono, whose phase never jumps.

    Args:
        hz: 20 to 20000.
        level_dbfs: RMS level, full scale sine being -3; at most that.
        duration_s: how long; None: endless.

    Raises:
        UsageError: it cannot be heard, or not be sent.
    """
    if not (20 <= hz <= 20000 and level_dbfs <= -3):
        raise UsageError(f"no tone can be {hz:g} Hz at {level_dbfs:g} dBFS")
    peak = min(1.0, 10 ** ((level_dbfs + 3.01) / 20)) * _FULL_SCALE
    steps = np.arange(FRAME_SAMPLES)

    def piece(number: int) -> Samples:
        # The phase is computed in whole turns, so that it is as exact after a day as at the start.
        turns = (number * FRAME_SAMPLES * hz / SAMPLE_RATE) % 1.0
        wave: Samples = (peak * np.sin(2 * np.pi * (turns + steps * (hz / SAMPLE_RATE))))[:, None].astype(np.int16)
        return wave

    return Generated(sound=piece, duration_s=duration_s)


def silence(*, duration_s: float | None = None) -> Generated:
    """Return digital silence, mono."""
    nothing: Samples = np.zeros((FRAME_SAMPLES, 1), np.int16)
    return Generated(sound=lambda number: nothing, duration_s=duration_s)


def plain_picture(width: int, height: int, luma: int = 16) -> av.VideoFrame:
    """Return a picture of one grey; 16 is black (ITU-R BT.709 video range)."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


def black(screen: Screen | None = None, *, duration_s: float | None = None) -> Generated:
    """Return black pictures, five a second unless told: what a camera that is off sends."""
    screen = screen or Screen(frame_rate=5.0)
    even = Screen(width=screen.width & ~1, height=screen.height & ~1, frame_rate=screen.frame_rate)
    frame = plain_picture(even.width, even.height)
    return Generated(picture=lambda number: frame, screen=even, duration_s=duration_s)
