"""The reference that a probe sends: moving pictures with a mark each, and sound with a chirp each second.

Everything is a function of the frame's number, so that a listener makes the very picture again to compare with. The
ground scrolls evenly and is soft, so that it costs an encoder about what a person before a camera does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import av
import numpy as np

from .chirps import LENGTH, RATE, chirp_samples
from .comparison import scaled
from .encoding import FRAME_SAMPLES
from .frames import Codec, Kind
from .marks import Mark, Plane, draw_mark
from .sources.encoded import EncodeConfig, EncodedSource
from .sources.generated import Generated, Screen
from .sources.raw import Samples

__all__ = ["Reference", "ReferenceConfig"]

FRAMES: Final = 1 << 22
"""Frames a reference may have, 38 hours at 30 a second: so four references with ids so far apart are told apart."""
_STEP_PX: Final = 4
"""Pixels the ground moves from frame to frame."""
_PIECES: Final = RATE // FRAME_SAMPLES
_BED_DBFS: Final = -50.0
"""Noise under the chirps, so that a connection that carries only silence is told from one that works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceConfig:
    """What the reference looks and sounds like."""

    width: int = 1280
    """Pixels, even."""
    height: int = 720
    """Pixels, even."""
    frame_rate: float = 30.0
    """Pictures per second."""
    first_id: int = 0
    """Id of the first frame; references in one conference start `FRAMES` apart, so that none takes another's."""
    chirp_dbfs: float = -12.0
    """Peak of the chirps."""
    epoch_ms: int = 0
    """Added to the clock in the marks, which otherwise begins at 0 with the source."""
    seed: int = 1
    """Of ground and noise."""


class Reference:
    """Makes reference pictures and sound by number. Not thread-safe; a listener has one of its own."""

    def __init__(self, config: ReferenceConfig | None = None) -> None:
        self.config = config = config or ReferenceConfig()
        width, height = config.width, config.height
        dice = np.random.default_rng(config.seed)
        # Made of few points with the first column again at the end, so that it scrolls round without a seam.
        points = dice.integers(40, 215, (9, 16)).astype(np.uint8)
        wide = scaled(np.concatenate((points, points, points[:, :1]), axis=1), 2 * width + width // 16, height)
        self._ground = wide[:, : 2 * width]
        colour = dice.integers(96, 160, (2, 5, 8)).astype(np.uint8)
        self._colour = np.concatenate([scaled(plane, width // 2, height // 2).ravel() for plane in colour])
        self._bed = (dice.normal(0, 32767 * 10 ** (_BED_DBFS / 20), RATE)).astype(np.int16)
        self._peak = 32767 * 10 ** (config.chirp_dbfs / 20)

    def plane(self, number: int) -> Plane:
        """Return the luma of frame `number`, counted from 0, mark included."""
        config = self.config
        offset = number * _STEP_PX % config.width
        plane = self._ground[:, offset : offset + config.width].copy()
        due_ms = round(number * 1000 / config.frame_rate)
        draw_mark(plane, Mark(frame_id=config.first_id + number, clock_ms=config.epoch_ms + due_ms))
        return plane

    def number(self, frame_id: int) -> int | None:
        """Return which frame of this reference has an id; None when it is one of another reference."""
        number = (frame_id - self.config.first_id) % (1 << 24)
        return number if number < FRAMES else None

    def due(self, number: int) -> float:
        """Return when a frame is due, in seconds since the source began."""
        return number / self.config.frame_rate

    def picture(self, number: int) -> av.VideoFrame:
        """Return frame `number`."""
        config = self.config
        planes = np.concatenate((self.plane(number).ravel(), self._colour))
        return av.VideoFrame.from_ndarray(planes.reshape(config.height * 3 // 2, config.width), "yuv420p")

    def sound(self, number: int) -> Samples:
        """Return piece `number` of 20 ms: chirp k begins with second k."""
        second, piece = divmod(number, _PIECES)
        begin = piece * FRAME_SAMPLES
        samples = self._bed[begin : begin + FRAME_SAMPLES].astype(np.float32)
        if begin < LENGTH:
            samples += self._peak * chirp_samples(second)[begin : begin + FRAME_SAMPLES]
        pcm: Samples = np.clip(samples, -32768, 32767).astype(np.int16)[:, None]
        return pcm

    def raw(self, *, audio: bool = True, video: bool = True, duration_s: float | None = None) -> Generated:
        """Return the reference as a raw source."""
        screen = Screen(width=self.config.width, height=self.config.height, frame_rate=self.config.frame_rate)
        return Generated(
            sound=self.sound if audio else None,
            picture=self.picture if video else None,
            screen=screen,
            duration_s=duration_s,
        )

    def source(
        self,
        *,
        audio: Codec | None = Codec.OPUS,
        video: Codec | None = Codec.VP8,
        video_bps: int | None = None,
        duration_s: float | None = None,
    ) -> EncodedSource:
        """Return the reference encoded with these codecs; None leaves a kind out."""
        accept = {Kind.AUDIO: [audio] if audio else [], Kind.VIDEO: [video] if video else []}
        raw = self.raw(audio=audio is not None, video=video is not None, duration_s=duration_s)
        return EncodedSource(raw, accept=accept, config=EncodeConfig(video_bps=video_bps))
