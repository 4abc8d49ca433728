"""A picture to draw on: participants scaled into tiles, their names on a strip beneath.

Pictures are planes of YUV 4:2:0 in numpy; swscale scales, Pillow draws each name once and it is kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Canvas", "SceneTile"]

_BLACK, _WHITE, _NEUTRAL = 16, 235, 128
# Names kept; more than a conference shows at once, in the sizes of a few layouts.
_LABELS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneTile:
    """One rectangle of the composed picture."""

    source: Hashable
    """Whose pictures: the key of an input."""
    label: str
    """The name drawn at its lower edge; none when empty."""
    x: float
    """Left edge, 0 to 1 of the width."""
    y: float
    """Upper edge, 0 to 1 of the height."""
    width: float
    """0 to 1 of the width."""
    height: float
    """0 to 1 of the height."""


class Canvas:
    """A picture in YUV 4:2:0 to draw on. Sizes and places are made even, because colour has half the resolution."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width & ~3, height & ~3
        self._planes = np.empty((self.height * 3 // 2, self.width), np.uint8)
        self._y = self._planes[: self.height]
        chroma = self._planes[self.height :].reshape(2, self.height // 2, self.width // 2)
        self._u, self._v = chroma[0], chroma[1]
        self._labels: dict[tuple[str, int, int], NDArray[np.float32]] = {}
        self.clear()

    def clear(self) -> None:
        """Make it black."""
        self._y[:] = _BLACK
        self._u[:] = self._v[:] = _NEUTRAL

    def draw(self, frame: av.VideoFrame, tile: SceneTile) -> None:
        """Scale a picture into a tile, whole and centred."""
        left, top, width, height = self._place(tile)
        scale = min(width / frame.width, height / frame.height)
        inner_width = max(2, int(frame.width * scale) & ~1)
        inner_height = max(2, int(frame.height * scale) & ~1)
        left += ((width - inner_width) // 2) & ~1
        top += ((height - inner_height) // 2) & ~1
        scaled = frame.reformat(width=inner_width, height=inner_height, format="yuv420p")
        for plane, target, shift in zip(scaled.planes, (self._y, self._u, self._v), (0, 1, 1), strict=True):
            rows, columns = inner_height >> shift, inner_width >> shift
            pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:rows, :columns]
            target[top >> shift :, left >> shift :][:rows, :columns] = pixels

    def write(self, tile: SceneTile) -> None:
        """Write a tile's label on a dark strip at its lower edge."""
        left, top, width, height = self._place(tile)
        strip = max(14, min(36, height // 8)) & ~1
        if not tile.label or strip > height or width < 16:
            return
        key = (tile.label, width, strip)
        if key not in self._labels:
            if len(self._labels) > _LABELS:
                self._labels.clear()
            self._labels[key] = _text(*key)
        box = self._y[top + height - strip :, left:][:strip, :width]
        text = self._labels[key]
        box[:] = (box * 0.35 * (1 - text) + _WHITE * text).astype(np.uint8)
        for plane in (self._u, self._v):
            colour = plane[(top + height - strip) // 2 :, left // 2 :][: strip // 2, : width // 2]
            colour[:] = (colour.astype(np.int16) + _NEUTRAL) // 2

    def frame(self) -> av.VideoFrame:
        """Return a copy of the picture."""
        return av.VideoFrame.from_ndarray(self._planes, format="yuv420p")

    def _place(self, tile: SceneTile) -> tuple[int, int, int, int]:
        left, top = round(tile.x * self.width) & ~1, round(tile.y * self.height) & ~1
        right = min(self.width, round((tile.x + tile.width) * self.width) & ~1)
        bottom = min(self.height, round((tile.y + tile.height) * self.height) & ~1)
        return left, top, max(2, right - left), max(2, bottom - top)


def _text(label: str, width: int, height: int) -> NDArray[np.float32]:
    """Draw a label centred; returns how white each pixel is, 0 to 1. What does not fit ends in an ellipsis."""
    font = ImageFont.load_default(size=height * 0.6)
    text = "".join(char if char.isprintable() else " " for char in label)
    while len(text) > 1 and font.getlength(text) > width - 8:
        text = text[:-2].rstrip() + "…"
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, fill=255, font=font, anchor="mm")
    return np.asarray(image, np.float32) / np.float32(255)
