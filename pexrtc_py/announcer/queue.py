"""What is to be played next: a bounded queue that triggers, programs and people feed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ..errors import UsageError
from .room_state import RoomEvent, RoomState
from .triggers import Trigger

__all__ = ["MOST_WAITING", "PlayQueue", "Programme", "QueueItem", "Rule"]

MOST_WAITING: Final = 100
"""Items that wait at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """Something that is to be played."""

    id: str
    """Its name in the queue; no two are the same."""
    source: str
    """The source as `media.sources.parse_source` reads it."""
    why: str
    """What asked for it: the trigger as it was written, `api`, `command line`."""
    urgent: bool = False
    """Whether it is played before all that is not; it does not interrupt."""
    chat: str = ""
    """What is written into the chat when it begins."""
    digits: str = ""
    """What is dialled before it begins."""


class PlayQueue:
    """Items in the order in which they are played: urgent ones first, each kind in the order it came.

    Full, it refuses: the one who asks learns it, and nothing that was promised is dropped.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._urgent: deque[QueueItem] = deque()
        self._usual: deque[QueueItem] = deque()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._usual)

    def __iter__(self) -> Iterator[QueueItem]:
        yield from (*self._urgent, *self._usual)

    def add(self, item: QueueItem) -> None:
        """Append an item.

        Raises:
            UsageError: the queue is full, or has an item of this id.
        """
        if len(self) >= self._most:
            raise UsageError(f"the queue is full: {self._most} announcements are waiting")
        if any(other.id == item.id for other in self):
            raise UsageError(f"the queue has an announcement {item.id} already")
        (self._urgent if item.urgent else self._usual).append(item)

    def next(self) -> QueueItem | None:
        """Take out the next item; None when there is none."""
        queue = self._urgent or self._usual
        return queue.popleft() if queue else None

    def remove(self, item_id: str) -> bool:
        """Take out an item by its id; returns whether it was there."""
        for queue in (self._urgent, self._usual):
            for item in queue:
                if item.id == item_id:
                    queue.remove(item)
                    return True
        return False

    def clear(self) -> None:
        """Take out all items."""
        self._urgent.clear()
        self._usual.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to play what."""

    trigger: Trigger
    """Says when."""
    source: str
    """What, as `media.sources.parse_source` reads it."""
    why: str
    """The trigger as it was written."""
    urgent: bool = False
    """Whether it goes before what waits."""


class Programme:
    """Rules and the conference they watch: folds events and time into items of a queue. Sans-io.

    What a rule asks for while its last one still waits is dropped: ten people who join one after the other during a
    long announcement are greeted once after it.

    Args:
        rules: what to play when.
        queue: where to.
        now: seconds, on the clock of all further times.
        new_id: gives each item a name of its own.
    """

    def __init__(self, rules: list[Rule], queue: PlayQueue, now: float, new_id: Callable[[], str]) -> None:
        self.room = RoomState(now)
        self._rules = rules
        self._queue = queue
        self._new_id = new_id
        self._asked: dict[int, str] = {}  # rules by their number, and the item that each asked for last

    def next_timer(self) -> float | None:
        """Return when `handle_timer` wants to be called; None: not by itself."""
        times = [time for rule in self._rules if (time := rule.trigger.next_timer(self.room)) is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> list[QueueItem]:
        """Queue what time asks for; returns it."""
        return self._ask([n for n, rule in enumerate(self._rules) if rule.trigger.handle_timer(self.room, now)])

    def handle_event(self, event: RoomEvent, now: float) -> list[QueueItem]:
        """Queue what an event asks for; returns it."""
        self.room.apply(event, now)
        return self._ask([n for n, rule in enumerate(self._rules) if rule.trigger.handle_event(self.room, event, now)])

    def _ask(self, numbers: Iterable[int]) -> list[QueueItem]:
        """Queue what these rules ask for, but for those whose last item still waits; return it."""
        asked = []
        for number in numbers:
            rule = self._rules[number]
            if any(item.id == self._asked.get(number) for item in self._queue):
                continue
            item = QueueItem(id=self._new_id(), source=rule.source, why=rule.why, urgent=rule.urgent)
            with suppress(UsageError):  # full: whoever is asked too much leaves out what is new
                self._queue.add(item)
                self._asked[number] = item.id
                asked.append(item)
        return asked
