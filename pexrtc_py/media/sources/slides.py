"""Still pictures, one or several with their times: as main video or as a presentation.

Slides are sent again and again, a few times a second: encoders make them sharper with every picture, and whoever comes
late or lost something sees them soon. They are known beforehand, so they are encoded ahead like a file is read ahead
(`Slides.stands_still`): a busy machine then shows the next one on time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import SourceError, UsageError
from .generated import Generated, Screen
from .opening import shown

__all__ = ["Slide", "Slides", "fit_image", "parse_slides", "slides"]

_FRAME_RATE: Final = 5.0
# A picture file of a few kilobytes can claim to be gigantic; 100 million pixels is more than any camera's.
_MOST_PIXELS: Final = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """A picture and when it is shown."""

    path: Path
    """PNG, JPEG or whatever Pillow reads."""
    at_s: float
    """Seconds after the source's start."""


class Slides(Generated):
    """Pictures that stand still; the same picture is the same object, until another is shown."""

    stands_still = True
    """Whether what is shown does not depend on when it is encoded; see `EncodedSource`."""


def parse_slides(text: str) -> list[Slide]:
    """Read `a.png@0,b.png@5.5`; without a time the first is shown at 0.

    Raises:
        UsageError: a time is no number, or times do not increase.
    """
    found: list[Slide] = []
    for part in text.split(","):
        name, at, time = part.rpartition("@")
        if not at:
            name, time = part, "0"
        try:
            slide = Slide(path=Path(name), at_s=float(time))
        except ValueError:
            raise UsageError(f"slides: {time!r} in {part!r} is no time in seconds") from None
        if not name or not (found[-1].at_s if found else -1e-9) < slide.at_s < math.inf:
            raise UsageError(f"slides: {part!r} must name a file and a time later than the one before")
        found.append(slide)
    return found


def slides(shows: Sequence[Slide], *, size: tuple[int, int] = (1280, 720), duration_s: float | None = None) -> Slides:
    """Return pictures shown at their times, each until the next; the last one stays.

    All are read before the first is shown, so that a missing one is known at once.

    Args:
        shows: the slides in order of time.
        size: width and height of what is sent; pictures are fitted in and never stretched.
        duration_s: how long in all; None: endless.

    Raises:
        SourceError: a picture cannot be read; the message names it.
        UsageError: there is none.
    """
    if not shows:
        raise UsageError("slides: no picture was given")
    screen = Screen(width=size[0] & ~1, height=size[1] & ~1, frame_rate=_FRAME_RATE)
    frames = [_read(slide.path, screen) for slide in shows]
    times = [slide.at_s for slide in shows]

    def picture(number: int) -> av.VideoFrame:
        return frames[max(0, bisect_right(times, number / _FRAME_RATE + 1e-9) - 1)]

    return Slides(picture=picture, screen=screen, duration_s=duration_s)


def fit_image(image: Image.Image, width: int, height: int) -> av.VideoFrame:
    """Fit an image into a frame of this size, turned as its EXIF says, on black."""
    upright: Image.Image = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "P"):
        ground = Image.new("RGBA", upright.size, (255, 255, 255, 255))
        upright = Image.alpha_composite(ground, upright.convert("RGBA"))
    fitted = ImageOps.pad(upright.convert("RGB"), (width, height), method=Image.Resampling.LANCZOS)
    return av.VideoFrame.from_ndarray(np.asarray(fitted), "rgb24").reformat(format="yuv420p")


def _read(path: Path, screen: Screen) -> av.VideoFrame:
    name = shown(str(path))
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise SourceError(f"{name}: {image.width}x{image.height} is too large for a slide")
            return fit_image(image, screen.width, screen.height)
    except UnidentifiedImageError as exc:
        raise SourceError(f"{name}: is no picture") from exc
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise SourceError(f"{name}: cannot read the picture: {reason[:1].lower()}{reason[1:]}") from exc
