"""Text of others commands nothing where it is shown."""

from __future__ import annotations

from ast import literal_eval

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.protocol.escaping import visible


@given(st.text())
def test_visible_text_is_printable(text: str) -> None:
    """And printable text stays as it is."""
    assert visible(text).isprintable()
    assert not text.isprintable() or visible(text) == text


@given(st.characters())
def test_what_is_written_out_is_told_exactly(character: str) -> None:
    """Reading the escape gives the character again."""
    shown = visible(character)
    assert character.isprintable() or literal_eval(f'"{shown}"') == character


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Eve\x1b[2J", "Eve\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u009b2J \u202e \udc80", "\\x9b2J \\u202e \\udc80"),
        ("Ærøskøbing 東京 🙂", "Ærøskøbing 東京 🙂"),
        ("", ""),
    ],
)
def test_examples(text: str, shown: str) -> None:
    """Control characters, of the second range too, direction marks, halves of surrogates; letters of all kinds stay."""
    assert visible(text) == shown


def test_what_a_format_may_carry_is_kept() -> None:
    """Lines of a text remain lines."""
    assert visible("a\x00\nb\tc", keep="\n\t") == "a\\x00\nb\tc"
