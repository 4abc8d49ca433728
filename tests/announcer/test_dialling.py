"""Digits with pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.announcer.dialling import Dial, parse_dialling
from pexrtc_py.errors import UsageError


@pytest.mark.parametrize(
    ("text", "dials"),
    [
        ("1234,,#", [Dial(digits="1234", wait_s=0), Dial(digits="#", wait_s=4)]),
        (",5", [Dial(digits="5", wait_s=2)]),
        ("12 34-a", [Dial(digits="1234A", wait_s=0)]),
        ("9,", [Dial(digits="9", wait_s=0), Dial(digits="", wait_s=2)]),
    ],
)
def test_digits_and_pauses(text: str, dials: list[Dial]) -> None:
    """A comma is two seconds; what makes a number readable means nothing."""
    assert parse_dialling(text) == dials


@pytest.mark.parametrize("text", ["", ",,", "12x", "+49"])
def test_nonsense_is_refused(text: str) -> None:
    """No digit, or something that is none."""
    with pytest.raises(UsageError):
        parse_dialling(text)


def test_what_would_be_dialled_for_days_is_refused() -> None:
    """Two hundred digits and commas are the most; a program's mistake was dialled for as long as it took."""
    assert sum(dial.wait_s for dial in parse_dialling("1" + "," * 199)) == 398
    with pytest.raises(UsageError, match="65536 digits and commas are too many"):
        parse_dialling("," * 65535 + "1")


@given(st.text(alphabet="0123456789*#ABCD,", max_size=40))
def test_nothing_is_lost(text: str) -> None:
    """All digits are sent in their order, and all pauses are kept."""
    try:
        dials = parse_dialling(text)
    except UsageError:
        assert not text.strip(",")
        return
    assert "".join(dial.digits for dial in dials) == text.replace(",", "")
    assert sum(dial.wait_s for dial in dials) == 2 * text.count(",")
