"""The roster: whatever was missed, one sync puts it right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.protocol.events import (
    BreakoutBegin,
    BreakoutEnd,
    BreakoutEvent,
    ConferenceUpdate,
    Event,
    Layout,
    ParticipantCreate,
    ParticipantDelete,
    ParticipantSyncBegin,
    ParticipantSyncEnd,
    ParticipantUpdate,
    PresentationStart,
    PresentationStop,
    Stage,
    StageEntry,
    parse_event,
)
from pexrtc_py.protocol.models import ConferenceStatus, Participant, ParticipantUuid
from pexrtc_py.protocol.roster import MAX_BREAKOUTS, MAX_PARTICIPANTS, Roster

CAPTURES = Path(__file__).parents[1] / "data/json/android-sdk"
A, B, C = (ParticipantUuid(letter) for letter in "abc")


def person(uuid: ParticipantUuid, name: str = "", presenting: str = "NO") -> Participant:
    return Participant(uuid=uuid, display_name=name, is_presenting=presenting)


def sync(*people: Participant) -> list[Event]:
    return [ParticipantSyncBegin(), *(ParticipantCreate(participant=p) for p in people), ParticipantSyncEnd()]


def folded(*events: Event) -> Roster:
    roster = Roster()
    for event in events:
        roster.apply(event)
    return roster


def test_changes_are_told() -> None:
    """Joining, changing and leaving are told once each; the same again is no change."""
    roster = Roster()
    assert roster.apply(ParticipantCreate(participant=person(A))).joined == (person(A),)
    assert not roster.apply(ParticipantUpdate(participant=person(A)))
    assert roster.apply(ParticipantUpdate(participant=person(A, "Ann"))).updated == (person(A, "Ann"),)
    assert roster.apply(ParticipantDelete(uuid=A)).left == (person(A, "Ann"),)
    assert not roster.apply(ParticipantDelete(uuid=A))


def test_nobody_vanishes_during_a_sync() -> None:
    """While the list is told anew all stay; who was not told has left at its end."""
    roster = folded(*sync(person(A), person(B)))
    assert roster.synced
    roster.apply(ParticipantSyncBegin())
    assert set(roster.participants) == {A, B}
    assert not roster.synced
    roster.apply(ParticipantCreate(participant=person(B)))
    assert roster.apply(ParticipantSyncEnd()).left == (person(A),)
    assert set(roster.participants) == {B}


def test_a_broken_sync_is_taken_up_again() -> None:
    """A sync cut in the middle removes nobody; the next one starts over."""
    roster = folded(*sync(person(A), person(B)), ParticipantSyncBegin(), ParticipantCreate(participant=person(A)))
    for event in sync(person(B)):
        roster.apply(event)
    assert set(roster.participants) == {B}


def test_presentation() -> None:
    """The presenter is known from the event, or from the roster when it is us; a missed stop shows after a sync."""
    roster = folded(*sync(person(A), person(B, presenting="YES")))
    assert roster.presenter == B
    assert roster.presentation is None
    roster.apply(PresentationStart(presenter_uuid=B))
    assert roster.presentation is not None
    for event in sync(person(A), person(B)):
        roster.apply(event)
    assert roster.presentation is None
    assert roster.presenter is None
    roster.apply(PresentationStart(presenter_uuid=A))
    roster.apply(PresentationStart())
    assert roster.presentation is None, "all fields empty: the floor was revoked"
    roster.apply(PresentationStart(presenter_uuid=A))
    roster.apply(ParticipantDelete(uuid=A))
    assert roster.presentation is None
    roster.apply(PresentationStart(presenter_name="by the guide"))
    assert roster.presentation is not None
    roster.apply(PresentationStop())
    assert roster.presentation is None


def test_stage_layout_conference() -> None:
    """Stage order, who speaks, layout and settings follow; what an update leaves out stays."""
    roster = folded(*sync(person(A), person(B)))
    entries = [StageEntry(participant_uuid=B, stage_index=1), StageEntry(participant_uuid=A, stage_index=0, vad=100)]
    roster.apply(Stage(entries=entries))
    assert [entry.participant_uuid for entry in roster.stage] == [A, B]
    assert roster.speaking == (person(A),)
    roster.apply(Layout(view="1:7", participants=[A]))
    assert roster.layout is not None
    assert roster.layout.view == "1:7"
    roster.apply(ConferenceUpdate(status=ConferenceStatus(locked=True, started=True)))
    roster.apply(ConferenceUpdate(status=ConferenceStatus(locked=False)))
    assert roster.conference.started is True
    assert not roster.conference.locked


def test_a_roster_has_an_end() -> None:
    """A node that tells of ever more participants is refused before it fills the memory; known ones may change."""
    roster = Roster()
    for index in range(MAX_PARTICIPANTS):
        roster.apply(ParticipantCreate(participant=person(ParticipantUuid(str(index)))))
    with pytest.raises(RemoteProtocolError, match="roster: more than 20000 participants"):
        roster.apply(ParticipantCreate(participant=person(A)))
    assert roster.apply(ParticipantUpdate(participant=person(ParticipantUuid("0"), "x")))


def test_a_roster_of_long_names_has_an_end() -> None:
    """Twenty thousand participants of a MiB each were 20 GB; who leaves, or is told of with less, makes room."""
    long, roster = "x" * 1_000_000, Roster()
    for index in range(67):
        roster.apply(ParticipantCreate(participant=person(ParticipantUuid(str(index)), long)))
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match="roster: participants of more than 67108864 bytes"):
            roster.apply(ParticipantCreate(participant=person(A, long)))
    with pytest.raises(RemoteProtocolError, match="67108864 bytes"):
        roster.apply(ParticipantUpdate(participant=person(ParticipantUuid("1"), long * 2)))
    assert A not in roster.participants
    roster.apply(ParticipantUpdate(participant=person(ParticipantUuid("1"))))
    roster.apply(ParticipantCreate(participant=person(A, long)))
    roster.apply(ParticipantDelete(uuid=ParticipantUuid("2")))
    roster.apply(ParticipantCreate(participant=person(B, long)))
    with pytest.raises(RemoteProtocolError, match="67108864 bytes"):
        roster.apply(ParticipantCreate(participant=person(C, long)))
    for event in sync():
        roster.apply(event)
    assert not roster.participants
    assert roster._size == 0


people = st.builds(person, st.sampled_from([A, B, C]), st.sampled_from(["", "x"]), st.sampled_from(["YES", "NO"]))
steps = st.lists(
    st.builds(ParticipantCreate, participant=people)
    | st.builds(ParticipantUpdate, participant=people)
    | st.builds(ParticipantDelete, uuid=st.sampled_from([A, B, C]))
    | st.builds(ParticipantSyncBegin)
    | st.builds(ParticipantSyncEnd)
    | st.builds(PresentationStart, presenter_uuid=st.sampled_from([A, B, C])),
    max_size=20,
)


@given(steps, st.lists(people, unique_by=lambda p: p.uuid))
def test_one_sync_puts_it_right(missed: list[Event], truth: list[Participant]) -> None:
    """After any events at all, a complete sync leaves exactly what it told."""
    roster = folded(*missed, *sync(*truth))
    assert dict(roster.participants) == {p.uuid: p for p in truth}
    assert roster.presentation is None or roster.participants[roster.presentation.presenter_uuid].presenting


@given(steps)
def test_changes_add_up(events: list[Event]) -> None:
    """A list kept from the changes alone equals the roster: nobody who listens to changes misses one."""
    roster, kept = Roster(), dict[ParticipantUuid, Participant]()
    for event in events:
        change = roster.apply(event)
        for participant in change.joined:
            assert participant.uuid not in kept
        for participant in change.joined + change.updated:
            kept[participant.uuid] = participant
        for participant in change.left:
            del kept[participant.uuid]
        assert kept == dict(roster.participants)


def test_breakouts_are_looked_into() -> None:
    """What was captured of a breakout folds into a roster of its own, beside that of the conference."""
    roster, one = Roster(), "04fe9b38-4354-4e87-a4b3-6f589a8dafa3"
    ours = ParticipantUuid("us, in there")
    roster.apply(BreakoutBegin(breakout_uuid=one, participant_uuid=ours))
    for name in ("participant_sync_begin", "participant_create", "participant_sync_end", "conference_update", "stage"):
        event = parse_event("breakout_event", (CAPTURES / f"breakout_event_{name}.json").read_text())
        assert isinstance(event, BreakoutEvent)
        assert event.breakout_uuid == one
        roster.apply(event)
    inside = roster.breakouts[one]
    assert inside.participant_uuid == ours
    assert [person.display_name for person in inside.roster.participants.values()] == ["George"]
    assert inside.roster.synced
    assert inside.roster.conference.breakout_name == "Room 1"
    assert not roster.participants
    assert not roster.synced
    roster.apply(BreakoutEvent(breakout_uuid=one, event="participant_create", data={"uuid": 7}))
    roster.apply(BreakoutEvent(breakout_uuid="unknown", event="participant_sync_end"))
    roster.apply(BreakoutEvent(breakout_uuid=one, event="breakout_begin", data={"breakout_uuid": "within"}))
    assert (len(inside.roster.participants), len(inside.roster.breakouts)) == (1, 0)
    roster.apply(BreakoutBegin(breakout_uuid=one, participant_uuid=ours))
    assert len(roster.breakouts[one].roster.participants) == 1, "told of again after a cut"
    roster.apply(BreakoutEnd(breakout_uuid=one, participant_uuid=ours))
    assert not roster.breakouts


def test_breakouts_have_an_end() -> None:
    """A node cannot fill our memory with breakouts, nor with people in many of them."""
    roster = Roster()
    for number in range(MAX_BREAKOUTS):
        roster.apply(BreakoutBegin(breakout_uuid=str(number)))
    with pytest.raises(RemoteProtocolError, match="1000 breakouts"):
        roster.apply(BreakoutBegin(breakout_uuid="one more"))
    data = {"uuid": "a", "display_name": "x" * 1_000_000}
    with pytest.raises(RemoteProtocolError, match="67108864 bytes in breakouts"):  # noqa: PT012 - one of the events
        for number in range(68):
            roster.apply(BreakoutEvent(breakout_uuid=str(number), event="participant_create", data=data))


JSON = st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))


@given(st.text(), JSON)
def test_any_event_inside_a_breakout(name: str, data: object) -> None:
    """Whatever stands in a breakout's event, it is folded or passed over."""
    roster = Roster()
    roster.apply(BreakoutBegin(breakout_uuid="b"))
    for event in (name, "participant_create", "stage", "layout", "conference_update"):
        roster.apply(BreakoutEvent(breakout_uuid="b", event=event, data=data))
