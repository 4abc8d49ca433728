"""A room on its own, with a clock that stands still and names that count."""

from __future__ import annotations

import itertools

from pexrtc_py.protocol import events as ev
from pexrtc_py.protocol import models as m
from pexrtc_py.protocol.room import Command, Room, RoomCall
from pexrtc_py.protocol.room_admission import Newcomer
from pexrtc_py.protocol.room_effects import Effect, Outcome
from pexrtc_py.protocol.room_settings import RoomSettings

__all__ = ["RoomWorld"]

EPOCH = 1_700_000_000.0


class RoomWorld:
    """A room, and all it has said since it was last asked."""

    def __init__(self, settings: RoomSettings | None = None) -> None:
        counter = itertools.count(1)
        self.room = Room(
            settings or RoomSettings(alias="meet.alice", pin="1234"),
            draw_uuid=lambda: f"id-{next(counter)}",
            epoch=EPOCH,
        )
        self.now = 0.0
        self._told: list[tuple[m.ParticipantUuid, ev.Event]] = []
        self._effects: list[Effect] = []

    def take(self, outcome: Outcome) -> Outcome:
        """Note what an outcome says."""
        self._told += [(d.recipient, d.event) for d in outcome.deliveries]
        self._effects += outcome.effects
        return outcome

    def join(self, name: str = "Host", role: m.Role = m.Role.HOST, *, media: bool = True) -> m.ParticipantUuid:
        """Let one in, with media unless told otherwise."""
        outcome = self.take(self.room.join(Newcomer(display_name=name, role=role), self.now))
        assert isinstance(outcome.result, m.Participant), outcome
        if media:
            self.call(outcome.result.uuid)
        return outcome.result.uuid

    def guest(self, name: str = "Guest", *, media: bool = True) -> m.ParticipantUuid:
        """Let a Guest in."""
        return self.join(name, m.Role.GUEST, media=media)

    def call(self, who: m.ParticipantUuid, present: m.Present | None = None, *, video: bool = True) -> m.CallUuid:
        """Make a call."""
        call = RoomCall(uuid=self.room.draw_call(), present=present, has_audio=True, has_video=video)
        self.take(self.room.handle_call(who, call, self.now))
        return call.uuid

    def ask(
        self,
        operation: str,
        actor: m.ParticipantUuid,
        target: m.ParticipantUuid | None = None,
        body: m.Body | None = None,
        query: m.Body | None = None,
    ) -> Outcome:
        """Call an operation."""
        command = Command(operation=operation, actor=actor, target=target, body=body, query=query)
        return self.take(self.room.handle(command, self.now))

    def do(
        self,
        operation: str,
        actor: m.ParticipantUuid,
        target: m.ParticipantUuid | None = None,
        body: m.Body | None = None,
    ) -> object:
        """Call an operation that is not refused, return its result."""
        outcome = self.ask(operation, actor, target, body)
        assert outcome.status == 200, outcome
        return outcome.result

    def pass_time(self, seconds: float) -> None:
        """Let time pass, timers included."""
        self.now += seconds
        while (due := self.room.next_timer()) is not None and due <= self.now:
            self.take(self.room.handle_timer(self.now))

    def told(self, who: m.ParticipantUuid) -> list[ev.Event]:
        """Return what one was told since this was last asked."""
        events = [event for recipient, event in self._told if recipient == who]
        self._told = [(recipient, event) for recipient, event in self._told if recipient != who]
        return events

    def effects(self) -> list[Effect]:
        """Return what was asked of the world since this was last asked."""
        effects, self._effects = self._effects, []
        return effects

    def __getitem__(self, who: m.ParticipantUuid) -> m.Participant:
        """Return a participant."""
        return self.room.participants[who]
