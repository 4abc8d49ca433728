"""Triggers say "now" at the right moment and at no other, and no program ever sets one off."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.announcer.room_state import (
    ChatSaid,
    ConferenceStarted,
    DigitPressed,
    PersonJoined,
    PersonLeft,
    RoomEvent,
    RoomState,
    VoiceChanged,
)
from pexrtc_py.announcer.triggers import (
    AtTime,
    Every,
    Immediately,
    OnChat,
    OnDigits,
    OnJoin,
    OnStart,
    Trigger,
    WhenPeople,
    WhenQuiet,
    parse_trigger,
)
from pexrtc_py.errors import UsageError

ANNA, BERT, BOT = PersonJoined(person="a", name="Anna"), PersonJoined(person="b"), PersonJoined(person="x", is_bot=True)


def run(trigger: Trigger, script: list[tuple[float, RoomEvent]], until: float) -> list[float]:
    """Play a script of events, calling timers exactly when they were asked for; return when it fired."""
    room, fired, now = RoomState(0.0), [], 0.0
    for at, event in [*script, (until, None)]:
        while (due := trigger.next_timer(room)) is not None and due < at:
            now = max(now, due)
            if trigger.handle_timer(room, now):
                fired.append(now)
            assert trigger.next_timer(room) != due, "a timer that was handled must not come again at once"
        now = at
        if event is not None:
            room.apply(event, now)
            if trigger.handle_event(room, event, now):
                fired.append(now)
    return fired


def test_immediately_and_at_a_time() -> None:
    """Once each."""
    assert run(Immediately(), [], 100) == [0.0]
    assert run(AtTime(30.0), [(10, ANNA), (50, BERT)], 100) == [30.0]


def test_every_so_often() -> None:
    """Evenly, and what was slept through is not made up for."""
    assert run(Every(10, 10), [], 45) == [10, 20, 30, 40]
    trigger, room = Every(10, 10), RoomState(0)
    assert trigger.handle_timer(room, 57)
    assert not trigger.handle_timer(room, 57)
    assert trigger.next_timer(room) == 60


def test_when_quiet() -> None:
    """After so many seconds without a voice; two who speak at once must both be still; a bot's voice is none."""
    script: list[tuple[float, RoomEvent]] = [
        (0, ANNA),
        (0, BERT),
        (0, BOT),
        (1, VoiceChanged(person="a", speaking=True)),
        (2, VoiceChanged(person="b", speaking=True)),
        (3, VoiceChanged(person="a", speaking=False)),
        (9, VoiceChanged(person="b", speaking=False)),
        (10, VoiceChanged(person="x", speaking=True)),
        (30, VoiceChanged(person="a", speaking=True)),
        (31, VoiceChanged(person="a", speaking=False)),
    ]
    assert run(WhenQuiet(5), script, 60) == [14]
    assert run(WhenQuiet(5, once=False), script, 60) == [14, 36]


def test_an_empty_room_is_not_quiet_but_empty() -> None:
    """Nobody is told anything when nobody is there."""
    assert run(WhenQuiet(5), [(1, BOT)], 60) == []


def test_who_leaves_while_speaking_is_silent() -> None:
    """A voice that never stopped, of somebody who left, does not keep the room loud for ever."""
    script: list[tuple[float, RoomEvent]] = [
        (0, ANNA), (0, BERT), (1, VoiceChanged(person="a", speaking=True)), (4, PersonLeft(person="a")),
    ]  # fmt: skip
    assert run(WhenQuiet(5), script, 60) == [9]


def test_when_people_are_there() -> None:
    """At the second person, not again at the third, again after they had been fewer; bots never count."""
    carl = PersonJoined(person="c")
    script: list[tuple[float, RoomEvent]] = [
        (1, ANNA), (2, BOT), (3, BERT), (4, carl), (5, PersonLeft(person="a")), (6, PersonLeft(person="b")), (7, ANNA),
    ]  # fmt: skip
    assert run(WhenPeople(2), script, 10) == [3, 7]


def test_greeting() -> None:
    """A moment after they come; together when they come together; not bots, not who was there, not who left at once."""
    assert run(OnJoin(2), [(1, ANNA), (2, BERT)], 20) == [3]
    assert run(OnJoin(2), [(1, ANNA), (6, BERT)], 20) == [3, 8]
    assert run(OnJoin(2), [(1, BOT), (2, PersonJoined(person="d", was_there=True))], 20) == []
    assert run(OnJoin(2), [(1, ANNA), (2, PersonLeft(person="a"))], 20) == []


def test_digits() -> None:
    """In a row, whatever came before, and not when they come too slowly."""
    press = [
        (t, DigitPressed(digit=d))
        for t, d in ((1, "5"), (2, "*"), (3, "1"), (20, "*"), (30, "1"), (31, "*"), (32, "1"))
    ]
    assert run(OnDigits("*1"), list(press), 40) == [3, 32]
    assert run(OnDigits("11"), [(t, DigitPressed(digit="1")) for t in (1, 2, 3, 4)], 40) == [2, 4]


def test_chat() -> None:
    """The command, in any case, with words behind it; not inside a sentence, not from a bot."""
    say = [
        (1, "/Play now"), (2, "please /play"), (3, "/player"), (4, "/play"),
    ]  # fmt: skip
    script: list[tuple[float, RoomEvent]] = [(0, BOT), *((t, ChatSaid(person="a", text=text)) for t, text in say)]
    script.append((5, ChatSaid(person="x", text="/play")))
    assert run(OnChat("/play"), script, 10) == [1, 4]


def test_conference_start() -> None:
    """When it begins, or at once when it had begun."""
    assert run(OnStart(), [(5, ConferenceStarted()), (6, ConferenceStarted())], 10) == [5]
    room = RoomState(0)
    room.apply(ConferenceStarted(), 0)
    trigger = OnStart()
    assert trigger.next_timer(room) == float("-inf")
    assert trigger.handle_timer(room, 1)
    assert trigger.next_timer(room) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [("now", Immediately), ("every:10m", Every), ("quiet:5s", WhenQuiet), ("people:3", WhenPeople), ("join", OnJoin),
     ("join:1.5", OnJoin), ("digits:*1", OnDigits), ("chat:/play it", OnChat), ("start", OnStart),
     ("at:14:30", AtTime)],
)  # fmt: skip
def test_written_triggers(text: str, kind: type[Trigger]) -> None:
    """Each form reads as what it says."""
    assert isinstance(parse_trigger(text, 1_700_000_000), kind)


@pytest.mark.parametrize(
    "text", ["", "later", "every:", "every:0", "every:ten", "people:0", "people:x", "digits:7x", "chat:", "at:25:00",
             "at:2001-01-01T00:00", "now:5", "quiet:-3"],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    """One line that says what is wrong."""
    with pytest.raises(UsageError) as caught:
        parse_trigger(text, 1_700_000_000)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is written: a trigger, or a usage error."""
    try:
        parse_trigger(text, 1_700_000_000)
    except UsageError:
        return


@given(hour=st.integers(4, 23), minute=st.integers(0, 59), now=st.integers(1_600_000_000, 1_900_000_000))
def test_time_of_day_is_the_next_one(hour: int, minute: int, now: int) -> None:
    """`at:` is ahead, by a day and an hour at most (clocks are put back), and the clock shows it then."""
    when = parse_trigger(f"at:{hour}:{minute:02d}", now).next_timer(RoomState(now))
    assert when is not None
    assert 0 < when - now <= 90_000
    shown = time.localtime(when)
    assert (shown.tm_hour, shown.tm_min) == (hour, minute)
    assert datetime.fromtimestamp(when).second == 0


def test_time_of_day_across_the_change_to_summer_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Berlin in the evening before clocks go forward, 14:30 tomorrow is 14:30 of tomorrow's clock."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        evening = datetime(2026, 3, 28, 20, 0).timestamp()
        when = parse_trigger("at:14:30", evening).next_timer(RoomState(evening))
        assert when is not None
        assert datetime.fromtimestamp(when) == datetime(2026, 3, 29, 14, 30)
        assert when - evening == 17.5 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()
