"""Which packets the network lost, and in how many runs: counted as each is decided, in whatever order that is.

Whether a packet is lost is known late and not in order: one is given up, one comes by retransmission (and so was lost),
one believed lost turns up after all. A run is what hangs together by sequence number.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

__all__ = ["LossRuns"]

_REMEMBERED: Final = 4096
"""Numbers kept to tell neighbours by: more than may be missing at once, and than come late."""


class LossRuns:
    """Counts lost packets of one stream, by extended sequence number."""

    def __init__(self) -> None:
        self.count = 0
        """Packets lost."""
        self.runs = 0
        """Runs of them; their mean length is `count / runs`."""
        self._lost: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, number: int) -> bool:
        return number in self._lost

    def lose(self, number: int) -> None:
        """Count a packet that was lost; once."""
        if number in self._lost:
            return
        self.count += 1
        self.runs += 1 - self._neighbours(number)
        self._lost[number] = None
        if len(self._lost) > _REMEMBERED:
            self._lost.popitem(last=False)

    def find(self, number: int) -> bool:
        """Take a packet back that was believed lost; return whether it was."""
        if number not in self._lost:
            return False
        del self._lost[number]
        self.count -= 1
        self.runs -= 1 - self._neighbours(number)
        return True

    def restart(self) -> None:
        """Begin with other numbers; what was counted stays."""
        self._lost.clear()

    def _neighbours(self, number: int) -> int:
        return (number - 1 in self._lost) + (number + 1 in self._lost)
