"""The order of speakers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.protocol.models import ParticipantUuid
from pexrtc_py.protocol.stage import TAKEOVER_S, Position, Stage

A, B, C = (ParticipantUuid(name) for name in "abc")


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    for participant in (A, B, C):
        stage.add(participant)
    return stage


def test_order_of_arrival_before_anybody_speaks(stage: Stage) -> None:
    """Who has not spoken stands where it came."""
    assert stage.order == (A, B, C)
    assert stage.next_timer() is None


def test_speaking_into_silence_comes_first_at_once(stage: Stage) -> None:
    """The first voice in a silence is the main speaker; the one before comes second."""
    stage.handle_voice(C, 1.0, speaking=True)
    assert stage.order == (C, A, B)
    assert stage.positions[0] == Position(participant=C, index=0, speaking=True)
    stage.handle_voice(C, 2.0, speaking=False)
    assert stage.order == (C, A, B)
    assert not stage.positions[0].speaking


def test_a_cough_does_not_cut_the_picture(stage: Stage) -> None:
    """Who speaks over the main speaker comes first only after it has gone on for a while."""
    stage.handle_voice(A, 1.0, speaking=True)
    stage.handle_voice(B, 2.0, speaking=True)
    assert stage.next_timer() == 2.0 + TAKEOVER_S
    stage.handle_voice(B, 2.2, speaking=False)
    assert stage.next_timer() is None
    stage.handle_timer(2.0 + TAKEOVER_S)
    assert stage.order == (A, B, C)
    stage.handle_voice(B, 4.0, speaking=True)
    stage.handle_timer(4.0 + TAKEOVER_S)
    assert stage.order == (B, A, C)
    assert stage.next_timer() is None  # A still speaks, but B is the newer voice


def test_the_main_speaker_falls_silent(stage: Stage) -> None:
    """When the main speaker ends, whoever still speaks comes first at once."""
    stage.handle_voice(A, 1.0, speaking=True)
    stage.handle_voice(B, 1.1, speaking=True)
    stage.handle_voice(A, 1.2, speaking=False)
    assert stage.order == (B, A, C)


def test_spotlights_come_first_in_their_order(stage: Stage) -> None:
    """Spotlighted ones keep the first places in the order they were spotlighted, whoever speaks."""
    stage.set_spotlight(C, 20.0)
    stage.set_spotlight(B, 10.0)
    stage.handle_voice(A, 1.0, speaking=True)
    assert stage.order == (B, C, A)
    stage.set_spotlight(B, None)
    assert stage.order == (C, A, B)


def test_strangers_are_ignored(stage: Stage) -> None:
    """A late report about one who has left changes nothing."""
    stage.remove(B)
    stage.remove(B)
    stage.handle_voice(B, 1.0, speaking=True)
    stage.set_spotlight(B, 1.0)
    stage.add(A)
    assert stage.order == (A, C)


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.booleans(), st.floats(0, 2))))
def test_a_timer_is_never_due_twice(reports: list[tuple[ParticipantUuid, bool, float]]) -> None:
    """After a timer was handled the next one lies ahead: no busy loop, whatever the voices."""
    stage = Stage()
    for participant in (A, B, C):
        stage.add(participant)
    now = 0.0
    for participant, speaking, wait in reports:
        now += wait
        stage.handle_timer(now)
        stage.handle_voice(participant, now, speaking=speaking)
        due = stage.next_timer()
        assert due is None or due > now
        assert sorted(stage.order) == [A, B, C]
