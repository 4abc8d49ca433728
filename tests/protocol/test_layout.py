"""Layouts: who is seen, and where."""

from __future__ import annotations

import itertools

import pytest

from pexrtc_py.protocol.layout import DEFAULT_LAYOUT, LAYOUTS, Tile
from pexrtc_py.protocol.models import ParticipantUuid

A, B, C = (ParticipantUuid(name) for name in "abc")


def test_the_main_speaker_sees_the_next() -> None:
    """With the main speaker alone on screen, nobody sees itself."""
    layout = LAYOUTS[DEFAULT_LAYOUT]
    assert layout.seen_by(A, (A, B, C)) == (B,)
    assert layout.seen_by(C, (A, B, C)) == (A,)
    assert layout.seen_by(A, (A,)) == ()


def test_a_composed_picture_is_one_for_all() -> None:
    """A composed picture is made once, so everybody sees the same."""
    assert LAYOUTS["1:7"].seen_by(A, (A, B, C)) == (A, B, C)
    assert LAYOUTS["4:0"].seen_by(A, [ParticipantUuid(str(i)) for i in range(9)]) == ("0", "1", "2", "3")


@pytest.mark.parametrize("view", LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 8, 40])
def test_tiles_fill_the_picture_without_overlap(view: str, count: int) -> None:
    """Every tile is inside the picture and touches no other."""
    layout = LAYOUTS[view]
    tiles = layout.tiles(count)
    assert len(tiles) == min(count, layout.size)
    for tile in tiles:
        assert tile.x >= 0
        assert tile.y >= 0
        assert tile.x + tile.width <= 1 + 1e-9
        assert tile.y + tile.height <= 1 + 1e-9
        assert tile.width > 0.05
        assert tile.height > 0.05
    for one, other in itertools.combinations(tiles, 2):
        assert not _overlap(one, other)


def _overlap(one: Tile, other: Tile) -> bool:
    slack = 1e-9
    return (
        one.x + one.width > other.x + slack
        and other.x + other.width > one.x + slack
        and one.y + one.height > other.y + slack
        and other.y + other.height > one.y + slack
    )


def test_svg_shows_every_place() -> None:
    """The drawing of a layout has a box for each of its places."""
    assert LAYOUTS["1:7"].svg().count("<rect") == 8
