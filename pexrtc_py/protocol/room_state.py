"""The state of a conference, and the one rule by which it becomes events.

Commands change the state through the methods here and never write events of state themselves: `finish` compares what
each participant was last told with what holds now and sends the difference. So the events always add up to the state,
whatever the command was. What is no state (chat, refer, disconnect) is sent by `send`.

What is told whom: one in the waiting room, and everybody in a test call, knows only itself; all others know all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from . import events as ev
from .layout import LAYOUTS
from .models import (
    CallUuid,
    ConferenceStatus,
    Participant,
    ParticipantUuid,
    ServiceType,
    Transforms,
)
from .room_effects import Delivery, Effect, EndCall, EndParticipant, Outcome, SetFloor, SetRights, SetStage, SetView
from .room_members import Attendance, Command, KeepAlive, MediaRights, Refusal
from .room_settings import RoomSettings, ServiceKind
from .stage import Stage

__all__ = ["Handler", "RoomState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a participant was last told besides the roster."""

    inside: bool
    presenter: ParticipantUuid | None
    stage: ev.Stage
    layout: ev.Layout


class RoomState:
    """Participants, floor, stage and switches of one conference."""

    def __init__(self, settings: RoomSettings, *, epoch: float, draw_uuid: Callable[[], str]) -> None:
        self.settings = settings
        self.draw_uuid = draw_uuid
        self.participants: dict[ParticipantUuid, Participant] = {}
        self.attendance: dict[ParticipantUuid, Attendance] = {}
        self.stage = Stage()
        self.presenter: ParticipantUuid | None = None
        self.floor_call: CallUuid | None = None
        self.locked = False
        self.started = False
        self.guests_muted = settings.mute_guests
        self.guests_can_unmute = settings.guests_can_unmute
        self.message_text = ""
        self.transforms = Transforms()
        self.guests_alone_since: float | None = None
        self._epoch = epoch
        self._told: dict[ParticipantUuid, _Told] = {}
        self._removed: list[ParticipantUuid] = []
        self._deliveries: list[Delivery] = []
        self._effects: list[Effect] = []
        self._last_status = self.status
        self._last_order: tuple[ParticipantUuid, ...] = ()
        self._last_floor: ParticipantUuid | None = None
        self._last_view = self.view

    # What holds

    @property
    def status(self) -> ConferenceStatus:
        """The switches, as conference_status answers them."""
        return ConferenceStatus(
            locked=self.locked,
            guests_muted=self.guests_muted,
            all_muted=False,
            started=self.started,
            direct_media=False,
            presentation_allowed=True,
            guests_can_present=self.settings.guests_can_present,
            guests_can_unmute=self.guests_can_unmute,
            chat_enabled=self.settings.chat_enabled,
            live_captions_available=False,
            breakout_rooms=False,
            message_text=self.message_text,
        )

    @property
    def view(self) -> str:
        """The layout in force."""
        return self.transforms.layout or self.settings.layout

    def get(self, uuid: ParticipantUuid | None) -> Participant:
        """Return a participant.

        Raises:
            Refusal: there is none of this name.
        """
        participant = None if uuid is None else self.participants.get(uuid)
        if participant is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "Participant not found")
        return participant

    def wall(self, now: float) -> float:
        """Return the Unix time of a moment."""
        return self._epoch + now

    def sees_others(self, viewer: ParticipantUuid) -> bool:
        """Whether one is told of anybody but itself."""
        return self.settings.service_type is not ServiceKind.TEST_CALL and self.participants[viewer].in_conference

    def visible_to(self, viewer: ParticipantUuid) -> list[Participant]:
        """Return the participants one is told of, itself included, in the order they came."""
        if self.sees_others(viewer):
            return list(self.participants.values())
        return [self.participants[viewer]]

    def presenter_shown_to(self, viewer: ParticipantUuid) -> ParticipantUuid | None:
        """Return whose presentation one receives, None when none: never one's own."""
        if self.presenter == viewer or not self.sees_others(viewer):
            return None
        return self.presenter if self.participants[viewer].may_receive_presentation else None

    def sync(self, viewer: ParticipantUuid) -> list[ev.Event]:
        """Return what an event stream begins with, in the order of real nodes."""
        told = self._tell(viewer, self._stage_event(), self.stage.order)
        presentation = [] if told.presenter is None else [self._presentation_start(told.presenter)]
        return [
            ev.ParticipantSyncBegin(),
            *(ev.ParticipantCreate(participant=p) for p in self.visible_to(viewer)),
            ev.ParticipantSyncEnd(),
            ev.ConferenceUpdate(status=self.status),
            told.layout,
            told.stage,
            *presentation,
        ]

    # What changes

    def add(self, participant: Participant, attendance: Attendance) -> None:
        """Let a participant be there."""
        self.participants[participant.uuid] = participant
        self.attendance[participant.uuid] = attendance

    def update(self, uuid: ParticipantUuid, **changes: object) -> Participant:
        """Change fields of a participant; what is the same already is no change."""
        old = self.participants[uuid]
        new = msgspec.structs.replace(old, **changes)
        if new != old:
            self.participants[uuid] = new
            self.attendance[uuid].changed = True
        return new

    def remove(self, uuid: ParticipantUuid, reason: str, *, tell: bool = True) -> None:
        """End a participant: its calls, its floor, its place on the stage, its token.

        Args:
            uuid: who; one who is not there is ignored.
            reason: one of the strings that Pexip's client knows.
            tell: whether it is sent `disconnect`; one who leaves by itself is not.
        """
        if self.participants.pop(uuid, None) is None:
            return
        attendance = self.attendance.pop(uuid)
        if self.presenter == uuid:
            self.presenter = self.floor_call = None
        self.stage.remove(uuid)
        if tell:
            self.send(uuid, ev.Disconnect(reason=reason))
        for call in attendance.calls.values():
            self.effect(EndCall(call=call.uuid))
        self.effect(EndParticipant(participant=uuid, reason=reason))
        self._told.pop(uuid, None)
        if attendance.announced:
            self._removed.append(uuid)

    def remove_all(self, reason: str) -> None:
        """End everybody."""
        for uuid in list(self.participants):
            self.remove(uuid, reason)

    def send(self, recipient: ParticipantUuid, event: ev.Event) -> None:
        """Send what is no state to one participant."""
        self._deliveries.append(Delivery(recipient=recipient, event=event))

    def effect(self, effect: Effect) -> None:
        """Ask something of the world."""
        self._effects.append(effect)

    # What follows

    def finish(self, now: float, *, result: object = None, status: int = HTTPStatus.OK) -> Outcome:
        """Admit whom nothing holds any more, tell everybody what is new to them, and return all that follows."""
        if self._removed and self.participants and not self._is_kept_alive():
            self.remove_all("No participants can keep conference alive")
        self._admit_waiting()
        self._watch_guests_alone(now)
        self._cast_stage()
        self._tell_roster()
        self._tell_state()
        self._direct_media()
        outcome = Outcome(
            result=result, status=status, deliveries=tuple(self._deliveries), effects=tuple(self._effects)
        )
        self._deliveries.clear()
        self._effects.clear()
        return outcome

    def holds(self, participant: Participant, attendance: Attendance) -> bool:
        """Whether one who comes now, or who waits, is to wait: for a Host, or to be let in when locked.

        Hosts come into a locked conference by their PIN; where there is none, all are Hosts and all wait.
        """
        if attendance.let_in:
            return False
        if self.locked and (not participant.is_host or self.settings.pin is None):
            return True
        return not participant.is_host and not self.started

    def _admit_waiting(self) -> None:
        for uuid, attendance in self.attendance.items():
            if attendance.waiting_since is not None and not self.holds(self.participants[uuid], attendance):
                attendance.waiting_since = None
                self.update(uuid, service_type=ServiceType(self.settings.service_type))

    def _watch_guests_alone(self, now: float) -> None:
        """Note when the last Host of a hosted conference has left its Guests."""
        inside = [p for p in self.participants.values() if p.in_conference]
        alone = bool(inside) and self.settings.pin is not None and not any(p.is_host for p in inside)
        if not alone:
            self.guests_alone_since = None
        elif self.guests_alone_since is None:
            self.guests_alone_since = now

    def _is_kept_alive(self) -> bool:
        people = [(p, self.attendance[uuid].keep_alive) for uuid, p in self.participants.items()]
        if any(keep is KeepAlive.ALWAYS for _, keep in people):
            return True
        several = [p for p, keep in people if keep is KeepAlive.IF_MULTIPLE]
        return len(several) > 1 and any(p.is_host for p in several)

    def _cast_stage(self) -> None:
        """Put on stage who is inside with main media, and only those."""
        for uuid, participant in self.participants.items():
            if participant.in_conference and participant.has_media:
                self.stage.add(uuid)
                self.stage.set_spotlight(uuid, participant.spotlight or None)
            else:
                self.stage.remove(uuid)

    def _tell_roster(self) -> None:
        created = [uuid for uuid, a in self.attendance.items() if not a.announced]
        updated = [uuid for uuid, a in self.attendance.items() if a.announced and a.changed]
        people = self.participants
        creations = {uuid: ev.ParticipantCreate(participant=people[uuid]) for uuid in created}
        updates = {uuid: ev.ParticipantUpdate(participant=people[uuid]) for uuid in updated}
        news: list[ev.Event] = [ev.ParticipantDelete(uuid=uuid) for uuid in self._removed]
        news += [*updates.values(), *creations.values()]
        for viewer in people:
            told = self._told.get(viewer)
            if told is None:
                continue  # has just come: its event stream begins with everything
            if not self.sees_others(viewer):
                if viewer in updates:
                    self.send(viewer, updates[viewer])
                continue
            if not told.inside:  # is let in: everybody else is new to it
                self.send(viewer, ev.ParticipantUpdate(participant=people[viewer]))
                for uuid, participant in people.items():
                    if uuid != viewer:
                        self.send(viewer, ev.ParticipantCreate(participant=participant))
                continue
            for event in news:
                self.send(viewer, event)
        for uuid in (*created, *updated):
            self.attendance[uuid].announced = True
            self.attendance[uuid].changed = False
        self._removed.clear()

    def _tell_state(self) -> None:
        status = self.status
        stage = self._stage_event()
        order = self.stage.order
        for viewer in self.participants:
            new = self._tell(viewer, stage, order)
            old = self._told.get(viewer)
            self._told[viewer] = new
            if old is None:
                continue
            if status != self._last_status:
                self.send(viewer, ev.ConferenceUpdate(status=status))
            if new.layout != old.layout:
                self.send(viewer, new.layout)
            if new.stage != old.stage:
                self.send(viewer, new.stage)
            if new.presenter != old.presenter:
                self.send(
                    viewer,
                    ev.PresentationStop() if new.presenter is None else self._presentation_start(new.presenter),
                )
        self._last_status = status

    def _direct_media(self) -> None:
        for uuid, participant in self.participants.items():
            rights = MediaRights(
                admitted=participant.in_conference,
                heard=not participant.muted and not participant.is_on_hold,
                presentation=participant.may_receive_presentation,
            )
            if rights != self.attendance[uuid].rights:
                self.attendance[uuid].rights = rights
                self.effect(SetRights(participant=uuid, rights=rights))
        if (order := self.stage.order) != self._last_order:
            self._last_order = order
            self.effect(SetStage(order=order))
        if self.view != self._last_view:
            self._last_view = self.view
            self.effect(SetView(view=self.view))
        if self.presenter != self._last_floor:
            self._last_floor = self.presenter
            self.effect(SetFloor(presenter=self.presenter))

    def _tell(self, viewer: ParticipantUuid, stage: ev.Stage, order: tuple[ParticipantUuid, ...]) -> _Told:
        inside = self.sees_others(viewer)
        layout = LAYOUTS[self.view]
        chair = self.transforms.host_layout or self.view
        guest = self.transforms.guest_layout or self.view
        return _Told(
            inside=inside,
            presenter=self.presenter_shown_to(viewer),
            stage=stage if inside else ev.Stage(entries=[]),
            layout=ev.Layout(
                view=layout.view,
                participants=list(layout.seen_by(viewer, order)) if inside else [],
                requested_layout=ev.RequestedLayout(
                    primary_screen=ev.ScreenLayouts(chair_layout=chair, guest_layout=guest)
                ),
                overlay_text_enabled=bool(self.transforms.enable_overlay_text),
                pres_slot_coords=None,
            ),
        )

    def _stage_event(self) -> ev.Stage:
        return ev.Stage(
            entries=[
                ev.StageEntry(participant_uuid=p.participant, stage_index=p.index, vad=100 if p.speaking else 0)
                for p in self.stage.positions
            ]
        )

    def _presentation_start(self, presenter: ParticipantUuid) -> ev.PresentationStart:
        participant = self.participants[presenter]
        return ev.PresentationStart(
            presenter_name=participant.display_name,
            presenter_uri=participant.uri,
            presenter_uuid=presenter,
        )


Handler = Callable[[RoomState, Command, float], object]
"""What carries out an operation: changes the state and returns the result, or raises `Refusal` before any change."""
