"""The presentation floor, and what passes between participants."""

from __future__ import annotations

import pytest

from pexrtc_py.protocol import events as ev
from pexrtc_py.protocol import models as m
from pexrtc_py.protocol.room import RoomCall
from pexrtc_py.protocol.room_effects import EndCall, PlayDigits, ReceiveDigits, SetFloor, SetRights
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.room_world import RoomWorld


@pytest.fixture
def world() -> RoomWorld:
    return RoomWorld()


def presentations(world: RoomWorld, who: m.ParticipantUuid) -> list[ev.Event]:
    """Return what one was told of presentations."""
    return [e for e in world.told(who) if isinstance(e, (ev.PresentationStart, ev.PresentationStop))]


def started(world: RoomWorld, presenter: m.ParticipantUuid) -> ev.PresentationStart:
    """Return how the start of a presentation is told."""
    participant = world[presenter]
    return ev.PresentationStart(
        presenter_name=participant.display_name, presenter_uri=participant.uri, presenter_uuid=presenter
    )


def test_everybody_else_is_told(world: RoomWorld) -> None:
    """A presentation is told to everybody inside but its presenter; the media forwards it."""
    host, guest = world.join(), world.guest()
    world.effects()
    world.do("participant_take_floor", guest, guest)
    assert world[guest].presenting
    assert presentations(world, host) == [started(world, guest)]
    assert presentations(world, guest) == []
    assert SetFloor(presenter=guest) in world.effects()
    world.do("participant_take_floor", guest, guest)
    assert presentations(world, host) == []
    world.do("participant_release_floor", guest, guest)
    assert presentations(world, host) == [ev.PresentationStop()]
    assert not world[guest].presenting
    assert SetFloor(presenter=None) in world.effects()


def test_who_has_not_the_floor_cannot_release_it(world: RoomWorld) -> None:
    """A loser's client releases what it has lost; that does not end the winner's presentation."""
    host, guest = world.join(), world.guest()
    world.do("participant_take_floor", guest, guest)
    world.do("participant_take_floor", host, host)
    world.do("participant_release_floor", guest, guest)
    assert world.room.presenter == host


def test_a_loser_that_may_not_receive(world: RoomWorld) -> None:
    """One that may not receive presentations learns by empty fields that it has lost the floor."""
    host, guest = world.join(), world.guest()
    world.do("participant_denyrxpresentation", host, guest)
    world.do("participant_take_floor", guest, guest)
    world.do("participant_take_floor", host, host)
    assert presentations(world, guest) == [ev.PresentationStart()]


def test_receive_policy(world: RoomWorld) -> None:
    """Denying takes a running presentation away, allowing gives it; the media is told both."""
    host, guest = world.join(), world.guest()
    world.do("participant_take_floor", host, host)
    assert presentations(world, guest) == [started(world, host)]
    world.effects()
    world.do("participant_denyrxpresentation", host, guest)
    assert presentations(world, guest) == [ev.PresentationStop()]
    world.do("participant_allowrxpresentation", host, guest)
    assert presentations(world, guest) == [started(world, host)]
    assert [e.rights.presentation for e in world.effects() if isinstance(e, SetRights)] == [False, True]


def test_a_stolen_call_is_ended(world: RoomWorld) -> None:
    """A presentation call that loses the floor is ended and its participant told, the main call goes on."""
    host, guest = world.join(), world.guest()
    call = world.call(guest, m.Present.SEND)
    assert world.room.presenter == guest
    world.effects()
    world.do("participant_take_floor", host, host)
    assert ev.CallDisconnected(call_uuid=call, reason="Call disconnected") in world.told(guest)
    assert EndCall(call=call) in world.effects()
    assert world[guest].has_media
    world.take(world.room.handle_call_end(guest, call, world.now))
    assert world.room.presenter == host


@pytest.mark.parametrize("way", ["call", "main call", "leave", "pictures"])
def test_the_floor_is_free_again(world: RoomWorld, way: str) -> None:
    """However a presenter goes, its presentation stops."""
    host, guest = world.join(), world.guest()
    (main,) = world.room.calls(guest)
    match way:
        case "call":
            call = world.call(guest, m.Present.SEND)
            world.take(world.room.handle_call_end(guest, call, world.now))
        case "main call":
            world.do("participant_take_floor", guest, guest)
            world.take(world.room.handle_call_end(guest, main, world.now, reason="Ice failure"))
        case "leave":
            world.do("participant_take_floor", guest, guest)
            world.take(world.room.leave(guest, "Call disconnected", world.now))
        case _:
            pictures = RoomCall(uuid=world.room.draw_call(), pictures=True)
            world.take(world.room.handle_call(guest, pictures, world.now))
            assert world.room.presenter == guest
            world.take(world.room.handle_call_end(guest, pictures.uuid, world.now))
    assert world.room.presenter is None
    assert presentations(world, host)[-1] == ev.PresentationStop()


def test_guests_that_may_not_present() -> None:
    """Where Guests may not present, the floor is refused to them by every way."""
    world = RoomWorld(RoomSettings(alias="lecture", pin="1", guests_can_present=False))
    world.join()
    guest = world.guest()
    assert world.ask("participant_take_floor", guest, guest).status == 403
    assert world.room.may_present(guest) is not None


def test_a_receive_call_changes_nothing(world: RoomWorld) -> None:
    """A call that only receives the presentation takes no floor and is no main media."""
    guest = world.join(media=False)
    world.call(guest, m.Present.RECEIVE)
    assert world.room.presenter is None
    assert not world[guest].has_media


def test_frames_go_to_those_who_receive(world: RoomWorld) -> None:
    """A new picture is announced to viewers, not to the presenter nor to one who may not receive."""
    host, guest, denied = world.join(), world.guest(), world.guest("Denied")
    world.do("participant_denyrxpresentation", host, denied)
    world.do("participant_take_floor", host, host)
    for who in (host, guest, denied):
        world.told(who)
    world.take(world.room.handle_presentation_frame(world.now))
    assert [world.told(who) for who in (host, guest, denied)] == [[], [ev.PresentationFrame(event_id="")], []]


def test_chat(world: RoomWorld) -> None:
    """Chat goes to everybody inside but its sender and those who wait."""
    host, guest = world.join(), world.guest()
    world.do("conference_lock", host)
    waiting = world.guest("Waiting")
    world.told(guest)
    world.told(waiting)
    assert world.do("conference_message", host, body=m.Message(payload="hello")) is True
    (message,) = world.told(guest)
    assert isinstance(message, ev.MessageReceived)
    assert (message.origin, message.payload, message.direct) == ("Host", "hello", False)
    assert world.told(waiting) == []
    assert not [e for e in world.told(host) if isinstance(e, ev.MessageReceived)]
    assert world.ask("participant_message", waiting, host, m.Message(payload="psst")).status == 404
    assert world.ask("conference_message", host, body=m.Message(payload="x" * 70_000)).status == 413


def test_chat_that_is_off() -> None:
    """Where chat is off it is refused."""
    world = RoomWorld(RoomSettings(alias="quiet", chat_enabled=False))
    assert world.ask("conference_message", world.join(), body=m.Message(payload="hello")).status == 403


def test_digits(world: RoomWorld) -> None:
    """One's own digits are for the conference, those for another are played to it."""
    host, guest = world.join(), world.guest()
    world.effects()
    world.do("participant_dtmf", guest, guest, m.DtmfRequest(digits="12#"))
    world.do("participant_dtmf", host, guest, m.DtmfRequest(digits="A"))
    assert world.effects() == [
        ReceiveDigits(participant=guest, digits="12#"),
        PlayDigits(participant=guest, digits="A"),
    ]
    assert world.ask("participant_dtmf", guest, guest, m.DtmfRequest(digits="1 2")).status == 400
    assert world.ask("call_dtmf", guest, guest, m.DtmfRequest(digits="1")).status == 404


def test_camera_control(world: RoomWorld) -> None:
    """Camera control reaches the participant of the path, or the one named in the body."""
    host, guest = world.join(), world.guest()
    world.told(host)
    world.told(guest)
    request = m.FeccRequest(action="start", movement=[m.FeccMovement(axis="pan", direction="left")], timeout=1000)
    world.do("participant_fecc", host, guest, request)
    assert world.told(guest) == [ev.Fecc(action="start", movement=request.movement, timeout=1000)]
    other = m.FeccRequest(action="stop", movement=[], target=host)
    world.do("participant_fecc", guest, guest, other)
    assert world.told(host) == [ev.Fecc(action="stop")]
