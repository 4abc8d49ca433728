"""Two ends of one wire: whatever commands a room takes, the roster folded from its events equals the room."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pexrtc_py.protocol import events as ev
from pexrtc_py.protocol import models as m
from pexrtc_py.protocol.operations import OPERATIONS
from pexrtc_py.protocol.room import ROOM_OPERATIONS, Command, Room, RoomCall
from pexrtc_py.protocol.room_admission import Newcomer
from pexrtc_py.protocol.room_effects import EndParticipant, Outcome
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from pexrtc_py.protocol.roster import Roster

BODIES: dict[type[m.Body], st.SearchStrategy[m.Body]] = {
    m.DialRequest: st.builds(
        m.DialRequest,
        role=st.sampled_from(m.Role),
        destination=st.sampled_from(["bob@example.com", ""]),
        protocol=st.sampled_from(["sip", "auto", "pigeon"]),
        streaming=st.sampled_from([None, "yes"]),
        keep_conference_alive=st.sampled_from([None, "keep_conference_alive_if_multiple", "never ever"]),
    ),
    m.Message: st.builds(m.Message, payload=st.text(max_size=5)),
    m.Setting: st.builds(m.Setting, setting=st.booleans()),
    m.StateSetting: st.builds(m.StateSetting, state=st.booleans()),
    m.TextSetting: st.builds(m.TextSetting, text=st.text(max_size=5)),
    m.DtmfRequest: st.builds(m.DtmfRequest, digits=st.sampled_from(["1#", "x", ""])),
    m.RoleRequest: st.builds(m.RoleRequest, role=st.sampled_from(m.ParticipantRole)),
    m.TransferRequest: st.builds(
        m.TransferRequest, conference_alias=st.sampled_from(["meet.bob", "nowhere"]), pin=st.sampled_from([None, "9"])
    ),
    m.FloorRequest: st.just(m.FloorRequest()),
    m.AspectRatio: st.just(m.AspectRatio(aspect_ratio=1.5)),
    m.FeccRequest: st.just(m.FeccRequest(action="start", movement=[])),
    m.TransformLayout: st.builds(
        m.TransformLayout,
        transforms=st.builds(m.Transforms, layout=st.sampled_from([None, "1:7", "9:9"]), enable_overlay_text=st.none()),
    ),
    m.Transforms: st.builds(m.Transforms, layout=st.sampled_from([None, "1:0", "4:0"])),
}

OPERATION_NAMES = st.sampled_from(sorted(ROOM_OPERATIONS))
INDEX = st.integers(0, 5)


class World:
    """A room, and a client at each participant that has folded every event it was sent."""

    def __init__(self, room_settings: RoomSettings) -> None:
        counter = itertools.count(1)
        self.room = Room(
            room_settings,
            draw_uuid=lambda: f"id-{next(counter)}",
            epoch=1.7e9,
            find=lambda alias: RoomSettings(alias=alias, pin="9") if alias == "meet.bob" else None,
        )
        self.rosters: dict[m.ParticipantUuid, Roster] = {}
        self.now = 0.0

    def take(self, outcome: Outcome) -> None:
        for delivery in outcome.deliveries:
            if roster := self.rosters.get(delivery.recipient):
                name, data = ev.serialize_event(delivery.event)
                roster.apply(ev.parse_event(name, data, "id"))
        for effect in outcome.effects:
            if isinstance(effect, EndParticipant):
                self.rosters.pop(effect.participant, None)

    def join(self, role: m.Role) -> None:
        outcome = self.room.join(Newcomer(display_name="x", role=role), self.now)
        self.take(outcome)
        if isinstance(outcome.result, m.Participant):
            roster = self.rosters[outcome.result.uuid] = Roster()
            for event in self.room.sync(outcome.result.uuid):
                roster.apply(event)

    def somebody(self, index: int) -> m.ParticipantUuid:
        people = list(self.room.participants)
        return people[index % len(people)] if people else m.ParticipantUuid("nobody")

    def check(self) -> None:
        for viewer, roster in self.rosters.items():
            visible = {p.uuid: p for p in self.room.visible_to(viewer)}
            assert dict(roster.participants) == visible
            fresh = Roster()
            for event in self.room.sync(viewer):
                fresh.apply(event)
            assert roster.conference == fresh.conference
            assert roster.stage == fresh.stage
            assert roster.layout == fresh.layout
            assert roster.presentation == fresh.presentation
        on_stage = [p.uuid for p in self.room.participants.values() if p.in_conference and p.has_media]
        for viewer, roster in self.rosters.items():
            if self.room.participants[viewer].in_conference:
                seen = [] if self.room.settings.service_type is ServiceKind.TEST_CALL else sorted(on_stage)
                assert sorted(e.participant_uuid for e in roster.stage) == seen
        presenting = [p.uuid for p in self.room.participants.values() if p.presenting]
        assert presenting == ([] if self.room.presenter is None else [self.room.presenter])


Step = Callable[[World], None]


def _command(operation: str, actor: int, target: int, body: m.Body | None) -> Step:
    def step(world: World) -> None:
        who = world.somebody(actor)
        calls = list(world.room.calls(who))
        command = Command(
            operation=operation,
            actor=who,
            target=world.somebody(target),
            call=calls[0] if calls else m.CallUuid("none"),
            body=body,
        )
        outcome = world.room.handle(command, world.now)
        if outcome.status == 200:
            expected = OPERATIONS[operation].result
            msgspec.convert(msgspec.to_builtins(outcome.result), expected)
        else:
            assert isinstance(outcome.result, str)
        world.take(outcome)

    return step


@st.composite
def commands(draw: st.DrawFn) -> Step:
    operation = draw(OPERATION_NAMES)
    model = OPERATIONS[operation].body
    body = None if model is None else draw(BODIES[model])
    return _command(operation, draw(INDEX), draw(INDEX), body)


def _join(role: m.Role) -> Step:
    return lambda world: world.join(role)


def _call(who: int, present: m.Present | None, *, pictures: bool) -> Step:
    def step(world: World) -> None:
        uuid = world.somebody(who)
        presents = pictures or present is m.Present.SEND
        if uuid in world.room.participants and not (presents and world.room.may_present(uuid)):
            call = RoomCall(
                uuid=world.room.draw_call(), present=present, has_audio=True, has_video=who % 2 == 0, pictures=pictures
            )
            world.take(world.room.handle_call(uuid, call, world.now))

    return step


def _end_call(who: int) -> Step:
    def step(world: World) -> None:
        uuid = world.somebody(who)
        for call in list(world.room.calls(uuid))[:1]:
            world.take(world.room.handle_call_end(uuid, call, world.now))

    return step


def _voice(who: int, *, speaking: bool) -> Step:
    return lambda world: world.take(world.room.handle_voice(world.somebody(who), world.now, speaking=speaking))


def _pass_time(seconds: float) -> Step:
    def step(world: World) -> None:
        world.now += seconds
        for _ in range(1000):
            due = world.room.next_timer()
            if due is None or due > world.now:
                return
            world.take(world.room.handle_timer(world.now))
        raise AssertionError("a timer that never rests")

    return step


def _leave(who: int) -> Step:
    return lambda world: world.take(world.room.leave(world.somebody(who), "Call disconnected", world.now))


STEPS = st.one_of(
    commands(),
    commands(),
    commands(),
    st.builds(_join, st.sampled_from([m.Role.HOST, m.Role.GUEST])),
    st.builds(_call, INDEX, st.sampled_from([None, m.Present.SEND, m.Present.MAIN]), pictures=st.booleans()),
    st.builds(_end_call, INDEX),
    st.builds(_voice, INDEX, speaking=st.booleans()),
    st.builds(_pass_time, st.sampled_from([0.1, 1.0, 31.0, 1000.0])),
    st.builds(_leave, INDEX),
)

SETTINGS = st.sampled_from(
    [
        RoomSettings(alias="meet.alice"),
        RoomSettings(alias="meet.alice", pin="1", participant_limit=4),
        RoomSettings(alias="meet.alice", pin="1", guests_can_present=False, mute_guests=True),
        RoomSettings(alias="test", service_type=ServiceKind.TEST_CALL),
    ]
)


@settings(deadline=None)
@given(SETTINGS, st.lists(STEPS, max_size=30))
def test_the_folded_roster_equals_the_room(room_settings: RoomSettings, steps: list[Step]) -> None:
    """Every participant knows exactly what it may know, after every command, call, voice and timer."""
    world = World(room_settings)
    world.join(m.Role.HOST)
    world.join(m.Role.GUEST)
    world.check()
    for step in steps:
        step(world)
        world.check()
