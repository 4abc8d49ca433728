"""What is sent again: not more than does good."""

from __future__ import annotations

import random

from pexrtc_py.webrtc.sender_history import SentPackets


def repeated(loss: float, *, crowded: bool = False, seconds: float = 3.0) -> tuple[int, int]:
    """Send 50 packets a second on a way that loses so many of them and of repeats; return bytes sent and repeated."""
    kept, dice, missing = SentPackets(), random.Random(2), set[int]()
    sent = again = 0
    for number in range(round(seconds * 50)):
        now = number / 50
        packet = bytes(1000)
        kept.add(number, [packet], len(packet), now)
        sent += len(packet)
        if dice.random() < loss:
            missing.add(number)
        for lost in sorted(missing):
            copy = kept.again(lost, now, 0.05, crowded=crowded)
            if copy is not None:
                again += len(copy)
                if dice.random() >= loss:
                    missing.remove(lost)
    return sent, again


def test_all_that_chance_loses_is_sent_again() -> None:
    """At 30 % each lost packet takes 1.4 copies until one arrives: nothing stands in their way."""
    sent, again = repeated(0.3)
    assert 0.37 * sent < again < 0.5 * sent


def test_repeats_are_at_most_as_many_as_what_they_repeat() -> None:
    """A way that loses everything got each packet ten times."""
    sent, again = repeated(1.0)
    assert 0.8 * sent < again <= sent


def test_a_queue_on_the_way_gets_hardly_a_repeat() -> None:
    """A tenth; and of little that was sent there is always some."""
    sent, again = repeated(1.0, crowded=True)
    assert 0.05 * sent < again <= 0.1 * sent


def test_little_that_was_sent_may_be_repeated_well() -> None:
    """One packet, lost five times."""
    kept = SentPackets()
    kept.add(7, [bytes(1200)], 1200, 0.0)
    assert [len(kept.again(7, 0.06 * turn, 0.05, crowded=False) or b"") for turn in range(1, 6)] == [1200] * 5
