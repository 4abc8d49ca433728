"""What the live sender shows, and what a receiver has seen and heard of it: the same measures for every engine.

A picture tells by its mark which one it is, a chirp tells by its time; so the delay of both, from due to decoded, is
read off what came out. What of the sound was made up instead of received, only the engine itself can tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pexrtc_py.media.chirps import RATE as SOUND_RATE
from pexrtc_py.media.chirps import ChirpListener
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.marks_source import ReferenceConfig

from ._children import say

__all__ = ["BITRATE_BPS", "RATE", "REFERENCE", "Senses"]

RATE = 30
BITRATE_BPS = 800_000
REFERENCE = ReferenceConfig(width=640, height=360, frame_rate=RATE)


@dataclass(slots=True)
class Senses:
    """Notes what a receiver gives out. Times are of CLOCK_MONOTONIC, which all processes share."""

    pictures: list[tuple[int, float]] = field(default_factory=list)
    """Number and time of each picture that could be read."""
    made_up: list[tuple[float, float]] = field(default_factory=list)
    """When so many seconds of sound were made up."""
    _sounds: list[tuple[float, NDArray[np.int16]]] = field(default_factory=list)
    _reader: MarkReader = field(default_factory=lambda: MarkReader(REFERENCE.width, REFERENCE.height))

    def see(self, luma: NDArray[np.uint8]) -> None:
        """Take a picture's luma plane."""
        now = time.monotonic()
        found = self._reader.read(luma)
        if found is not None:
            self.pictures.append((found.mark.frame_id, now))

    def hear(self, samples: NDArray[np.int16], made_up_s: float = 0.0) -> None:
        """Take a piece of mono sound at 48 kHz, and how much was made up in it or before it."""
        now = time.monotonic()
        self._sounds.append((now, samples))
        if made_up_s:
            self.made_up.append((now, made_up_s))

    async def follow(self, reader: asyncio.StreamReader, *senses: Coroutine[object, object, None]) -> None:
        """Say that all is ready, and run what sees and hears until the benchmark says a line."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(sense) for sense in senses]
            say(ready=True)
            await reader.readline()
            for task in tasks:
                task.cancel()

    def report(self) -> dict[str, object]:
        """Return all as JSON has it; chirps are times when they began to be given out."""
        return {
            "pictures": self.pictures,
            "made_up": self.made_up,
            "chirps": self._chirps(),
        }

    def _chirps(self) -> list[float]:
        listener = ChirpListener()
        begins = np.cumsum([0, *(len(samples) for _, samples in self._sounds)])
        chirps = []
        for (_, samples), begin in zip(self._sounds, begins, strict=False):
            chirps += listener.push(samples.astype(np.float32) / np.float32(32768), float(begin) / SOUND_RATE)
        chirps += listener.flush()
        heard = []
        for chirp in chirps:
            at = round(chirp.time * SOUND_RATE)
            piece = int(np.searchsorted(begins, at, side="right")) - 1
            heard.append(self._sounds[piece][0] + (at - int(begins[piece])) / SOUND_RATE)
        return heard
