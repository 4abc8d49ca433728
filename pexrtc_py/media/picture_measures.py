"""What is wrong with a received picture without knowing the one that was sent: black, standing still, blocky, blurred.

Black and stillness are looked at in every picture, on one pixel of sixteen; blocks and blur, which cost a hundred
times as much, on a sample by FFmpeg's filters. Luma is taken to be in video range, as all WebRTC codecs send it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from .comparison import scaled
from .marks import Plane

__all__ = ["PictureLook", "PictureMeter", "PictureSample", "sample_picture"]

_THIN: Final = 4
"""Every so many pixels in each direction are looked at."""
_BLACK_LUMA: Final = 16 + 0.10 * 219
_BLACK_SHARE: Final = 0.98
"""Black as FFmpeg's `blackdetect` has it by default: 98 % of the pixels in the lowest tenth of the range."""
_STILL: Final = 0.001 * 255
"""Mean change of luma below which a picture is the one before: -60 dB, the default of FFmpeg's `freezedetect`."""
_SAMPLE_HEIGHT: Final = 360
_WORST: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLook:
    """What one picture looks like."""

    black: bool
    """Whether it is black all over."""
    still: bool
    """Whether it shows the same as the one before; false for the first."""
    luma: float
    """Mean luma, 16 to 235."""


class PictureMeter:
    """Looks at every picture of one stream. Keeps a thinned copy of the last one."""

    def __init__(self) -> None:
        self._last: NDArray[np.int16] | None = None

    def look(self, plane: Plane) -> PictureLook:
        """Return what the next picture looks like; some 0.1 ms at 1280 x 720."""
        thin = plane[_THIN // 2 :: _THIN, _THIN // 2 :: _THIN].astype(np.int16)
        last, self._last = self._last, thin
        still = last is not None and last.shape == thin.shape and float(np.abs(thin - last).mean()) < _STILL
        black = float((thin < _BLACK_LUMA).mean()) >= _BLACK_SHARE
        return PictureLook(black=black, still=still, luma=float(thin.mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSample:
    """Defects of one picture, as FFmpeg's filters see them; to be compared with other pictures of the same source."""

    blockiness: float
    """`blockdetect`: edges on the codec's grid against edges beside it (Muijs and Kirenko 2005); 1 is none,
    0 a picture without edges."""
    blur: float
    """`blurdetect`: mean width of edges in pixels (Marziliano et al. 2002)."""


def sample_picture(plane: Plane) -> PictureSample:
    """Return blockiness at full size, and blur of the picture at 360 lines; some 10 ms.

    Raises:
        ValueError: the picture is smaller than 64 x 64.
    """
    if min(plane.shape) < 64:
        raise ValueError(f"a picture of {plane.shape[1]} x {plane.shape[0]} is too small to be sampled")
    height, width = plane.shape
    small = plane
    if height > _SAMPLE_HEIGHT:
        small = scaled(plane, width * _SAMPLE_HEIGHT // height, _SAMPLE_HEIGHT)
    return PictureSample(
        blockiness=_filtered(plane, "blockdetect", "lavfi.block"), blur=_filtered(small, "blurdetect", "lavfi.blur")
    )


def _filtered(plane: Plane, name: str, key: str) -> float:
    height, width = plane.shape
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("gray"), time_base=Fraction(1, 30))
    node, sink = graph.add(name), graph.add("buffersink")
    source.link_to(node)
    node.link_to(sink)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format="gray")
    frame.pts, frame.time_base = 0, Fraction(1, 30)
    source.push(frame)
    source.push(None)
    value = float(sink.pull().metadata[key])
    # A picture without any edge gives no number, one with edges on the grid only an infinite one.
    return 0.0 if np.isnan(value) else min(value, _WORST)
