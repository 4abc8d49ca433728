"""Black, still, blocky and blurred pictures are told from good ones."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.media.comparison import scaled
from pexrtc_py.media.marks import Plane
from pexrtc_py.media.picture_measures import PictureMeter, sample_picture


def detailed(seed: int = 1, width: int = 640, height: int = 360) -> Plane:
    return scaled(
        np.random.default_rng(seed).integers(30, 220, (height // 4, width // 4)).astype(np.uint8), width, height
    )


def test_black_is_video_black_with_codec_noise() -> None:
    """Luma 16 with a little noise is black; a dark picture with something in it is not."""
    noise = np.random.default_rng(1).integers(-3, 4, (360, 640))
    black = (16 + noise).astype(np.uint8)
    lit = black.copy()
    lit[100:200, 100:300] = 120
    meter = PictureMeter()
    assert meter.look(black).black
    assert not meter.look(lit).black
    assert not meter.look(detailed()).black


def test_still_is_the_same_picture_again() -> None:
    """A repeat is still, the first picture and a changed one are not; nor is one of another size."""
    meter = PictureMeter()
    moved = np.roll(detailed(), 3, axis=1)
    looks = [meter.look(plane).still for plane in (detailed(), detailed(), moved, moved, detailed(1, 320, 180))]
    assert looks == [False, True, False, True, False]


def test_blur_grows_with_blur() -> None:
    """A picture scaled down and up again is more blurred."""
    tiles = np.random.default_rng(1).integers(30, 220, (9, 16)).astype(np.uint8)
    sharp = np.repeat(np.repeat(tiles, 40, axis=0), 40, axis=1)
    soft = scaled(scaled(sharp, 160, 90), 640, 360)
    assert sample_picture(soft).blur > 1.3 * sample_picture(sharp).blur


def test_blockiness_grows_with_blocks() -> None:
    """Eight by eight blocks of one luma each are blocky."""
    smooth = scaled(np.random.default_rng(5).integers(30, 220, (9, 16)).astype(np.uint8), 640, 360)
    means = smooth.reshape(45, 8, 80, 8).mean(axis=(1, 3)).astype(np.uint8)
    noise = np.random.default_rng(6).integers(0, 2, (360, 640)).astype(np.uint8)
    blocky = np.repeat(np.repeat(means, 8, axis=0), 8, axis=1) + noise
    assert sample_picture(blocky).blockiness > 2 * sample_picture(smooth).blockiness


def test_flat_picture_has_numbers() -> None:
    """A picture without any edge gives finite numbers."""
    sample = sample_picture(np.full((720, 1280), 16, dtype=np.uint8))
    assert np.isfinite([sample.blockiness, sample.blur]).all()


def test_tiny_picture_is_refused() -> None:
    """Nothing sensible can be said of 32 lines."""
    with pytest.raises(ValueError, match="too small"):
        sample_picture(np.zeros((32, 64), dtype=np.uint8))
