"""Finding and reading marks in decoded pictures, wherever a conferencing node has put the picture.

A node scales, moves, crops and overlays. So the mark is found once by a search over scale and position for its
sixteen finder cells (tens of milliseconds), proved by its CRC, refined to the edges, and from then on only sampled
(some hundredths of a millisecond). When it can no longer be read where it was, places known from before are tried
first, then it is searched again, but not in every frame. What a mark is, `marks` says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .marks import COLUMNS, DATA_CELLS, FINDER, ROWS, Mark, MarkLayout, Plane, mark_cells

__all__ = ["MarkPlace", "MarkReader", "MarkSighting", "find_mark"]

_LEAST_CONTRAST: Final = 24
"""Darkest white less brightest black among the finder cells, in luma steps, below which nothing is looked at: codecs
at the lowest rates that still carry a mark leave more than 60."""
_SCALE_STEP: Final = 1.035
"""At +-1.8 % of scale the outermost cells are off by a tenth of a cell."""
_LARGEST_SCALE: Final = 1.4
"""Pictures shown larger than the frame (cropped) are searched up to this, as height of picture to height of frame."""
_LEAST_CELL: Final = 3.5
"""Pixels a cell must have: below, codecs blur neighbours into each other."""
_CANDIDATES: Final = 6
"""Places looked at more closely, for each scale."""
_MIDDLE_POINTS: Final = np.array([0.3125, 0.4375, 0.5625, 0.6875])
"""Where a cell is sampled to read it, in each direction."""
_EDGE_POINTS: Final = (np.arange(24) + 0.5) / 24
"""Where a cell is sampled to fit its edges."""
_LONGEST_WAIT: Final = 4
"""Without success, searches become rarer by up to this factor."""

_WHITE_CELLS = np.array([row * COLUMNS + column for row, column, white in FINDER if white])
_BLACK_CELLS = np.array([row * COLUMNS + column for row, column, white in FINDER if not white])


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPlace:
    """Where a mark lies in a received frame, in pixels, fractions allowed."""

    x: float
    y: float
    cell_width: float
    cell_height: float

    def picture(self, layout: MarkLayout) -> tuple[float, float, float, float]:
        """Return x, y, width and height of the whole picture that carries the mark; it may reach out of the frame."""
        across, down = self.cell_width / layout.cell_width, self.cell_height / layout.cell_height
        return (
            self.x - layout.x * across,
            self.y - layout.y * down,
            layout.picture_width * across,
            layout.picture_height * down,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSighting:
    """A mark that was read."""

    mark: Mark
    place: MarkPlace


def _is_inside(plane: Plane, place: MarkPlace) -> bool:
    height, width = plane.shape
    right, bottom = place.x + COLUMNS * place.cell_width, place.y + ROWS * place.cell_height
    return place.x >= 0 and place.y >= 0 and right <= width and bottom <= height


def _sample(plane: Plane, place: MarkPlace, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean luma of each cell, flat, taken at these points of it (0 to 1) in both directions."""
    columns = (place.x + place.cell_width * (np.arange(COLUMNS)[:, None] + points).ravel()).astype(np.intp)
    rows = (place.y + place.cell_height * (np.arange(ROWS)[:, None] + points).ravel()).astype(np.intp)
    sampled = plane[rows[:, None], columns].reshape(ROWS, len(points), COLUMNS, len(points))
    levels: NDArray[np.float64] = sampled.mean(axis=(1, 3)).ravel()
    return levels


def _cell_levels(plane: Plane, place: MarkPlace) -> NDArray[np.float64] | None:
    """Return the mean luma of the middle of each cell, flat; None when the mark would reach out of the plane."""
    return _sample(plane, place, _MIDDLE_POINTS) if _is_inside(plane, place) else None


def _threshold(levels: NDArray[np.float64]) -> float | None:
    """Return the luma that parts white from black, None when the finder cells are not those of a mark."""
    white, black = levels[_WHITE_CELLS], levels[_BLACK_CELLS]
    if float(white.min() - black.max()) < _LEAST_CONTRAST:
        return None
    return float(white.mean() + black.mean()) / 2


def _read_at(plane: Plane, place: MarkPlace) -> Mark | None:
    levels = _cell_levels(plane, place)
    threshold = None if levels is None else _threshold(levels)
    if levels is None or threshold is None:
        return None
    return Mark.parse(np.packbits(levels[DATA_CELLS] > threshold).tobytes())


def _clearness(plane: Plane, place: MarkPlace) -> float:
    """Return how far the least clear cell is from the threshold; the refinement climbs it."""
    levels = _cell_levels(plane, place)
    if levels is None:
        return -1.0
    middle = float(levels[_WHITE_CELLS].mean() + levels[_BLACK_CELLS].mean()) / 2
    distance = np.abs(levels - middle)
    return float(distance.min() + 0.25 * distance.mean())


def _cleared(plane: Plane, place: MarkPlace) -> MarkPlace:
    """Return the place near a coarse hit where the cells can be read best."""
    return _climb(place, lambda trial: _clearness(plane, trial))


def _fitted(plane: Plane, place: MarkPlace, mark: Mark) -> MarkPlace:
    """Return the place of a mark whose cells are known, by its edges."""
    cells = mark_cells(mark).ravel()
    return _climb(place, lambda trial: _fit(plane, trial, cells))


def _fit(plane: Plane, place: MarkPlace, cells: NDArray[np.bool_]) -> float:
    """Return how well the edges of known cells fit; the last refinement climbs it."""
    if not _is_inside(plane, place):
        return -math.inf
    levels = _sample(plane, place, _EDGE_POINTS)
    white, black = levels[cells], levels[~cells]
    return float(white.mean() - black.mean())


def _climb(place: MarkPlace, quality: Callable[[MarkPlace], float]) -> MarkPlace:
    """Return the place nearby where a quality is best, by steps that halve."""
    best, step = quality(place), 0.12
    while step > 0.01:
        moved = False
        for across, down, wider, higher in _moves(place, step):
            trial = MarkPlace(
                x=place.x + across - wider * COLUMNS / 2,
                y=place.y + down - higher * ROWS / 2,
                cell_width=place.cell_width + wider,
                cell_height=place.cell_height + higher,
            )
            found = quality(trial)
            if found > best:
                best, place, moved = found, trial, True
        if not moved:
            step /= 2
    return place


def _moves(place: MarkPlace, step: float) -> Iterator[tuple[float, float, float, float]]:
    across, down = place.cell_width * step, place.cell_height * step
    for sign in (1, -1):
        yield sign * across, 0, 0, 0
        yield 0, sign * down, 0, 0
        yield 0, 0, sign * across / COLUMNS * 2, 0
        yield 0, 0, 0, sign * down / ROWS * 2


def _integral(plane: Plane) -> NDArray[np.int32]:
    height, width = plane.shape
    sums = np.zeros((height + 1, width + 1), dtype=np.int32)
    np.cumsum(plane, axis=0, dtype=np.int32, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


def _search_scale(sums: NDArray[np.int32], cell_width: float, cell_height: float) -> list[MarkPlace]:
    """Return the likeliest places at one scale, best first.

    The first corner is looked at everywhere (in steps of a third of a cell), the other three only where it fits.
    """
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    room_x, room_y = width - math.ceil(COLUMNS * cell_width), height - math.ceil(ROWS * cell_height)
    if room_x < 1 or room_y < 1:
        return []
    step_x, step_y = max(1, int(cell_width / 3)), max(1, int(cell_height / 3))
    box_width, box_height = max(1, round(cell_width / 2)), max(1, round(cell_height / 2))

    def box(row: int, column: int) -> tuple[int, int]:
        return int((row + 0.25) * cell_height), int((column + 0.25) * cell_width)

    levels = []
    for row, column, _ in FINDER[:4]:
        top, left = box(row, column)
        upper, lower = sums[top : top + room_y : step_y], sums[top + box_height : top + box_height + room_y : step_y]
        near, far = slice(left, left + room_x, step_x), slice(left + box_width, left + box_width + room_x, step_x)
        levels.append(lower[:, far] - lower[:, near] - upper[:, far] + upper[:, near])
    contrast = np.minimum(levels[0], levels[3]) - np.maximum(levels[1], levels[2])
    at_y, at_x = np.nonzero(contrast > _LEAST_CONTRAST * box_width * box_height)
    y, x = at_y * step_y, at_x * step_x
    white = np.minimum(levels[0], levels[3])[at_y, at_x]
    black = np.maximum(levels[1], levels[2])[at_y, at_x]
    for row, column, is_white in FINDER[4:]:
        top, left = box(row, column)
        above, below, left_of, right_of = y + top, y + top + box_height, x + left, x + left + box_width
        level = sums[below, right_of] - sums[below, left_of] - sums[above, right_of] + sums[above, left_of]
        if is_white:
            np.minimum(white, level, out=white)
        else:
            np.maximum(black, level, out=black)
        fits = white - black > _LEAST_CONTRAST * box_width * box_height
        x, y, white, black = x[fits], y[fits], white[fits], black[fits]
    order = np.argsort(black - white)[:_CANDIDATES]
    return [MarkPlace(x=float(x[i]), y=float(y[i]), cell_width=cell_width, cell_height=cell_height) for i in order]


def _any(mark: Mark) -> bool:
    return True


def find_mark(plane: Plane, layout: MarkLayout, *, accept: Callable[[Mark], bool] = _any) -> MarkSighting | None:
    """Search a whole luma plane for a mark of pictures laid out so, at any place, down to a seventh of the frame.

    Tens of milliseconds for a large picture, some hundred when there is none. The proportions of the picture are taken
    as kept, as conferencing nodes do, within some percent.

    Args:
        plane: where to search.
        layout: of the pictures that carry the mark.
        accept: says whether a mark is the one that is looked for: a frame may show several pictures.

    Returns:
        The mark and its place, exact to half a pixel or better; None when no mark is there or it cannot be read.
    """
    sums = _integral(plane)
    scale = _LARGEST_SCALE * plane.shape[0] / layout.picture_height
    while scale * min(layout.cell_width, layout.cell_height) >= _LEAST_CELL:
        for place in _search_scale(sums, layout.cell_width * scale, layout.cell_height * scale):
            clear = _cleared(plane, place)
            mark = _read_at(plane, clear)
            if mark is not None and accept(mark):
                return MarkSighting(mark=mark, place=_fitted(plane, clear, mark))
        scale /= _SCALE_STEP
    return None


class MarkReader:
    """Reads the mark of one frame after the other of one stream; keeps where it was found.

    Not thread-safe; holds no reference to the planes it was shown.
    """

    def __init__(
        self,
        source_width: int,
        source_height: int,
        *,
        search_every: int = 15,
        accept: Callable[[Mark], bool] = _any,
    ) -> None:
        """Look for marks drawn into pictures of this size.

        Args:
            source_width: width of the pictures the marks were drawn into.
            source_height: their height.
            search_every: a search of the whole plane is made at most once in so many frames, and ever more rarely, down
                to a quarter of that, while it finds nothing: a node that changes its layout is followed in two seconds.
            accept: says whether a mark is of these pictures, where the frame may show those of others, too.
        """
        self.layout = MarkLayout.of_picture(source_width, source_height)
        self.searches = 0
        """How often the whole plane was searched."""
        self._search_every = search_every
        self._accept = accept
        self._wait = 0
        self._patience = 1
        self._places: deque[tuple[tuple[int, ...], MarkPlace]] = deque(maxlen=4)

    def read(self, plane: Plane) -> MarkSighting | None:
        """Return the mark of this plane, None when it cannot be read."""
        for index, (shape, place) in enumerate(self._places):
            if shape != plane.shape:
                continue
            mark = _read_at(plane, place)
            if mark is not None and self._accept(mark):
                if index:
                    self._places.rotate(-index)
                self._wait = 0
                return MarkSighting(mark=mark, place=place)
        if self._wait > 0:
            self._wait -= 1
            return None
        self._wait = self._search_every * self._patience
        self._patience = min(2 * self._patience, _LONGEST_WAIT)
        self.searches += 1
        found = find_mark(plane, self.layout, accept=self._accept)
        if found is not None:
            self._places.appendleft((plane.shape, found.place))
            self._wait, self._patience = 0, 1
        return found
