"""Counting frames by their ids: which were lost, shown again, or shown out of order, and when the picture stood still.

One account follows one stream of pictures with marks. It counts exactly; what could not be read it counts apart and
does not guess. A frame id is one picture of the source, whatever rate the node sends pictures at.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from .scores import Freeze, FreezeWatch

__all__ = ["FrameAccount"]

_MODULUS: Final = 1 << 24
"""Frame ids have 24 bits (`media.marks`)."""
_REMEMBERED: Final = 4096
"""Ids kept to tell a repeat from a late frame: two minutes at 30 a second."""


class FrameAccount:
    """Counts the frames of one stream.

    Attributes:
        read: pictures whose mark was read.
        unread: pictures without a readable mark.
        shown: different frames seen.
        repeated: pictures that showed a frame already seen.
        reordered: frames seen first after a later one.
    """

    def __init__(self) -> None:
        self.read = 0
        self.unread = 0
        self.shown = 0
        self.repeated = 0
        self.reordered = 0
        self._first: int | None = None
        self._highest = 0
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._watch = FreezeWatch()

    @property
    def lost(self) -> int:
        """Frames between the first and the latest seen that were never shown."""
        return 0 if self._first is None else self._highest - self._first + 1 - self.shown

    @property
    def expected(self) -> int:
        """Frames between the first and the latest seen, both included."""
        return 0 if self._first is None else self._highest - self._first + 1

    @property
    def freezes(self) -> list[Freeze]:
        """Times during which no later frame was shown, by the definition of `FreezeWatch`."""
        return self._watch.freezes

    def miss(self) -> None:
        """Take a picture whose mark could not be read."""
        self.unread += 1

    def show(self, frame_id: int, time: float) -> int | None:
        """Take a picture whose mark was read, shown at `time` seconds.

        Returns:
            The unwrapped id when this frame was not seen before, else None.
        """
        self.read += 1
        if self._first is None:
            self._first = self._highest = number = frame_id
        else:
            ahead = (frame_id - self._highest + _MODULUS // 2) % _MODULUS - _MODULUS // 2
            number = self._highest + ahead
        if number in self._seen:
            self.repeated += 1
            return None
        self._seen[number] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        self.shown += 1
        if number < self._highest:
            self.reordered += 1
            self._first = min(self._first, number)
            return number
        self._highest = number
        self._watch.show(time)
        return number

    def finish(self, time: float) -> None:
        """End the account at `time`: a picture that stands still until then is a freeze, too."""
        self._watch.finish(time)
