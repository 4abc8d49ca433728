"""Marks: what is drawn is what is read; and nothing else is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.marks import COLUMNS, DATA_CELLS, ROWS, Mark, MarkLayout, draw_mark, mark_cells

MARKS = st.builds(
    Mark, frame_id=st.integers(min_value=0, max_value=2**24 - 1), clock_ms=st.integers(min_value=0, max_value=2**40 - 1)
)


@given(MARKS)
def test_parse_is_the_inverse_of_serialize(mark: Mark) -> None:
    """Any mark survives its ten bytes."""
    assert Mark.parse(mark.serialize()) == mark


@given(MARKS, st.integers(min_value=0, max_value=79))
def test_one_wrong_bit_is_noticed(mark: Mark, bit: int) -> None:
    """A CRC-16 finds every single wrong bit."""
    wrong = bytearray(mark.serialize())
    wrong[bit // 8] ^= 0x80 >> bit % 8
    assert Mark.parse(bytes(wrong)) is None


def test_numbers_wrap() -> None:
    """An id and a clock beyond their fields are taken modulo."""
    assert Mark.parse(Mark(frame_id=2**24 + 3, clock_ms=2**40 + 5).serialize()) == Mark(frame_id=3, clock_ms=5)


def test_finder_is_unlike_itself_turned_and_mirrored() -> None:
    """No corner arrangement equals the same mark mirrored or turned by half a turn."""
    finder = np.full(ROWS * COLUMNS, 2)
    finder[np.setdiff1d(np.arange(ROWS * COLUMNS), DATA_CELLS)] = 0
    cells = np.where(finder.reshape(ROWS, COLUMNS) == 0, mark_cells(Mark(frame_id=0, clock_ms=0)), 2)
    assert len(DATA_CELLS) == 80
    for other in (cells[::-1], cells[:, ::-1], cells[::-1, ::-1]):
        assert not np.array_equal(cells, other)


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (640, 480), (320, 180), (108, 72)])
def test_mark_lies_in_the_middle_third(size: tuple[int, int]) -> None:
    """The mark takes a third of width and height at most and is centred; outside it nothing is touched."""
    width, height = size
    plane = np.full((height, width), 99, dtype=np.uint8)
    draw_mark(plane, Mark(frame_id=1, clock_ms=2))
    rows, columns = np.nonzero(plane != 99)
    layout = MarkLayout.of_picture(width, height)
    assert (columns.min(), rows.min()) == (layout.x, layout.y)
    assert columns.max() - columns.min() < width / 3
    assert rows.max() - rows.min() < height / 3
    assert abs(columns.min() + columns.max() + 1 - width) <= 1
    assert abs(rows.min() + rows.max() + 1 - height) <= 1


def test_too_small_picture_is_refused() -> None:
    """Cells below three pixels would not survive a codec."""
    with pytest.raises(ValueError, match="100 x 70 is too small"):
        draw_mark(np.zeros((70, 100), dtype=np.uint8), Mark(frame_id=0, clock_ms=0))
