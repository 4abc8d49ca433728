"""A source that a program feeds with samples and pictures, from any thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping

import av
import numpy as np

from ..encoding import FRAME_SAMPLES
from ..frames import Kind
from .generated import Screen
from .raw import FRAME_S, Picture, RawFormat, Samples, Sound, picture_at, sound_at, with_channels

__all__ = ["PushedSource"]

# More sound than this waiting means nobody takes it: the oldest is dropped, and so are the oldest pictures.
_MOST_SOUND_S = 2.0
_MOST_PICTURES = 10


class PushedSource:
    """A live `RawSource`: what is pushed is sent at once; what is not taken in time is dropped, the oldest first.

    Sound may come in pieces of any length and is sent in pieces of 20 ms. When sound stops coming for longer than a
    fifth of a second, its next piece begins at the present, so that it never lags behind the pictures.

    Args:
        channels: 1 or 2 in the samples that will be pushed; 0: no sound.
        screen: size and usual rate of the pictures; None: no pictures.
    """

    live = True

    def __init__(self, *, channels: int = 1, screen: Screen | None = None) -> None:
        self._channels = channels
        self._ready = threading.Condition()
        self._rest: Samples = np.zeros((0, max(1, channels)), np.int16)
        self._sounds: deque[Sound] = deque()
        self._pictures: deque[Picture] = deque(maxlen=_MOST_PICTURES)
        self._pieces = 0
        self._start: float | None = None
        self._ended = False
        self.dropped = 0
        """Pieces of sound that nobody took in time."""
        formats = {}
        if channels:
            formats[Kind.AUDIO] = RawFormat(channels=channels)
        if screen is not None:
            formats[Kind.VIDEO] = RawFormat(
                width=screen.width & ~1, height=screen.height & ~1, frame_rate=screen.frame_rate
            )
        self.formats: Mapping[Kind, RawFormat] = formats

    def push_samples(self, samples: Samples) -> None:
        """Append sound: 48 kHz s16, shape (samples,) or (samples, channels). Thread-safe, never blocks."""
        shaped = with_channels(samples.reshape(len(samples), -1), max(1, self._channels))
        with self._ready:
            behind = self._now() - (self._pieces * FRAME_S + len(self._rest) / FRAME_SAMPLES * FRAME_S)
            if behind > 0.2 + len(samples) / FRAME_SAMPLES * FRAME_S:
                self._pieces += int(behind / FRAME_S)
            self._rest = np.concatenate([self._rest, shaped])
            while len(self._rest) >= FRAME_SAMPLES:
                piece, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
                self._sounds.append(sound_at(self._pieces, piece))
                self._pieces += 1
            while len(self._sounds) * FRAME_S > _MOST_SOUND_S:
                self._sounds.popleft()
                self.dropped += 1
            self._ready.notify()

    def push_picture(self, frame: av.VideoFrame) -> None:
        """Append a picture; it is shown now. Thread-safe, never blocks."""
        with self._ready:
            self._pictures.append(picture_at(self._now(), frame))
            self._ready.notify()

    def end(self) -> None:
        """Say that nothing more will come. Thread-safe."""
        with self._ready:
            self._ended = True
            self._ready.notify()

    def pull(self) -> Sound | Picture | None:
        """Wait for the next piece; None after `end`."""
        with self._ready:
            self._ready.wait_for(lambda: self._sounds or self._pictures or self._ended)
            if self._pictures and not (self._sounds and self._sounds[0].time < self._pictures[0].time):
                return self._pictures.popleft()
            return self._sounds.popleft() if self._sounds else None

    def interrupt(self) -> None:
        """End; whoever waits in `pull` gets None. Idempotent, thread-safe."""
        self.end()

    def close(self) -> None:
        """End. Idempotent, thread-safe."""
        self.end()

    def _now(self) -> float:
        if self._start is None:
            self._start = time.monotonic()
        return time.monotonic() - self._start
