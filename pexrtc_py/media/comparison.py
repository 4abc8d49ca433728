"""How far a received picture is from the one that was sent: PSNR and SSIM of the luma, where the node has put it.

The reference is scaled to the size at which the picture is shown, so that a small picture is not blamed for being
small; what is measured is coding and rescaling. SSIM is FFmpeg's (8 x 8 windows in steps of 4, after x264), so that
figures can be laid beside those of its `ssim` filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import av
import numpy as np
from numpy.typing import NDArray

from .marks import Plane

__all__ = ["PictureQuality", "Region", "align", "compare", "luma_plane", "psnr", "scaled", "ssim"]

BEST_PSNR_DB: Final = 100.0
"""What equal pictures are given, as infinity has no average."""
_C1: Final = 0.01**2 * 255**2 * 64
_C2: Final = 0.03**2 * 255**2 * 64 * 63
"""Constants of Wang et al. 2004 equation 13 for sums over 64 pixels, as in FFmpeg's vf_ssim.c."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle in a received frame, in pixels; it may reach out of the frame."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureQuality:
    """What one comparison gave."""

    psnr_db: float
    """Peak signal-to-noise ratio of the luma in decibels, 100 at most."""
    ssim: float
    """Structural similarity of the luma, 1 for equal pictures."""


def luma_plane(frame: av.VideoFrame) -> Plane:
    """Return the luma of a decoded planar YUV or grey frame, without copying: valid as long as the frame."""
    plane = frame.planes[0]
    rows: Plane = np.frombuffer(cast(bytes, plane), dtype=np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]


def scaled(plane: Plane, width: int, height: int) -> Plane:
    """Return a plane at another size (bicubic)."""
    if plane.shape == (height, width):
        return plane
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format="gray")
    return luma_plane(frame.reformat(width=width, height=height, format="gray", interpolation="BICUBIC")).copy()


def psnr(reference: Plane, picture: Plane) -> float:
    """Return the peak signal-to-noise ratio in decibels, 100 at most."""
    error = _squared_error(reference, picture)
    return BEST_PSNR_DB if error == 0 else min(BEST_PSNR_DB, float(10 * np.log10(255**2 / error)))


def _squared_error(reference: Plane, picture: Plane) -> float:
    difference = reference.astype(np.float32) - picture
    return float(np.mean(difference * difference))


def _window_sums(values: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return sums over windows of 8 x 8 in steps of 4."""
    height, width = values.shape[0] // 4, values.shape[1] // 4
    blocks = values[: height * 4, : width * 4].reshape(height, 4, width, 4).sum(axis=(1, 3)).astype(np.float64)
    windows: NDArray[np.float64] = blocks[:-1, :-1] + blocks[1:, :-1] + blocks[:-1, 1:] + blocks[1:, 1:]
    return windows


def ssim(reference: Plane, picture: Plane) -> float:
    """Return the mean structural similarity (Z. Wang et al., IEEE Trans. Image Processing 13-4, 2004).

    Raises:
        ValueError: the planes are smaller than 8 x 8 or of different size.
    """
    if reference.shape != picture.shape or min(reference.shape) < 8:
        raise ValueError(f"planes of {reference.shape} and {picture.shape} cannot be compared")
    one, two = reference.astype(np.int32), picture.astype(np.int32)
    sum_1, sum_2 = _window_sums(one), _window_sums(two)
    squares, products = _window_sums(one * one + two * two), _window_sums(one * two)
    variances = squares * 64 - sum_1 * sum_1 - sum_2 * sum_2
    covariance = products * 64 - sum_1 * sum_2
    similarity = (2 * sum_1 * sum_2 + _C1) * (2 * covariance + _C2)
    similarity /= (sum_1 * sum_1 + sum_2 * sum_2 + _C1) * (variances + _C2)
    return float(similarity.mean())


def _visible(shown: Plane, plane: Plane, region: Region) -> tuple[Plane, Plane]:
    """Return a reference of the region's size, and the frame, both cut to what of the region lies in the frame."""
    height, width = plane.shape
    left, top = max(0, region.x), max(0, region.y)
    right, bottom = min(width, region.x + region.width), min(height, region.y + region.height)
    cut = shown[top - region.y : bottom - region.y, left - region.x : right - region.x]
    return cut, plane[top:bottom, left:right]


def compare(reference: Plane, plane: Plane, region: Region) -> PictureQuality:
    """Compare the part of a frame that shows a picture with what was sent.

    Raises:
        ValueError: the region lies outside the frame.
    """
    sent, shown = _visible(scaled(reference, region.width, region.height), plane, region)
    if min(sent.shape) < 8:
        raise ValueError(f"{region} lies outside the frame")
    return PictureQuality(psnr_db=psnr(sent, shown), ssim=ssim(sent, shown))


def align(reference: Plane, plane: Plane, region: Region) -> Region:
    """Return the region moved and resized by some pixels to where the picture fits best.

    A mark tells the place to about a pixel; half a pixel off already costs several decibels. Some tens of milliseconds
    at 1280 x 720: to be done once for each place.
    """
    sizes: dict[tuple[int, int], Plane] = {}

    def misfit(trial: Region) -> float:
        size = (trial.width, trial.height)
        if size not in sizes:
            sizes[size] = scaled(reference, *size)
        sent, shown = _visible(sizes[size], plane, trial)
        return float("inf") if min(sent.shape) < 8 else _squared_error(sent[::_THIN], shown[::_THIN])

    whole = Region(x=0, y=0, width=plane.shape[1], height=plane.shape[0])
    if max(abs(region.x), abs(region.y), abs(region.width - whole.width), abs(region.height - whole.height)) <= 4:
        region = whole  # by far the most frequent place
    best = misfit(region)
    for _ in range(_ROUNDS):
        start = region
        for reach in (2, 1):
            for trial in _nudged(region, reach):
                error = misfit(trial)
                if error < best:
                    best, region = error, trial
        if region == start:
            break
    return region


_THIN: Final = 4
"""Every so many rows are looked at for aligning."""
_ROUNDS: Final = 4
_SHIFTS: Final = ((1, 0), (-1, 0), (0, 1), (0, -1), (-1, 1), (1, -1), (-1, 2), (1, -2))
"""Steps of (position, size) tried in each direction."""


def _nudged(region: Region, reach: int) -> Iterator[Region]:
    x, y, width, height = region.x, region.y, region.width, region.height
    for move, grow in _SHIFTS:
        yield Region(x=x + reach * move, y=y, width=width + reach * grow, height=height)
        yield Region(x=x, y=y + reach * move, width=width, height=height + reach * grow)
