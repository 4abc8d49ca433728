"""What happened, told on the recording's clock."""

from __future__ import annotations

from pexrtc_py.protocol.events import (
    Event,
    MessageReceived,
    ParticipantCreate,
    ParticipantDelete,
    PresentationStart,
    PresentationStop,
    Stage,
    StageEntry,
)
from pexrtc_py.protocol.models_base import ParticipantUuid
from pexrtc_py.protocol.models_participant import Participant
from pexrtc_py.recorder.story import Story

ALICE, BOB = ParticipantUuid("a"), ParticipantUuid("b")


def person(uuid: ParticipantUuid, name: str) -> Participant:
    """Make a participant."""
    return Participant(uuid=uuid, display_name=name)


def stage(*speaking: ParticipantUuid) -> Stage:
    """Say who speaks."""
    order = [*speaking, *(uuid for uuid in (ALICE, BOB) if uuid not in speaking)]
    return Stage(
        entries=[
            StageEntry(participant_uuid=uuid, stage_index=n, vad=100 if uuid in speaking else 0)
            for n, uuid in enumerate(order)
        ]
    )


def tell(*events: tuple[float, Event]) -> tuple[Story, list[tuple[float, str]]]:
    """Fold events; return the story and the chapters it began."""
    story = Story()
    chapters = [(at, title) for at, event in events if (title := story.apply(event, at))]
    return story, chapters


BOTH: list[tuple[float, Event]] = [
    (0.0, ParticipantCreate(participant=person(ALICE, "Alice"))),
    (1.0, ParticipantCreate(participant=person(BOB, "Bob"))),
]


def test_speeches_are_stretches_and_short_pauses_do_not_end_them() -> None:
    """Who speaks at the end speaks to the end; who leaves has stopped."""
    story, _ = tell(
        *BOTH,
        (2.0, stage(ALICE)),
        (3.0, stage()),
        (3.5, stage(ALICE, BOB)),
        (6.0, stage(BOB)),
        (8.0, ParticipantDelete(uuid=BOB)),
        (9.5, stage(ALICE)),
    )
    assert [(one.name, one.start_s, one.end_s) for one in story.speeches(12.0)] == [
        ("Alice", 2.0, 6.0),
        ("Bob", 3.5, 8.0),
        ("Alice", 9.5, 12.0),
    ]


def test_a_pause_between_others_does_not_end_a_speech() -> None:
    """A speech goes on over the short ones of others, which stay, however many there were before."""
    story, _ = tell(
        (0.0, ParticipantCreate(participant=person(ALICE, "Alice"))),
        (0.0, ParticipantCreate(participant=person(BOB, "Bob"))),
        (1.0, stage(BOB)), (2.0, stage()), (5.0, stage(ALICE)), (6.0, stage()),
        (6.2, stage(BOB)), (6.4, stage()), (6.8, stage(ALICE)), (7.0, stage()), (7.3, stage(BOB)), (9.0, stage()),
    )  # fmt: skip
    assert [(one.name, one.start_s, one.end_s) for one in story.speeches(10.0)] == [
        ("Bob", 1.0, 2.0),
        ("Alice", 5.0, 7.0),
        ("Bob", 6.2, 9.0),
    ]


def test_attendance_has_everybody() -> None:
    """Who left and who stayed."""
    story, _ = tell(*BOTH, (5.0, ParticipantDelete(uuid=ALICE)))
    assert [(one.name, one.joined_s, one.left_s) for one in story.attendance()] == [
        ("Alice", 0.0, 5.0),
        ("Bob", 1.0, None),
    ]


def test_presentations_and_main_speakers_begin_chapters() -> None:
    """Presentations always, speakers not more often than is readable and not during a presentation."""
    story, chapters = tell(
        *BOTH,
        (2.0, stage(ALICE)),
        (4.0, stage(BOB)),
        (13.0, stage(BOB, ALICE)),
        (20.0, PresentationStart(presenter_name="Alice", presenter_uuid=ALICE)),
        (40.0, stage(ALICE)),
        (50.0, PresentationStop()),
        (70.0, stage(ALICE)),
        (80.0, PresentationStart(presenter_name="Bob", presenter_uuid=BOB)),
        (85.0, PresentationStart(presenter_name="Alice", presenter_uuid=ALICE)),
    )
    assert chapters == [
        (2.0, "Alice"),
        (13.0, "Bob"),
        (20.0, "Presentation: Alice"),
        (50.0, "Presentation ended"),
        (70.0, "Alice"),
        (80.0, "Presentation: Bob"),
        (85.0, "Presentation: Alice"),
    ]
    assert [(one.name, one.start_s, one.end_s) for one in story.presentations(90.0)] == [
        ("Alice", 20.0, 50.0),
        ("Bob", 80.0, 85.0),
        ("Alice", 85.0, 90.0),
    ]


def test_messages_are_kept() -> None:
    """With their second."""
    story, chapters = tell((3.0, MessageReceived(origin="Alice", uuid=ALICE, payload="hello")))
    assert [(one.at_s, one.name, one.text) for one in story.messages] == [(3.0, "Alice", "hello")]
    assert chapters == []


def test_what_is_kept_is_bounded() -> None:
    """Who chats, comes and goes, and presents without end once filled the memory of all recordings of a process."""
    story = Story(most_bytes=50_000)
    kept = 0
    for number in range(1000):
        kept += story.apply(MessageReceived(origin="A", uuid=ALICE, payload="x" * 1000), number) is not None
        story.apply(ParticipantCreate(participant=person(ALICE, "Alice")), number)
        kept += story.apply(PresentationStart(presenter_name="x" * 5000), number) is not None
        kept += story.apply(PresentationStop(), number) is not None
        story.apply(ParticipantDelete(uuid=ALICE), number)
    assert 5 < len(story.messages) < 50
    assert 0 < kept < 200
    assert len(story.attendance()) < 200
    assert len(story.presentations(1000.0)) < 200
    assert story.left_out > 3000


def test_a_chapter_has_a_title_of_a_line() -> None:
    """A name may have a megabyte."""
    _, chapters = tell((1.0, PresentationStart(presenter_name="é" * 1_000_000)))
    [(_, title)] = chapters
    assert (len(title), title[-1]) == (120, "…")
