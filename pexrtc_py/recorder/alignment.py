"""When a recording can begin, and what its 0 is: the question of lip sync, answered once.

The first frames of each track are held until all tracks have one, pictures a key frame, and until their senders'
reports have put them on one clock; or until `budget_s` has gone. Frames from before a track's first report carry a
time guessed from their arrival; once the report is there they are placed by their RTP timestamps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from ..media.frames import EncodedFrame, Gap, Kind
from .declaring import spec_from
from .roles import Role

__all__ = ["Alignment", "Start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How to begin."""

    origin: float
    """`EncodedFrame.time` of the recording's 0: that of the earliest frame."""
    first: Mapping[Role, EncodedFrame]
    """The first frame of each role that has one; a key frame. The others are late."""
    held: tuple[tuple[Role, EncodedFrame | Gap], ...]
    """What to write first, in order."""


class Alignment:
    """Holds what comes until a recording can begin."""

    def __init__(self, budget_s: float) -> None:
        """Wait `budget_s` from the first frame for the other tracks and for reports."""
        self._budget_s = budget_s
        self._held: list[tuple[Role, EncodedFrame | Gap]] = []
        self._first_arrival: float | None = None
        self._ready: set[Role] = set()
        self._synchronised: set[Role] = set()

    def add(self, role: Role, item: EncodedFrame | Gap, now: float) -> bool:
        """Hold a frame. Return False for a picture that no usable key frame precedes: it is not kept, ask for one."""
        if isinstance(item, Gap):
            self._held.append((role, item))
            return True
        if self._first_arrival is None:
            self._first_arrival = now
        if role not in self._ready and item.kind is Kind.VIDEO and spec_from(item) is None:
            return False
        self._ready.add(role)
        if item.ntp_time is not None:
            self._synchronised.add(role)
        self._held.append((role, item))
        return True

    def next_timer(self) -> float | None:
        """When to ask `start` again although nothing came."""
        return None if self._first_arrival is None else self._first_arrival + self._budget_s

    def start(self, expected: Iterable[Role], now: float) -> Start | None:
        """Return how to begin, or None to wait."""
        if not self._ready:
            return None
        complete = set(expected) <= (self._ready & self._synchronised)
        if not complete and self._first_arrival is not None and now < self._first_arrival + self._budget_s:
            return None
        held = tuple(self._placed())
        first: dict[Role, EncodedFrame] = {}
        for role, item in held:
            if isinstance(item, EncodedFrame):
                first.setdefault(role, item)
        return Start(origin=min(frame.time for frame in first.values()), first=first, held=held)

    def _placed(self) -> Iterable[tuple[Role, EncodedFrame | Gap]]:
        anchors: dict[Role, EncodedFrame] = {}
        for role, item in self._held:
            if isinstance(item, EncodedFrame) and item.ntp_time is not None:
                anchors.setdefault(role, item)
        for role, item in self._held:
            anchor = anchors.get(role)
            if anchor is None or item.rtp_time >= anchor.rtp_time or item.codec is not anchor.codec:
                yield role, item
            else:
                ahead = (anchor.rtp_time - item.rtp_time) / item.codec.clock_rate
                yield role, replace(item, time=anchor.time - ahead)
