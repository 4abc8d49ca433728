"""The layouts a conference can have: their names, how many are seen in each, and where each one stands.

Names are those of the `layout` event and of `transform_layout`: main speakers, a colon, small pictures. The room
validates and announces them, the node's composer draws by `tiles`, `layout_svgs` shows the same rectangles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .models import ParticipantUuid

__all__ = ["DEFAULT_LAYOUT", "LAYOUTS", "Layout", "Tile"]

DEFAULT_LAYOUT = "1:0"
"""The main speaker alone: the only one whose pictures are forwarded as they are."""

_COLUMNS = 7
"""Small pictures in a row beneath the main speakers; more only where three rows would not hold them."""
_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Where one participant's picture stands, as fractions of width and height."""

    x: float
    """Left edge."""
    y: float
    """Upper edge."""
    width: float
    """Width."""
    height: float
    """Height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One arrangement of main speakers and small pictures."""

    view: str
    """Its name on the wire."""
    mains: int
    """Large pictures at most."""
    pips: int
    """Small pictures at most."""

    @property
    def size(self) -> int:
        """How many participants are seen at most."""
        return self.mains + self.pips

    def seen_by(self, viewer: ParticipantUuid, order: Sequence[ParticipantUuid]) -> tuple[ParticipantUuid, ...]:
        """Return who is seen, main speaker first.

        The main speaker alone is forwarded, so it sees the one after it; a composed picture is one for all.
        """
        if self.size == 1:
            return tuple(p for p in order[:2] if p != viewer)[:1]
        return tuple(order[: self.size])

    def tiles(self, count: int) -> tuple[Tile, ...]:
        """Return where each of `count` participants stands, first one first; the rest is not drawn.

        Large pictures share the upper part as a grid, small ones stand in rows beneath.
        """
        count = min(count, self.size)
        mains = min(count, self.mains)
        pips = count - mains
        row = max(_COLUMNS, math.ceil(self.pips / _ROWS))
        rows = math.ceil(pips / row)
        pip_size = 1 / row
        main_height = 1 - rows * pip_size
        columns = math.ceil(math.sqrt(mains)) if mains else 1
        grid = math.ceil(mains / columns)
        large = [
            Tile(
                x=(i % columns) / columns,
                y=main_height * (i // columns) / grid,
                width=1 / columns,
                height=main_height / grid,
            )
            for i in range(mains)
        ]
        small = [
            Tile(
                x=(i % row) * pip_size,
                y=main_height + (i // row) * pip_size,
                width=pip_size,
                height=pip_size,
            )
            for i in range(pips)
        ]
        return (*large, *small)

    def svg(self) -> str:
        """Draw the full layout as SVG, as `layout_svgs` answers it."""
        boxes = "".join(
            f'<rect x="{t.x * 160 + 1:.1f}" y="{t.y * 90 + 1:.1f}" width="{t.width * 160 - 2:.1f}"'
            f' height="{t.height * 90 - 2:.1f}"/>'
            for t in self.tiles(self.size)
        )
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90">{boxes}</svg>'


def _layout(mains: int, pips: int) -> Layout:
    return Layout(view=f"{mains}:{pips}", mains=mains, pips=pips)


LAYOUTS = {
    layout.view: layout
    for layout in (
        _layout(1, 0),
        _layout(1, 7),
        _layout(1, 21),
        _layout(2, 21),
        _layout(1, 33),
        _layout(4, 0),
        _layout(9, 0),
        _layout(16, 0),
        _layout(25, 0),
    )
}
"""Every layout by its name: the four of the v14 guide, and the grids of later versions."""
