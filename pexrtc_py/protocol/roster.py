"""The client's view of a conference, folded from its events.

The rule kept here: while the list is told anew (sync begin to sync end) nobody vanishes; who was not told again has
left at its end. So a view that missed any number of events is right again after one sync. `protocol/room.py` is the
other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from ..errors import RemoteProtocolError
from .events import (
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
from .models_base import UNSET, ParticipantUuid, encode_model
from .models_conference import ConferenceStatus
from .models_participant import Participant

__all__ = ["MAX_BREAKOUTS", "MAX_BYTES", "MAX_PARTICIPANTS", "Breakout", "Roster", "RosterChange"]

MAX_PARTICIPANTS = 20_000
"""Far above what a Pexip conference holds; a node that tells of more would only fill our memory."""

MAX_BYTES = 64 * 1024 * 1024
"""Likewise, of all of them as JSON: each is told by an event, which may have a MiB."""

MAX_BREAKOUTS = 1000
"""Likewise, of breakouts of one conference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterChange:
    """What an event did to the list of participants."""

    joined: tuple[Participant, ...] = ()
    """Who is new."""
    updated: tuple[Participant, ...] = ()
    """Who is different, as they are now."""
    left: tuple[Participant, ...] = ()
    """Who is gone, as they were."""

    def __bool__(self) -> bool:
        return bool(self.joined or self.updated or self.left)


_NOTHING = RosterChange()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakout:
    """A breakout as those outside who may look into it see it: Hosts of the main conference."""

    uuid: str
    """Which one."""
    participant_uuid: ParticipantUuid
    """Who we are in it."""
    roster: Roster
    """Who is in it and how it is set, live."""


class Roster:
    """Who is in the conference, who speaks, who presents, and how the conference is set.

    `apply` drives it; everything else reads.
    """

    def __init__(self) -> None:
        self._participants: dict[ParticipantUuid, Participant] = {}
        self._sizes: dict[ParticipantUuid, int] = {}
        self._size = 0
        self._untold: set[ParticipantUuid] | None = None
        self._synced = False
        self._conference = ConferenceStatus()
        self._stage: tuple[StageEntry, ...] = ()
        self._layout: Layout | None = None
        self._presentation: PresentationStart | None = None
        self._breakouts: dict[str, Breakout] = {}

    @property
    def participants(self) -> Mapping[ParticipantUuid, Participant]:
        """Everybody by UUID, a live view."""
        return MappingProxyType(self._participants)

    @property
    def synced(self) -> bool:
        """Whether the complete list has been told at least once, and is not just being told anew."""
        return self._synced and self._untold is None

    @property
    def conference(self) -> ConferenceStatus:
        """How the conference is set."""
        return self._conference

    @property
    def stage(self) -> tuple[StageEntry, ...]:
        """The order of speakers, latest first."""
        return self._stage

    @property
    def speaking(self) -> tuple[Participant, ...]:
        """Who speaks now, in the order of the stage."""
        entries = (entry for entry in self._stage if entry.speaking)
        found = (self._participants.get(entry.participant_uuid) for entry in entries)
        return tuple(participant for participant in found if participant is not None)

    @property
    def layout(self) -> Layout | None:
        """The layout we are shown, once told."""
        return self._layout

    @property
    def presentation(self) -> PresentationStart | None:
        """The presentation others give; None while there is none. Our own is never told."""
        return self._presentation

    @property
    def breakouts(self) -> Mapping[str, Breakout]:
        """The breakouts we may look into, by UUID, a live view."""
        return MappingProxyType(self._breakouts)

    @property
    def presenter(self) -> ParticipantUuid | None:
        """Who presents, ourselves included."""
        if self._presentation is not None and self._presentation.presenter_uuid:
            return self._presentation.presenter_uuid
        return next((uuid for uuid, participant in self._participants.items() if participant.presenting), None)

    def apply(self, event: Event) -> RosterChange:
        """Fold one event in and say what it changed of the list.

        Raises:
            RemoteProtocolError: the node tells of more participants than any conference has, or of more about them.
        """
        change = _NOTHING
        if isinstance(event, (ParticipantCreate, ParticipantUpdate)):
            change = self._put(event.participant)
        elif isinstance(event, ParticipantDelete):
            change = self._remove([event.uuid])
        elif isinstance(event, ParticipantSyncBegin):
            self._untold = set(self._participants)
        elif isinstance(event, ParticipantSyncEnd):
            change = self._finish_sync()
        elif isinstance(event, ConferenceUpdate):
            self._conference = _merged(self._conference, event.status)
        elif isinstance(event, Stage):
            self._stage = tuple(sorted(event.entries, key=lambda entry: entry.stage_index))
        elif isinstance(event, Layout):
            self._layout = event
        elif isinstance(event, PresentationStart):
            # All fields empty means "floor revoked" to real clients.
            self._presentation = event if event.presenter_uuid or event.presenter_name or event.presenter_uri else None
        elif isinstance(event, PresentationStop):
            self._presentation = None
        elif isinstance(event, BreakoutBegin):
            self._begin(event)
        elif isinstance(event, BreakoutEnd):
            self._breakouts.pop(event.breakout_uuid, None)
        elif isinstance(event, BreakoutEvent):
            self._look_into(event)
        return change

    def _begin(self, event: BreakoutBegin) -> None:
        known = self._breakouts.get(event.breakout_uuid)
        if known is None and len(self._breakouts) >= MAX_BREAKOUTS:
            raise RemoteProtocolError(f"roster: more than {MAX_BREAKOUTS} breakouts")
        # One that is told of again, after a cut, goes on with what is known of it.
        roster = Roster() if known is None else known.roster
        uuid = event.breakout_uuid
        self._breakouts[uuid] = Breakout(uuid=uuid, participant_uuid=event.participant_uuid, roster=roster)

    def _look_into(self, event: BreakoutEvent) -> None:
        """Fold what happens inside a breakout; what cannot be read there is passed over, as events outside are."""
        if (inside := self._breakouts.get(event.breakout_uuid)) is None:
            return
        try:
            inner = parse_event(event.event, encode_model(event.data).decode(), event.id or "")
        except RemoteProtocolError:
            return
        if isinstance(inner, BreakoutBegin | BreakoutEnd | BreakoutEvent):
            return
        inside.roster.apply(inner)
        if sum(len(each.roster.participants) for each in self._breakouts.values()) > MAX_PARTICIPANTS:
            raise RemoteProtocolError(f"roster: more than {MAX_PARTICIPANTS} participants in breakouts")
        if sum(each.roster._size for each in self._breakouts.values()) > MAX_BYTES:
            raise RemoteProtocolError(f"roster: participants of more than {MAX_BYTES} bytes in breakouts")

    def _put(self, participant: Participant) -> RosterChange:
        if self._untold is not None:
            self._untold.discard(participant.uuid)
        before = self._participants.get(participant.uuid)
        if before is None and len(self._participants) >= MAX_PARTICIPANTS:
            raise RemoteProtocolError(f"roster: more than {MAX_PARTICIPANTS} participants")
        size = len(encode_model(participant))
        whole = self._size + size - self._sizes.get(participant.uuid, 0)
        if whole > MAX_BYTES:
            raise RemoteProtocolError(f"roster: participants of more than {MAX_BYTES} bytes")
        self._size, self._sizes[participant.uuid] = whole, size
        self._participants[participant.uuid] = participant
        if before is None:
            return RosterChange(joined=(participant,))
        return _NOTHING if before == participant else RosterChange(updated=(participant,))

    def _remove(self, uuids: list[ParticipantUuid]) -> RosterChange:
        left = [self._participants.pop(uuid) for uuid in uuids if uuid in self._participants]
        self._size -= sum(self._sizes.pop(participant.uuid) for participant in left)
        if self._untold is not None:
            self._untold.difference_update(uuids)
        if self._presentation is not None and self._presentation.presenter_uuid in uuids:
            self._presentation = None
        return RosterChange(left=tuple(left)) if left else _NOTHING

    def _finish_sync(self) -> RosterChange:
        gone = [uuid for uuid in self._participants if uuid in (self._untold or ())]
        self._untold = None
        self._synced = True
        change = self._remove(gone)
        if self._presentation is not None:
            # A stop may have been missed; a presentation still running is told again right after the sync.
            presenter = self._participants.get(self._presentation.presenter_uuid)
            if presenter is None or not presenter.presenting:
                self._presentation = None
        return change


def _merged(before: ConferenceStatus, after: ConferenceStatus) -> ConferenceStatus:
    """What a node leaves out of an update stays as it was."""
    told = {name: getattr(after, name) for name in after.__struct_fields__}
    return msgspec.structs.replace(before, **{name: value for name, value in told.items() if value is not UNSET})
