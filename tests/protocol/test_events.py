"""Events: examples and captures are read, written and read again they are the same, nothing breaks the parser."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.protocol.events import (
    EVENT_TYPES,
    Bye,
    Event,
    MessageReceived,
    ParticipantSyncBegin,
    PresentationFrame,
    PresentationStart,
    Refer,
    SplashScreen,
    Stage,
    UnknownEvent,
    parse_event,
    serialize_event,
)
from pexrtc_py.protocol.models import Participant, ParticipantUuid, Token

DATA = Path(__file__).parents[1] / "data" / "json"

ANDROID = [
    path
    for path in sorted((DATA / "android-sdk").glob("*.json"))
    if path.stem in EVENT_TYPES or path.stem.startswith(("breakout_event_", "fecc_", "splash_screen_null"))
]


@pytest.mark.parametrize("path", sorted((DATA / "guide-v14").glob("*.event.json")), ids=lambda path: path.stem)
def test_guide_example(path: Path) -> None:
    """Every event of the guide is read with every field, and written with the same values."""
    name = path.name.partition(".")[0]
    event = parse_event(name, path.read_text())
    assert isinstance(event, EVENT_TYPES[name])
    before, after = json.loads(path.read_text()), json.loads(serialize_event(event)[1])
    if isinstance(before, dict):
        after = {key: value for key, value in after.items() if key in before}
    assert after == before


@pytest.mark.parametrize("path", ANDROID, ids=lambda path: path.stem)
def test_capture(path: Path) -> None:
    """Every event captured off real nodes is read, and what it had is written."""
    name = next((name for name in ("breakout_event", "fecc", "splash_screen") if path.stem.startswith(name)), path.stem)
    event = parse_event(name, path.read_text())
    assert not isinstance(event, UnknownEvent)
    before, after = json.loads(path.read_text()), json.loads(serialize_event(event)[1])
    if isinstance(before, dict):
        assert {key: after[key] for key in before if key in after} == before


def test_without_data() -> None:
    """Events that clients would drop without data are written with some, and read without."""
    assert serialize_event(ParticipantSyncBegin()) == ("participant_sync_begin", "null")
    assert parse_event("participant_sync_begin", "") == ParticipantSyncBegin()
    assert parse_event("bye", "null") == Bye()
    assert parse_event("splash_screen", "null") == SplashScreen()


def test_presentation_frame_keeps_its_id() -> None:
    """The picture is fetched by the event's id, whatever its data is."""
    assert parse_event("presentation_frame", "no json", "MTA=") == PresentationFrame(event_id="MTA=")
    assert serialize_event(PresentationFrame(event_id="MTA="))[1] == "{}"


def test_message_by_the_guide_is_message_received() -> None:
    """The guide's name is read, the name of nodes is written; an event without a name is a message too."""
    told = '{"origin":"Alice","payload":"hi"}'
    expected = MessageReceived(origin="Alice", payload="hi")
    assert parse_event("message", told) == parse_event("message_received", told) == parse_event("", told) == expected
    assert serialize_event(expected)[0] == "message_received"


def test_unknown_event_keeps_all() -> None:
    """What we have no model of comes through as it is."""
    assert parse_event("new_in_99", "[1", "id") == UnknownEvent(name="new_in_99", data="[1", event_id="id")


def test_one_odd_place_of_the_stage_is_an_error() -> None:
    """A stage entry without its participant cannot be passed on."""
    with pytest.raises(RemoteProtocolError, match="stage"):
        parse_event("stage", '[{"vad":100}]')


def test_refer_hides_its_token() -> None:
    """The one-time token of a transfer is in no `repr`."""
    assert "s3cret" not in repr(parse_event("refer", '{"alias":"a","token":"s3cret"}'))
    assert parse_event("refer", '{"alias":"a","token":"s3cret"}') == Refer(alias="a", token=Token("s3cret"))


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a model's field."""
    if kind is object:
        return st.none() | st.lists(st.integers())
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    args = [arg for arg in get_args(kind) if arg is not msgspec.UnsetType]
    origin = getattr(kind, "__origin__", None)
    if origin is list:
        return st.lists(strategy(args[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), strategy(args[1]), max_size=3)
    if args:
        return st.one_of([strategy(arg) for arg in args])
    if hasattr(kind, "__supertype__"):
        return strategy(kind.__supertype__)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind is int:
        return st.integers(-(2**53), 2**53)
    return st.from_type(kind)


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {f.name: strategy(f.type) for f in msgspec.structs.fields(kind) if f.required},
        optional={f.name: strategy(f.type) for f in msgspec.structs.fields(kind) if not f.required},
    ).map(lambda values: kind(**values))


@pytest.mark.parametrize("kind", sorted(set(EVENT_TYPES.values()), key=str), ids=str)
def test_written_and_read_again(kind: type[Event]) -> None:
    """serialize then parse gives the same event, for all of them."""

    @given(structs(kind))
    def check(event: Event) -> None:
        name, data = serialize_event(event)
        assert "\n" not in data
        event_id = event.event_id if isinstance(event, PresentationFrame) else ""
        assert parse_event(name, data, event_id) == event

    check()


@given(st.sampled_from([*EVENT_TYPES, "", "x"]), st.text() | st.from_regex(r'[\[{"a-z:,\]}0-9]{0,20}'), st.text())
def test_any_text(name: str, data: str, event_id: str) -> None:
    """Any text is an event or a RemoteProtocolError."""
    with suppress(RemoteProtocolError):
        parse_event(name, data, event_id)


def test_floor_revoked_and_names_with_anything() -> None:
    """Empty fields mean a revoked floor; names may hold markup, newlines and control characters."""
    assert parse_event("presentation_start", '{"presenter_uuid":""}') == PresentationStart()
    name = "<b>\n\r\x00../é\u2028"
    event = MessageReceived(origin=name, payload=name)
    assert parse_event(*serialize_event(event)) == event
    assert Stage(entries=[]) == parse_event("stage", "[]")
    assert Participant(uuid=ParticipantUuid(name)).uuid == name
