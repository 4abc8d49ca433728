"""How one conference of the node is set up: who may come in, as what, for how long, and what is seen.

Read from the node's TOML file as it stands, so names here are names there. The rules that use a setting live in
`room_admission` (PINs), `room` (time limits) and their neighbours.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .layout import DEFAULT_LAYOUT, LAYOUTS

__all__ = ["RoomSettings", "ServiceKind"]


class ServiceKind(StrEnum):
    """What answers under an alias."""

    CONFERENCE = "conference"
    LECTURE = "lecture"
    TEST_CALL = "test_call"
    VIRTUAL_RECEPTION = "two_stage_dialing"


class RoomSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one conference.

    Raises:
        ValueError: settings that contradict each other (msgspec turns it into a ValidationError with its path).
    """

    alias: str = ""
    """The alias it answers to; set by whoever opens the conference."""
    name: str = ""
    """Its name for people; the alias when empty."""
    service_type: ServiceKind = ServiceKind.CONFERENCE
    """Conference, lecture, test call or Virtual Reception."""
    pin: str | None = None
    """PIN of Hosts. Without one everybody is a Host."""
    guest_pin: str | None = None
    """PIN of Guests; only together with `pin`."""
    allow_guests: bool = True
    """Whether Guests come in at all when there is a Host PIN."""
    targets: tuple[str, ...] = ()
    """Aliases a Virtual Reception leads to; empty: every alias of the node."""
    participant_limit: int = 500
    """Participants at most; a limit of our own, for a node of one process."""
    chat_enabled: bool = True
    """Whether chat is delivered."""
    guests_can_present: bool = True
    """Whether Guests may take the presentation floor."""
    guests_can_unmute: bool = True
    """Whether a Guest muted by a Host may unmute itself."""
    mute_guests: bool = False
    """Whether Guests are muted from the start."""
    layout: str = DEFAULT_LAYOUT
    """What is seen: one of `layout.LAYOUTS`."""
    waiting_timeout_s: float = 900.0
    """How long a participant waits for a Host or to be let in; Pexip's default is 15 minutes."""
    guests_only_timeout_s: float = 60.0
    """How long Guests stay after the last Host has left; Pexip's default is one minute."""
    answer_timeout_s: float = 30.0
    """How long a dialled participant may ring (v14 guide, "dial")."""
    test_call_s: float = 20.0
    """How long a test call lasts."""

    def __post_init__(self) -> None:
        if self.guest_pin is not None and self.pin is None:
            raise ValueError("guest_pin needs pin: without a Host PIN everybody is a Host")
        if self.pin == "" or self.guest_pin == "":
            raise ValueError("a PIN cannot be empty")
        if self.pin is not None and self.pin == self.guest_pin:
            raise ValueError("pin and guest_pin are the same")
        if self.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {self.layout!r}: one of {', '.join(LAYOUTS)}")

    @property
    def title(self) -> str:
        """The name people see."""
        return self.name or self.alias

    @property
    def guest_needs_pin(self) -> bool:
        """Whether one who has no PIN stays outside."""
        return self.pin is not None and (self.guest_pin is not None or not self.allow_guests)
