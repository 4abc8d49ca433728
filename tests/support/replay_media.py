"""What the replay node plays: a tone, a moving bar, a slide. Like all of it, it imports nothing of pexrtc_py."""

from __future__ import annotations

import asyncio
import fractions
import time
from collections.abc import Callable

import av
import numpy as np
from aiortc import MediaStreamTrack

TONE_HZ = 440


class Paced(MediaStreamTrack):
    """What gives its frames in real time, so many a second."""

    rate: int

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._count = 0

    async def turn(self) -> int:
        """Wait until the next frame is due; return its number."""
        await asyncio.sleep(max(0.0, self._started + self._count / self.rate - time.monotonic()))
        self._count += 1
        return self._count - 1

    async def shown(self, draw: Callable[[int], np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]]) -> av.VideoFrame:
        """Wait until the next picture is due, and draw it by its number."""
        number = await self.turn()
        frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
        frame.pts, frame.time_base = number * 90000 // self.rate, fractions.Fraction(1, 90000)
        return frame


class Tone(Paced):
    """A sine of 440 Hz in frames of 20 ms."""

    kind, rate = "audio", 50

    async def recv(self) -> av.AudioFrame:
        number = await self.turn()
        at = (np.arange(960) + number * 960) / 48000
        samples = (np.sin(2 * np.pi * TONE_HZ * at) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, fractions.Fraction(1, 48000)
        return frame


class MovingBar(Paced):
    """A white bar that wanders over grey, 15 pictures a second."""

    kind, rate = "video", 15

    async def recv(self) -> av.VideoFrame:
        return await self.shown(_bar)


class Slide(Paced):
    """A picture whose left half is white and whose right half is black, five times a second."""

    kind, rate = "video", 5

    async def recv(self) -> av.VideoFrame:
        return await self.shown(_halves)


def _bar(number: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    picture = np.full((240, 320, 3), 96, np.uint8)
    left = number * 8 % 300
    picture[:, left : left + 20] = 255
    return picture


def _halves(number: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :160] = 255
    return picture
