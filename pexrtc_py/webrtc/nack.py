"""Which packets are missing, when each is asked for again, and what that tells about the round trip.

A number becomes missing when a later one arrives, and is asked for at once, as libwebrtc does, until packets have been
seen to overtake each other: from then on no sooner than they settle, 20 ms at most. Where repairs cannot be told from
what was overtaken (`_mends_in_place` of reorder) it is always 10 ms.

It is asked for again when a round trip and a tenth have passed, and after each half of that from then on: where one
answer failed, requests may be what gets lost, and several in a row where losses come in bursts. Beyond a round trip of
70 ms it is asked for by halves from the beginning: there one more loss is a freeze. Senders give no two answers within
a round trip, or only where little is lost; so every second request falls when they may answer again: an answer that was
lost costs a round trip and a tenth, a request that was lost half of it. The wait is never shorter than 20 ms, never
longer than 110 (a third of 300), and after ten requests ever longer: nothing goes through then, or through a queue that
repeats only make longer.

Without NACK (`enabled=False`) the same bookkeeping only says since when a packet is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from .loss_runs import LossRuns

__all__ = ["MissingPackets"]

_IN_PLACE_WAIT_S = 0.010
_LONGEST_WAIT_S = 0.020
_WAIT_FORGOTTEN = 0.98  # of the wait is left after each repair: 1 ms of 20 after 150 without disorder
_SHORTEST_REPEAT_S, _LONGEST_REPEAT_S = 0.020, 0.110
_HALF = 0.55  # of a round trip and a tenth
_EARLY_S = 0.070
_QUICK_REQUESTS, _REQUESTS = 10, 18
_SLOWER = 1.5
_INITIAL_ROUND_TRIP_S = 0.100  # before anything was measured: half is more than most, so little is asked for in vain
_LONGEST_ROUND_TRIP_S = 1.0
_SAMPLES = 16  # at 30 % loss both ways one of them answers a first request, but for 2 times in 100000
_REMEMBERED = 1024  # numbers given up or asked for, to tell a late packet and a needless answer from a duplicate


class _Missing:
    __slots__ = ("asked", "next", "requests", "since")

    def __init__(self, since: float, first: float) -> None:
        self.since = since
        self.next = first
        self.asked = 0.0
        self.requests = 0


class MissingPackets:
    """The missing packets of one stream, by extended sequence number.

    Args:
        enabled: whether to ask for them.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._packets: dict[int, _Missing] = {}
        self._given_up: dict[int, None] = {}
        self._answers: dict[int, int] = {}  # that may still come, by numbers that have come
        self.round_trip_s = _INITIAL_ROUND_TRIP_S
        """Time from asking to receiving; set it when it is known from elsewhere."""
        self.lost = LossRuns()
        """Those that the network lost: given up, or come by repair only."""
        self._samples: deque[float] = deque(maxlen=_SAMPLES)
        self._wait = 0.0

    def __len__(self) -> int:
        return len(self._packets)

    def add(self, sequences: Iterable[int], now: float, *, in_place: bool = False) -> None:
        """Note that packets are missing since `now`; `in_place`: a repair looks like the packet itself."""
        first = now + (_IN_PLACE_WAIT_S if in_place else self._wait) if self._enabled else float("inf")
        for sequence in sequences:
            self._packets[sequence] = _Missing(now, first)

    def was_asked_for(self, sequence: int) -> bool:
        """Whether a missing packet was asked for."""
        missing = self._packets.get(sequence)
        return missing is not None and missing.requests > 0

    def arrived(self, sequence: int, now: float, *, repaired: bool) -> None:
        """Strike a packet off. One that was repaired tells the round trip.

        Nobody knows which of several requests was answered, but no answer comes earlier than a round trip after the
        first: so the shortest of the last repairs is it.
        """
        missing = self._packets.pop(sequence, None)
        if missing is None:
            return
        if repaired:
            self._wait *= _WAIT_FORGOTTEN
        else:
            self._wait = min(max(self._wait, now - missing.since), _LONGEST_WAIT_S)
        if not missing.requests:
            return
        self._answers[sequence] = missing.requests
        _forget_oldest(self._answers)
        if not repaired:
            return
        self._samples.append(min(now - missing.asked, _LONGEST_ROUND_TRIP_S))
        self.round_trip_s = min(self._samples)

    def since(self, sequence: int) -> float | None:
        """Return since when a packet is missing, None when it is not."""
        missing = self._packets.get(sequence)
        return missing.since if missing is not None else None

    def forget_before(self, sequence: int) -> int:
        """Give up all packets before a number; return how many."""
        given_up = [number for number in self._packets if number < sequence]
        for number in given_up:
            del self._packets[number]
            self._given_up[number] = None
            self.lost.lose(number)
        _forget_oldest(self._given_up)
        return len(given_up)

    def was_given_up(self, sequence: int) -> bool:
        """Whether a packet was given up lately."""
        return sequence in self._given_up

    def answers(self, sequence: int) -> bool:
        """Whether a copy of what is here already can be an answer to one of our requests. Each has one answer.

        The link has not made such a copy: a packet that was only late was asked for, or was asked for once more while
        the answer was under way.
        """
        left = self._answers.get(sequence, 0)
        if left:
            self._answers[sequence] = left - 1
        return left > 0

    def due(self, now: float) -> list[int]:
        """Return the packets to be asked for now, in order, and plan their next turn."""
        numbers = []
        for number, missing in self._packets.items():
            if missing.next > now:
                continue
            numbers.append(number)
            missing.requests += 1
            if missing.requests == 1:
                missing.asked = now
            missing.next = now + self._repeat(missing.requests) if missing.requests < _REQUESTS else float("inf")
        numbers.sort()
        return numbers

    def _repeat(self, requests: int) -> float:
        """Return how long to wait after so many requests; libwebrtc waits 0.1 s where it knows no round trip."""
        halves = 2 if requests == 1 and self.round_trip_s <= _EARLY_S else 1
        slower = _SLOWER ** max(0, requests - _QUICK_REQUESTS)
        return max(_SHORTEST_REPEAT_S, min(halves * _HALF * self.round_trip_s, _LONGEST_REPEAT_S)) * slower

    def next_timer(self) -> float:
        """Return when `due` wants to be asked, infinity when never."""
        return min((missing.next for missing in self._packets.values()), default=float("inf"))


def _forget_oldest(numbers: dict[int, Any]) -> None:
    for number in list(numbers)[: max(0, len(numbers) - _REMEMBERED)]:
        del numbers[number]
