"""A test pattern: colour bars, a running clock, a counter, a moving line, and a mark that programs read."""

from __future__ import annotations

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...errors import UsageError
from ..marks import Mark, draw_mark
from .generated import Generated, Screen

__all__ = ["pattern"]

# 75 % colour bars in the order of SMPTE EG 1: white, yellow, cyan, green, magenta, red, blue.
_BARS = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))


def pattern(screen: Screen | None = None, *, duration_s: float | None = None) -> Generated:
    """Return the pattern. Its clock is the source's own time, and so is the clock in the mark.

    Raises:
        UsageError: the screen is too small for a mark.
    """
    screen = screen or Screen()
    width, height = screen.width & ~1, screen.height & ~1
    if width < 160 or height < 90:
        raise UsageError(f"a test pattern of {width}x{height} cannot be read: 160x90 at least")
    ground = _bars(width, height)
    font = ImageFont.load_default(max(8, height // 10))

    def picture(number: int) -> av.VideoFrame:
        seconds = number / screen.frame_rate
        image = ground.copy()
        draw = ImageDraw.Draw(image)
        minutes, rest = divmod(seconds, 60)
        text = f"{int(minutes // 60):02d}:{int(minutes % 60):02d}:{rest:06.3f}   {number:06d}"
        draw.text((width / 2, height * 0.86), text, fill=(255, 255, 255), font=font, anchor="mm")
        line = int(number * 4 % width)
        draw.line((line, height * 0.72, line, height * 0.76), fill=(255, 255, 255), width=max(2, width // 160))
        planes = av.VideoFrame.from_ndarray(np.asarray(image), "rgb24").to_ndarray(format="yuv420p").astype(np.uint8)
        draw_mark(planes[:height], Mark(frame_id=number, clock_ms=round(seconds * 1000)))
        return av.VideoFrame.from_ndarray(planes, "yuv420p")

    even = Screen(width=width, height=height, frame_rate=screen.frame_rate)
    return Generated(picture=picture, screen=even, duration_s=duration_s)


def _bars(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), (20, 20, 20))
    draw = ImageDraw.Draw(image)
    edges = np.linspace(0, width, len(_BARS) + 1).astype(int)
    for number, bar in enumerate(_BARS):
        draw.rectangle((int(edges[number]), 0, int(edges[number + 1]) - 1, int(height * 0.7)), fill=bar)
    return image
