"""The authority over a conference: rights, waiting, muting, the end."""

from __future__ import annotations

import pytest

from pexrtc_py.protocol import events as ev
from pexrtc_py.protocol import models as m
from pexrtc_py.protocol.operations import OPERATIONS, Caller
from pexrtc_py.protocol.room import ROOM_OPERATIONS, Command, Room
from pexrtc_py.protocol.room_admission import Newcomer
from pexrtc_py.protocol.room_effects import DialOut, EndCall, EndParticipant, SetRights, SetStage
from pexrtc_py.protocol.room_members import MediaRights
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind

from ..support.room_world import EPOCH, RoomWorld

FOR_HOSTS = sorted(n for n in ROOM_OPERATIONS if OPERATIONS[n].caller is Caller.HOST)
FOR_ONESELF_OR_HOSTS = sorted(n for n in ROOM_OPERATIONS if OPERATIONS[n].caller is Caller.SELF_OR_HOST)
FOR_ONESELF = sorted(n for n in ROOM_OPERATIONS if OPERATIONS[n].caller is Caller.SELF)


@pytest.fixture
def world() -> RoomWorld:
    return RoomWorld()


@pytest.mark.parametrize("operation", FOR_HOSTS)
def test_guests_control_nothing(world: RoomWorld, operation: str) -> None:
    """Every operation for Hosts is refused to a Guest, to itself and to others, and changes nothing."""
    host, guest = world.join(), world.guest()
    world.told(host)
    for target in (host, guest):
        outcome = world.ask(operation, guest, target)
        assert (outcome.status, outcome.result) == (403, "Invalid role")
    assert world.told(host) == []


@pytest.mark.parametrize("operation", FOR_ONESELF_OR_HOSTS)
def test_guests_change_only_themselves(world: RoomWorld, operation: str) -> None:
    """An operation for oneself or Hosts is refused to a Guest about another."""
    host, guest = world.join(), world.guest()
    assert world.ask(operation, guest, host).status == 403
    assert world.ask(operation, guest, guest).status != 403


@pytest.mark.parametrize("operation", FOR_ONESELF)
def test_nobody_acts_for_another(world: RoomWorld, operation: str) -> None:
    """An operation of the participant itself is refused even to a Host."""
    host, guest = world.join(), world.guest()
    assert world.ask(operation, host, guest).status == 403
    assert world.ask(operation, host, host).status != 403


def test_a_waiting_host_controls_nothing() -> None:
    """One in the waiting room has no rights, not even where everybody is a Host."""
    world = RoomWorld(RoomSettings(alias="open"))
    inside = world.join()
    world.do("conference_lock", inside)
    waiting = world.join("Waiting")
    assert world[waiting].service_type is m.ServiceType.WAITING_ROOM
    assert world.ask("conference_unlock", waiting).status == 403
    assert world.ask("participant_unlock", waiting, waiting).status == 403


def test_strangers_are_refused(world: RoomWorld) -> None:
    """A command of one who has left is refused, and so is one about nobody."""
    host = world.join()
    stranger = m.ParticipantUuid("stranger")
    assert world.ask("participants", stranger).result == "Invalid token"
    assert world.ask("participant_mute", host, stranger).status == 404
    assert world.room.check(Command(operation="participant_mute", actor=stranger)) is not None


@pytest.mark.parametrize("operation", sorted(n for n in ROOM_OPERATIONS if OPERATIONS[n].body is not None))
def test_a_missing_body_is_refused(world: RoomWorld, operation: str) -> None:
    """An operation with a body is refused without one, unless it needs nothing of it."""
    host = world.join()
    outcome = world.ask(operation, host, host)
    assert outcome.status in (200, 400, 404)


def test_the_full_participant_object(world: RoomWorld) -> None:
    """A participant carries what strict clients demand, with Unix times."""
    host = world.join(media=False)
    assert world[host].service_type is m.ServiceType.CONFERENCE
    assert world[host].start_time == EPOCH
    assert (world[host].protocol, world[host].encryption, world[host].has_media) == ("api", "Off", False)
    world.call(host, video=False)
    assert (world[host].protocol, world[host].encryption, world[host].has_media) == ("api", "On", True)
    assert (world[host].is_audio_only_call, world[host].is_video_call) == ("YES", "NO")


def test_names_are_cut(world: RoomWorld) -> None:
    """An endless name is kept up to Infinity's own limit."""
    assert len(world[world.join("x" * 1000)].display_name) == 250


def test_muting(world: RoomWorld) -> None:
    """A Host mutes anybody; the media is told; a Guest unmutes itself only where it may."""
    host, guest = world.join(), world.guest()
    world.effects()
    world.do("participant_mute", host, guest)
    assert world[guest].muted
    muted = MediaRights(admitted=True, heard=False, presentation=True)
    assert world.effects() == [SetRights(participant=guest, rights=muted)]
    world.do("participant_unmute", guest, guest)
    assert not world[guest].muted
    world.do("set_guests_can_unmute", host, body=m.Setting(setting=False))
    world.do("participant_mute", guest, guest)
    assert world.ask("participant_unmute", guest, guest).status == 403
    world.do("participant_unmute", host, guest)
    assert not world[guest].muted


def test_muting_guests(world: RoomWorld) -> None:
    """Guests are muted, present and future ones, Hosts are not."""
    host, guest = world.join(), world.guest()
    world.do("muteguests", host)
    late = world.guest("Late")
    assert [world[p].muted for p in (host, guest, late)] == [False, True, True]
    status = world.do("conference_status", guest)
    assert isinstance(status, m.ConferenceStatus)
    assert status.guests_muted
    world.do("unmuteguests", host)
    assert [world[p].muted for p in (host, guest, late)] == [False, False, False]


def test_on_hold(world: RoomWorld) -> None:
    """One on hold is told, and not heard even when unmuted."""
    host, guest = world.join(), world.guest()
    world.told(guest)
    world.effects()
    world.do("participant_hold", host, guest)
    assert ev.OnHold(setting=True) in world.told(guest)
    world.do("participant_mute", host, guest)
    world.do("participant_unmute", host, guest)
    rights = [e.rights.heard for e in world.effects() if isinstance(e, SetRights)]
    assert rights == [False]
    world.do("participant_resume", host, guest)
    rights = [e.rights.heard for e in world.effects() if isinstance(e, SetRights)]
    assert rights == [True]


def test_the_stage_is_for_those_with_media(world: RoomWorld) -> None:
    """The stage follows calls: who has none is not on it, and the media shows the same order."""
    host, guest, watcher = world.join(), world.guest(), world.guest("Watcher", media=False)
    world.effects()
    world.take(world.room.handle_voice(guest, world.now, speaking=True))
    assert world.effects() == [SetStage(order=(guest, host))]
    stages = [e for e in world.told(watcher) if isinstance(e, ev.Stage)]
    assert [(e.participant_uuid, e.vad) for e in stages[-1].entries] == [(guest, 100), (host, 0)]
    world.take(world.room.handle_call_end(guest, next(iter(world.room.calls(guest))), world.now))
    assert world.effects() == [SetStage(order=(host,))]
    assert not world[guest].has_media


def test_spotlights(world: RoomWorld) -> None:
    """Spotlights are Unix times; the first spotlighted comes first; clearing brings voices back."""
    host, guest, other = world.join(), world.guest(), world.guest("Other")
    world.now = 10.0
    world.do("participant_spotlighton", host, other)
    assert world[other].spotlight == EPOCH + 10
    world.now = 20.0
    world.do("participant_spotlighton", host, guest)
    world.do("participant_spotlighton", host, other)
    assert world[other].spotlight == EPOCH + 10
    layouts = [e for e in world.told(host) if isinstance(e, ev.Layout)]
    assert layouts[-1].participants == [other]
    assert SetStage(order=(other, guest, host)) in world.effects()
    world.do("clearspotlights", host)
    assert world[other].spotlight == 0


def test_raised_hands(world: RoomWorld) -> None:
    """A hand is raised by oneself, lowered by a Host, all at once if need be."""
    host, guest = world.join(), world.guest()
    world.do("participant_buzz", guest, guest)
    assert world[guest].hand_raised
    world.do("participant_clearbuzz", host, guest)
    assert not world[guest].hand_raised
    world.do("participant_buzz", guest, guest)
    world.do("clearallbuzz", host)
    assert not world[guest].hand_raised


def test_roles(world: RoomWorld) -> None:
    """A Host makes a Guest a Host, with all rights, and the other way round."""
    host, guest = world.join(), world.guest()
    world.do("participant_role", host, guest, m.RoleRequest(role=m.ParticipantRole.CHAIR))
    world.do("participant_role", guest, host, m.RoleRequest(role=m.ParticipantRole.GUEST))
    assert world.ask("conference_lock", host).status == 403
    assert world.ask("participant_role", guest, host, m.RoleRequest(role=m.ParticipantRole.UNKNOWN)).status == 400


def test_layouts(world: RoomWorld) -> None:
    """A layout that exists is announced and shown, another is refused; an empty change resets."""
    host = world.join()
    world.told(host)
    change = m.TransformLayout(transforms=m.Transforms(layout="1:7", enable_overlay_text=True))
    world.do("transform_layout", host, body=change)
    (layout,) = (e for e in world.told(host) if isinstance(e, ev.Layout))
    assert (layout.view, layout.participants, layout.overlay_text_enabled) == ("1:7", [host], True)
    bad = m.TransformLayout(transforms=m.Transforms(layout="9:9"))
    assert world.ask("transform_layout", host, body=bad).result == "Illegal value"
    world.do("transform_layout", host, body=m.TransformLayout(transforms=m.Transforms(host_layout="4:0")))
    (layout,) = (e for e in world.told(host) if isinstance(e, ev.Layout))
    assert layout.view == "1:7"
    world.do("transform_layout", host, body=m.TransformLayout(transforms=m.Transforms()))
    (layout,) = (e for e in world.told(host) if isinstance(e, ev.Layout))
    assert (layout.view, layout.overlay_text_enabled) == ("1:0", False)
    names = world.do("available_layouts", host)
    assert isinstance(names, list)
    assert "1:7" in names
    annotated = world.ask("available_layouts", host, query=m.LayoutsQuery(annotate=True)).result
    assert isinstance(annotated, list)
    assert isinstance(annotated[0], m.AvailableLayout)


def test_texts(world: RoomWorld) -> None:
    """Overlay and message texts are kept and told."""
    host = world.join()
    world.do("participant_overlaytext", host, host, m.TextSetting(text="Chair"))
    assert world[host].overlay_text == "Chair"
    world.do("set_message_text", host, body=m.TextSetting(text="Coffee at ten"))
    assert world.do("get_message_text", host) == m.TextSetting(text="Coffee at ten")


def test_waiting_too_long(world: RoomWorld) -> None:
    """One whom nobody lets in is told why it goes."""
    guest = world.guest()
    assert world.room.next_timer() == 900
    world.pass_time(900)
    assert world.room.is_empty
    assert world.told(guest)[-1] == ev.Disconnect(
        reason="Timeout waiting for conference host to join or permit access to locked conference"
    )


def test_guests_left_alone(world: RoomWorld) -> None:
    """A minute after the last Host has left, Guests are sent home, unless a Host comes back."""
    host, guest = world.join(), world.guest()
    world.take(world.room.leave(host, "Call disconnected", world.now))
    world.pass_time(59)
    host = world.join()
    world.pass_time(10)
    assert world.room.next_timer() is None
    world.take(world.room.leave(host, "Call disconnected", world.now))
    world.pass_time(60)
    assert world.told(guest)[-1] == ev.Disconnect(reason="All conference hosts departed hosted conference")
    assert world.room.is_empty


def test_the_end_of_a_participant(world: RoomWorld) -> None:
    """One who is disconnected is told, its calls and its token end, the others see it go."""
    host, guest = world.join(), world.guest()
    (call,) = world.room.calls(guest)
    world.told(host)
    world.effects()
    world.do("participant_disconnect", host, guest)
    reason = "API initiated participant disconnect"
    assert world.told(guest)[-1] == ev.Disconnect(reason=reason)
    assert ev.ParticipantDelete(uuid=guest) in world.told(host)
    assert world.effects()[:2] == [EndCall(call=call), EndParticipant(participant=guest, reason=reason)]


def test_a_test_call() -> None:
    """Callers of a test call know nothing of each other, and it ends by itself."""
    world = RoomWorld(RoomSettings(alias="test", service_type=ServiceKind.TEST_CALL, test_call_s=20))
    one, two = world.join("One"), world.join("Two", media=False)
    assert world[one].service_type is m.ServiceType.TEST_CALL
    assert [p.uuid for p in world.room.visible_to(one)] == [one]
    assert world.ask("conference_message", one, body=m.Message(payload="hello?")).status == 403
    world.pass_time(10)
    world.call(two)
    world.pass_time(10)
    assert world.told(one)[-1] == ev.Disconnect(reason="Test call finished")
    assert list(world.room.participants) == [two]
    world.pass_time(10)
    assert world.room.is_empty


def test_ringing_ends(world: RoomWorld) -> None:
    """A dialled participant that does not answer within half a minute is gone."""
    host = world.join()
    request = m.DialRequest(role=m.Role.GUEST, destination="bob@example.com", protocol="sip")
    result = world.do("dial", host, body=request)
    assert isinstance(result, list)
    (uuid,) = result
    assert DialOut(participant=uuid, request=request) in world.effects()
    assert world[uuid].service_type is m.ServiceType.CONNECTING
    world.pass_time(30)
    assert uuid not in world.room.participants
    late = world.room.join(Newcomer(display_name="Bob", role=m.Role.GUEST, dialled=uuid), world.now)
    assert (late.status, late.result) == (403, "Invalid token")


@pytest.mark.parametrize(
    "change", [{"role": m.Role.UNKNOWN}, {"protocol": "pigeon"}, {"destination": ""}, {"keep_conference_alive": "?"}]
)
def test_dialling_nonsense(world: RoomWorld, change: dict[str, str]) -> None:
    """A request to dial that cannot be meant is refused, and nobody appears."""
    host = world.join()
    given: dict[str, str] = {"role": "HOST", "destination": "b", "protocol": "sip"}
    body = m.decode_model(m.encode_model(given | change), m.DialRequest)
    assert world.ask("dial", host, body=body).status == 400
    assert list(world.room.participants) == [host]


def test_a_recorder_alone_does_not_keep_a_conference(world: RoomWorld) -> None:
    """When only participants are left that keep nothing alive, the conference ends."""
    host = world.join()
    request = m.DialRequest(role=m.Role.GUEST, destination="rtmp://example.com", protocol="rtmp", streaming="yes")
    result = world.do("dial", host, body=request)
    assert isinstance(result, list)
    world.take(world.room.join(Newcomer(display_name="", role=m.Role.GUEST, dialled=result[0]), world.now))
    assert world[result[0]].is_streaming_conference
    world.take(world.room.leave(host, "Call disconnected", world.now))
    assert world.room.is_empty
    assert world.told(result[0])[-1] == ev.Disconnect(reason="No participants can keep conference alive")


def test_a_full_conference() -> None:
    """One more than the limit is refused, dialled ones included."""
    world = RoomWorld(RoomSettings(alias="small", participant_limit=1))
    host = world.join()
    outcome = world.room.join(Newcomer(display_name="Late", role=m.Role.HOST), world.now)
    assert (outcome.status, outcome.result) == (403, "Participant limit reached")
    request = m.DialRequest(role=m.Role.GUEST, destination="b", protocol="sip")
    assert world.ask("dial", host, body=request).status == 403


def test_transfer_to_nowhere() -> None:
    """A room that knows no other aliases transfers nobody."""
    room = Room(RoomSettings(alias="alone"), draw_uuid=lambda: "one")
    room.join(Newcomer(display_name="Host", role=m.Role.HOST), 0.0)
    one = m.ParticipantUuid("one")
    body = m.TransferRequest(conference_alias="meet.bob", role=m.ParticipantRole.GUEST)
    outcome = room.handle(Command(operation="participant_transfer", actor=one, target=one, body=body), 0.0)
    assert outcome.status == 404
