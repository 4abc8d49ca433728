"""The queue keeps order and its bound; a programme turns what happens into what is played."""

from __future__ import annotations

from itertools import count

import pytest

from pexrtc_py.announcer.queue import PlayQueue, Programme, QueueItem, Rule
from pexrtc_py.announcer.room_state import DigitPressed, PersonJoined
from pexrtc_py.announcer.triggers import AtTime, Every, OnDigits, OnJoin, Trigger
from pexrtc_py.errors import UsageError


def item(name: str, *, urgent: bool = False) -> QueueItem:
    return QueueItem(id=name, source=f"{name}.mkv", why="test", urgent=urgent)


def test_order_is_urgent_first_then_as_they_came() -> None:
    """Urgent ones overtake the others and not each other."""
    queue = PlayQueue()
    for name, urgent in (("a", False), ("b", True), ("c", False), ("d", True)):
        queue.add(item(name, urgent=urgent))
    assert [i.id for i in queue] == ["b", "d", "a", "c"]
    assert queue.remove("d")
    assert not queue.remove("d")
    assert [queue.next() is not None for _ in range(4)] == [True, True, True, False]


def test_full_queue_refuses() -> None:
    """One more than fits is an error for who asks, and so is the same name twice."""
    queue = PlayQueue(most=2)
    queue.add(item("a"))
    with pytest.raises(UsageError, match="already"):
        queue.add(item("a"))
    queue.add(item("b"))
    with pytest.raises(UsageError, match="full"):
        queue.add(item("c"))
    queue.clear()
    assert len(queue) == 0


def programme(*triggers: Trigger, most: int = 100) -> tuple[Programme, PlayQueue]:
    queue, numbers = PlayQueue(most), count()
    rules = [Rule(trigger=t, source=f"{n}.mkv", why=str(n)) for n, t in enumerate(triggers)]
    return Programme(rules, queue, 0.0, lambda: f"id{next(numbers)}"), queue


def test_programme_queues_what_is_asked_for() -> None:
    """Events and time become items with the reason and a name of their own; the next timer is the earliest."""
    watched, queue = programme(OnDigits("1"), Every(10, 10), OnJoin(2))
    assert watched.next_timer() == 10
    assert watched.handle_event(PersonJoined(person="a"), 1.0) == []
    assert watched.next_timer() == 3
    assert [i.source for i in watched.handle_timer(3.0)] == ["2.mkv"]
    assert [i.source for i in watched.handle_event(DigitPressed(digit="1"), 4.0)] == ["0.mkv"]
    assert [i.source for i in watched.handle_timer(10.0)] == ["1.mkv"]
    assert [(i.id, i.why) for i in queue] == [("id0", "2"), ("id1", "0"), ("id2", "1")]
    assert set(watched.room.people) == {"a"}


def test_what_waits_is_not_asked_for_twice() -> None:
    """Ten turns during a long announcement are one item; after it was taken, the next turn counts again."""
    watched, queue = programme(Every(1, 1))
    for now in range(1, 11):
        watched.handle_timer(float(now))
    assert len(queue) == 1
    queue.next()
    assert len(watched.handle_timer(11.0)) == 1


def test_two_rules_of_the_same_words_are_two() -> None:
    """Each has its turn: one was taken for the other, and who waited for both to be played waited for ever."""
    queue, numbers = PlayQueue(), count()
    rules = [Rule(trigger=AtTime(5.0), source="", why="at:14:30") for _ in range(2)]
    watched = Programme(rules, queue, 0.0, lambda: f"id{next(numbers)}")
    assert [i.id for i in watched.handle_timer(5.0)] == ["id0", "id1"]
    assert watched.next_timer() is None


def test_full_queue_does_not_break_the_programme() -> None:
    """What does not fit is left out."""
    watched, queue = programme(Every(1, 1), Every(1, 1), most=1)
    assert len(watched.handle_timer(1.0)) == 1
    assert len(queue) == 1
