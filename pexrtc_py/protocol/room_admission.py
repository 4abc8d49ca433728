"""Who comes into a conference, and as what: PINs before the door, the waiting room behind it.

Answers are those that real clients understand. Without a Host PIN everybody is a Host; with one, Guests come in by
`pin: none`, by the guest PIN, or not at all.
"""

from __future__ import annotations

import hmac
from dataclasses import KW_ONLY, dataclass

from .models import ParticipantRole, ParticipantUuid, Role, TokenPrompt, Version
from .room_settings import RoomSettings

__all__ = ["INVALID_PIN", "Newcomer", "PinVerdict", "check_pin", "participant_role", "pin_prompt", "role_for_transfer"]

INVALID_PIN = "Invalid PIN"
"""The answer to a wrong PIN."""

_NO_PIN = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """One who has passed the door."""

    display_name: str
    """The name to show."""
    role: Role
    """Host or Guest, by PIN or one-time token."""
    call_tag: str = ""
    """The mark it asked for."""
    vendor: str = ""
    """What it says it is (User-Agent)."""
    uri: str = ""
    """Where it comes from."""
    supports_direct_chat: bool = False
    """Whether it takes messages meant for it alone."""
    starts_conference: bool = False
    """Whether it wants the conference started if it is a Host."""
    dialled: ParticipantUuid | None = None
    """The participant that was dialled out to and whose place it takes."""


@dataclass(frozen=True, slots=True)
class PinVerdict:
    """What a PIN is good for: a role, a prompt, or nothing."""

    role: Role | None
    """The role it opens, None when none."""
    _: KW_ONLY
    wrong: bool = False
    """Whether one was given and is wrong; otherwise the client is to be asked for one."""


def check_pin(settings: RoomSettings, pin: str | None) -> PinVerdict:
    """Judge the `pin` header: None or empty is no PIN yet, `none` is a Guest who has none."""
    if settings.pin is None:
        return PinVerdict(Role.HOST)
    if not pin:
        return PinVerdict(None)
    if _same(pin, settings.pin):
        return PinVerdict(Role.HOST)
    if settings.allow_guests and settings.guest_pin is not None and _same(pin, settings.guest_pin):
        return PinVerdict(Role.GUEST)
    if pin == _NO_PIN:
        return PinVerdict(None if settings.guest_needs_pin else Role.GUEST)
    return PinVerdict(None, wrong=True)


def pin_prompt(settings: RoomSettings, version: Version) -> TokenPrompt:
    """Make the 403 that asks for a PIN; Pexip's client refuses it without `version`."""
    return TokenPrompt(
        pin="required",
        guest_pin="required" if settings.guest_needs_pin else "none",
        version=version,
    )


def role_for_transfer(settings: RoomSettings, role: ParticipantRole, pin: str | None) -> Role | None:
    """Return the role a transferred participant gets at its target, None when the PIN does not open it."""
    verdict = check_pin(settings, pin or _NO_PIN)
    if verdict.role is Role.HOST and role is ParticipantRole.GUEST:
        return Role.GUEST
    if verdict.role is Role.GUEST and role is ParticipantRole.CHAIR:
        return None
    return verdict.role


def participant_role(role: Role) -> ParticipantRole:
    """Spell a token's role as participants carry it."""
    return ParticipantRole.CHAIR if role is Role.HOST else ParticipantRole.GUEST


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode(errors="surrogatepass"))
