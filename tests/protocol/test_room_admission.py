"""Who comes in, and as what."""

from __future__ import annotations

import pytest

from pexrtc_py.protocol.models import ParticipantRole, Role, Version
from pexrtc_py.protocol.room_admission import PinVerdict, check_pin, pin_prompt, role_for_transfer
from pexrtc_py.protocol.room_settings import RoomSettings

OPEN = RoomSettings()
HOSTED = RoomSettings(pin="1234")
BOTH = RoomSettings(pin="1234", guest_pin="5678")
HOSTS_ONLY = RoomSettings(pin="1234", allow_guests=False)
ASKED = PinVerdict(None)
WRONG = PinVerdict(None, wrong=True)
HOST = PinVerdict(Role.HOST)
GUEST = PinVerdict(Role.GUEST)


@pytest.mark.parametrize(
    ("settings", "pin", "verdict"),
    [
        (OPEN, None, HOST),
        (OPEN, "none", HOST),
        (OPEN, "4711", HOST),
        (HOSTED, None, ASKED),
        (HOSTED, "", ASKED),
        (HOSTED, "none", GUEST),
        (HOSTED, "1234", HOST),
        (HOSTED, "12345", WRONG),
        (BOTH, "none", ASKED),
        (BOTH, "5678", GUEST),
        (BOTH, "1234", HOST),
        (BOTH, "\udcff", WRONG),
        (HOSTS_ONLY, "none", ASKED),
        (HOSTS_ONLY, "1234", HOST),
    ],
)
def test_pins(settings: RoomSettings, pin: str | None, verdict: PinVerdict) -> None:
    """Each header opens what it opens at a real node."""
    assert check_pin(settings, pin) == verdict


@pytest.mark.parametrize(("settings", "guest_pin"), [(HOSTED, "none"), (BOTH, "required"), (HOSTS_ONLY, "required")])
def test_prompts(settings: RoomSettings, guest_pin: str) -> None:
    """The prompt says whether Guests need a PIN, and carries the version that Pexip's client wants."""
    prompt = pin_prompt(settings, Version(version_id="37"))
    assert (prompt.pin, prompt.guest_pin, prompt.version) == ("required", guest_pin, Version(version_id="37"))


@pytest.mark.parametrize(
    ("settings", "role", "pin", "expected"),
    [
        (OPEN, ParticipantRole.CHAIR, None, Role.HOST),
        (OPEN, ParticipantRole.GUEST, None, Role.GUEST),
        (HOSTED, ParticipantRole.GUEST, None, Role.GUEST),
        (HOSTED, ParticipantRole.CHAIR, None, None),
        (HOSTED, ParticipantRole.CHAIR, "1234", Role.HOST),
        (HOSTED, ParticipantRole.UNKNOWN, "1", None),
        (BOTH, ParticipantRole.GUEST, "5678", Role.GUEST),
        (BOTH, ParticipantRole.GUEST, None, None),
    ],
)
def test_transfers(settings: RoomSettings, role: ParticipantRole, pin: str | None, expected: Role | None) -> None:
    """A transfer opens the target as a PIN would, and gives no more than was asked for."""
    assert role_for_transfer(settings, role, pin) == expected


@pytest.mark.parametrize(
    "given",
    [{"guest_pin": "1"}, {"pin": ""}, {"pin": "1", "guest_pin": "1"}, {"layout": "9:9"}, {"pin": "1", "guest_pin": ""}],
)
def test_settings_that_contradict_themselves(given: dict[str, str]) -> None:
    """Settings that could not mean what somebody wanted are an error at once."""
    with pytest.raises(ValueError):
        RoomSettings(**given)  # type: ignore[arg-type]
