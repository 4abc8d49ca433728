"""What a container must be able to do, so that one `ContainerWriter` serves all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..frames import EncodedFrame
from .target import Target
from .tracks import TrackSpec

__all__ = ["Chapter", "Muxer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A named stretch of the file."""

    start_s: float
    """Seconds from the start of the file."""
    end_s: float
    """The same, of its end."""
    title: str
    """What a player shows."""


class Muxer(Protocol):
    """Puts frames into a target's bytes. Used by the writer thread only.

    What the disk refuses is found in `Target.error` after a call; what the container refuses is raised as `WriteError`.
    """

    def begin(self, target: Target, specs: Sequence[TrackSpec], metadata: Mapping[str, str]) -> None:
        """Write what comes before the first frame."""

    def ticks_per_s(self, index: int) -> float:
        """Resolution of the times of a track; valid after `begin`."""

    def write(self, index: int, frame: EncodedFrame, at: int, duration: int) -> None:
        """Write, or keep until `flush`, a frame of track `index`; times in its ticks, strictly increasing."""

    def flush(self) -> None:
        """Give the target all that can be given; a round of the thread has ended."""

    def finish(self, chapters: Sequence[Chapter]) -> None:
        """Write what comes after the last frame, if anything was begun, and let go of everything."""
