"""What is sent before the first word: silence and the first picture, until somebody is there to hear it.

A far side needs a moment: its decoder a key frame, its jitter buffer some packets, a conference a switch of speakers.
What is said in that moment is lost. So a player can hold: it sends sound that says nothing, on the grid of 20 ms that
the source will go on with, and its first picture again and again, each time as a key frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from .frames import Codec, EncodedFrame
from .sources.packets import SILENCE
from .sources.raw import FRAME_S

__all__ = ["Hold"]

# The picture is repeated this often: who missed it waits that long, and a still costs little.
_PICTURE_S: Final = 0.5


class Hold:
    """Frames to be sent while a source is held back, with their times on the player's clock. Sans-io.

    Args:
        begin: the clock's time of the first frame.
        picture: the source's first key frame; None: it has no pictures.
        sound: the codec of the source's sound; None: it has none.
    """

    def __init__(self, begin: float, picture: EncodedFrame | None, sound: Codec | None) -> None:
        self._begin = begin
        self._picture = picture
        self._picture_due = begin
        self._sound = sound if sound in SILENCE else None
        self._slot = 0

    def next_timer(self) -> float:
        """Return when the next frame is due, on the clock."""
        sound_due = self._begin + self._slot * FRAME_S
        return min(sound_due, self._picture_due) if self._picture is not None else sound_due

    def frames(self, now: float) -> Iterator[EncodedFrame]:
        """Yield what is due by `now`."""
        if self._picture is not None and self._picture_due <= now:
            at = self._picture_due
            self._picture_due = at + _PICTURE_S
            yield replace(self._picture, time=at, arrival=at, rtp_time=round(at * 90000))
        while (at := self._begin + self._slot * FRAME_S) <= now:
            if self._sound is not None:
                rate = self._sound.clock_rate
                ticks = rate // 50
                yield EncodedFrame(
                    codec=self._sound,
                    data=SILENCE[self._sound],
                    rtp_time=round(self._begin * rate) + self._slot * ticks,
                    time=at,
                    arrival=at,
                    duration=ticks,
                )
            self._slot += 1

    def repeat_picture(self, now: float) -> None:
        """Have the picture sent now: somebody asked for a key frame."""
        self._picture_due = min(self._picture_due, max(now, self._picture_due - _PICTURE_S + FRAME_S))

    def boundary(self) -> float:
        """Return where the source can begin: the place of the next sound, on the clock."""
        return self._begin + self._slot * FRAME_S
