"""The mark every frame of a reference picture carries: who it is and when it was due, in black and white cells.

12 x 8 cells lie in the middle third of the luma plane: 16 finder cells (a checker of 2 x 2 in each corner, so that the
mark is found at any scale) and 80 bits: 24 of frame id, 40 of clock in milliseconds, 16 of CRC over both. The middle
survives name labels, banners and crops; cells of a 36th of the width survive a picture-in-picture. Only luma is
touched, and only numpy is needed. `marks_reading` finds and reads them; both change together.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "ROWS", "Mark", "MarkLayout", "Plane", "draw_mark"]

Plane: TypeAlias = NDArray[np.uint8]
"""A luma plane, rows by columns."""

COLUMNS: Final = 12
ROWS: Final = 8
BLACK: Final = 16
"""Luma of black in video range (ITU-R BT.601 and BT.709)."""
WHITE: Final = 235
"""Luma of white, likewise."""
ID_MODULUS: Final = 1 << 24
CLOCK_MODULUS: Final = 1 << 40

_CHECKER = ((0, 0), (0, 1), (1, 0), (1, 1))
FINDER: Final[tuple[tuple[int, int, bool], ...]] = tuple(
    (row + dr, column + dc, (dr + dc + turn) % 2 == 0)
    for row, column, turn in ((0, 0, 0), (0, COLUMNS - 2, 0), (ROWS - 2, 0, 0), (ROWS - 2, COLUMNS - 2, 1))
    for dr, dc in _CHECKER
)
"""(row, column, white) of the finder cells. The last corner is turned, so that no shift or mirror looks the same."""

_FINDER_CELLS = frozenset((row, column) for row, column, _ in FINDER)
DATA_CELLS: Final = np.array(
    [row * COLUMNS + column for row in range(ROWS) for column in range(COLUMNS) if (row, column) not in _FINDER_CELLS]
)
"""Flat indices of the cells that carry bits, most significant first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a mark says."""

    frame_id: int
    """Number of the frame, modulo 2**24 (six days at 30 frames a second)."""
    clock_ms: int
    """When the frame was due, in milliseconds of the writer's clock, modulo 2**40 (34 years)."""

    def serialize(self) -> bytes:
        """Return the 10 bytes a mark carries."""
        body = (self.frame_id % ID_MODULUS).to_bytes(3) + (self.clock_ms % CLOCK_MODULUS).to_bytes(5)
        return body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2)

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """Return the mark in 10 bytes, None when the CRC does not hold."""
        if binascii.crc_hqx(data[:8], 0xFFFF) != int.from_bytes(data[8:]):
            return None
        return cls(frame_id=int.from_bytes(data[:3]), clock_ms=int.from_bytes(data[3:8]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkLayout:
    """Where the mark lies in a picture of a given size, in pixels of that picture."""

    picture_width: int
    picture_height: int
    x: int
    """Left edge of the mark."""
    y: int
    """Upper edge of the mark."""
    cell_width: int
    cell_height: int

    @classmethod
    def of_picture(cls, width: int, height: int) -> Self:
        """Lay the mark into a picture: a third of its width, a third of its height, in the middle.

        Raises:
            ValueError: the picture is too small to carry a mark that can be read.
        """
        cell_width, cell_height = width // (3 * COLUMNS), height // (3 * ROWS)
        if min(cell_width, cell_height) < 3:
            raise ValueError(f"a picture of {width} x {height} is too small for a mark: 108 x 72 at least")
        return cls(
            picture_width=width,
            picture_height=height,
            x=(width - COLUMNS * cell_width) // 2,
            y=(height - ROWS * cell_height) // 2,
            cell_width=cell_width,
            cell_height=cell_height,
        )


def mark_cells(mark: Mark) -> NDArray[np.bool_]:
    """Return the cells of a mark, true where white, rows by columns."""
    cells = np.zeros(ROWS * COLUMNS, dtype=np.bool_)
    for row, column, white in FINDER:
        cells[row * COLUMNS + column] = white
    cells[DATA_CELLS] = np.unpackbits(np.frombuffer(mark.serialize(), dtype=np.uint8)).astype(np.bool_)
    return cells.reshape(ROWS, COLUMNS)


def draw_mark(plane: Plane, mark: Mark) -> None:
    """Draw a mark into a luma plane, in place.

    Raises:
        ValueError: the plane is too small to carry a mark.
    """
    height, width = plane.shape
    layout = MarkLayout.of_picture(width, height)
    levels = np.where(mark_cells(mark), np.uint8(WHITE), np.uint8(BLACK))
    wide = np.repeat(levels, layout.cell_width, axis=1)
    bottom, right = layout.y + ROWS * layout.cell_height, layout.x + COLUMNS * layout.cell_width
    plane[layout.y : bottom, layout.x : right] = np.repeat(wide, layout.cell_height, axis=0)
