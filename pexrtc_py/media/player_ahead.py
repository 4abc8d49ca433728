"""What a player has had made before its time, so that a wake-up only gives finished packets to the kernel.

A wake-up of Python for each frame costs most by cold caches: the code that makes, numbers and encrypts packets has left
them in the 20 ms since the last one. So the player has the packets of a fifth of a second made at once, by those of its
taps that can (`AheadTap`), and then only has them sent, each at its time. Whatever happens meanwhile (a stop, a request
for a key frame, a digit, another's frame) takes back what has not left: each tap is as it was before it, sequence
numbers and all, and the frames are pushed again at their times, or never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from .frames import EncodedFrame, Tap

__all__ = ["Ahead", "AheadTap", "Moment", "Storage"]


class Storage(Protocol):
    """Where a tap keeps what it has made."""

    def send_held(self, first: int, count: int) -> None:
        """Send so many packets from a place on, now; they are kept no more."""


@runtime_checkable
class AheadTap(Tap, Protocol):
    """A tap that can make what is to leave later."""

    def push_ahead(self, item: EncodedFrame, ahead: Ahead) -> bool:
        """Make what would be sent of a frame if it were `ahead.at` now, and give it to `ahead`.

        Returns:
            False when this cannot be, and nothing was done; the frame is pushed at its time then.
        """


@dataclass(slots=True)
class Moment:
    """What leaves by one wake-up."""

    at: float
    """When, on the player's clock."""
    frames: list[tuple[float, EncodedFrame]] = field(default_factory=list)
    """All that is in it, each with its time in the source."""
    sends: dict[Storage, list[list[int]]] = field(default_factory=dict)
    """First and how many, by where it is kept."""
    late: list[tuple[Tap, EncodedFrame]] = field(default_factory=list)
    """What is pushed at its time instead."""
    undo: list[Callable[[], None]] = field(default_factory=list)
    """How all is taken back: from the last on."""


class Ahead:
    """The moments to come of one player, in their order.

    Args:
        on_take_back: told the frames that taps have taken back, to push them again.

    Attributes:
        departed: when the last of what has left, was to leave.
    """

    def __init__(self, on_take_back: Callable[[list[tuple[float, EncodedFrame]]], None]) -> None:
        self._on_take_back = on_take_back
        self._moments: deque[Moment] = deque()
        self._unable: set[int] = set()
        self.departed = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._moments)

    @property
    def next_at(self) -> float:
        """When the next moment is due; there is one."""
        return self._moments[0].at

    @property
    def at(self) -> float:
        """When what is made now will leave."""
        return self._moments[-1].at

    def begin(self, at: float) -> None:
        """Begin another moment; with the first of them every tap may be asked again."""
        if not self._moments:
            self._unable.clear()
        self._moments.append(Moment(at))

    def push(self, position: float, frame: EncodedFrame, taps: list[tuple[Tap, AheadTap | None]]) -> None:
        """Have a frame made by the taps that can, and keep it for the others.

        Args:
            position: its time in the source.
            frame: as it is pushed.
            taps: each, and again if it can make ahead.
        """
        moment = self._moments[-1]
        moment.frames.append((position, frame))
        unable = self._unable
        for tap, able in taps:
            # What comes behind a frame that is pushed late is too: frames are in order.
            if able is None or id(tap) in unable or not able.push_ahead(frame, self):
                unable.add(id(tap))
                moment.late.append((tap, frame))

    def add(self, storage: Storage, first: int, count: int) -> None:
        """Have packets sent with the moment that was begun last."""
        runs = self._moments[-1].sends.setdefault(storage, [])
        if runs and runs[-1][0] + runs[-1][1] == first:
            runs[-1][1] += count
        else:
            runs.append([first, count])

    def on_undo(self, undo: Callable[[], None]) -> None:
        """Have this called when the moment that was begun last is taken back."""
        self._moments[-1].undo.append(undo)

    def depart(self) -> float:
        """Let the next moment leave; return the time in the source of its last frame."""
        moment = self._moments.popleft()
        self.departed = moment.at
        for storage, runs in moment.sends.items():
            for first, count in runs:
                storage.send_held(first, count)
        for tap, frame in moment.late:
            tap.push(frame)
        return moment.frames[-1][0]

    def take_back(self) -> None:
        """Take back all that has not left. Idempotent."""
        moments, self._moments = self._moments, deque()
        for moment in reversed(moments):
            for undo in reversed(moment.undo):
                undo()
        if moments:
            self._on_take_back([item for moment in moments for item in moment.frames])
