"""PSNR and SSIM agree with FFmpeg's filters, and pictures are compared where the node has put them."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph

from pexrtc_py.media.comparison import Region, align, compare, luma_plane, psnr, scaled, ssim
from pexrtc_py.media.marks import Plane

RNG = np.random.default_rng(3)


def picture(width: int = 640, height: int = 360) -> Plane:
    return scaled(RNG.integers(16, 235, (36, 64)).astype(np.uint8), width, height)


def noisy(plane: Plane, sigma: float) -> Plane:
    return np.clip(plane + RNG.normal(0, sigma, plane.shape), 0, 255).astype(np.uint8)


def ffmpeg(name: str, key: str, one: Plane, two: Plane) -> float:
    height, width = one.shape
    graph = Graph()
    node, sink = graph.add(name), graph.add("buffersink")
    sources = []
    for index in range(2):
        source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("gray"), time_base=Fraction(1, 30))
        source.link_to(node, 0, index)
        sources.append(source)
    node.link_to(sink)
    graph.configure()
    for source, plane in zip(sources, (two, one), strict=True):
        frame = av.VideoFrame.from_ndarray(plane, format="gray")
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        source.push(frame)
        source.push(None)
    return float(sink.pull().metadata[key])


@pytest.mark.parametrize("sigma", [1, 4, 16])
def test_psnr_and_ssim_are_those_of_ffmpeg(sigma: float) -> None:
    """To the digits that FFmpeg prints."""
    one = picture()
    two = noisy(one, sigma)
    assert psnr(one, two) == pytest.approx(ffmpeg("psnr", "lavfi.psnr.psnr_avg", one, two), abs=0.02)
    assert ssim(one, two) == pytest.approx(ffmpeg("ssim", "lavfi.ssim.All", one, two), abs=0.001)


def test_equal_pictures_have_the_best_marks() -> None:
    """A hundred decibels and one."""
    plane = picture()
    assert psnr(plane, plane) == 100
    assert ssim(plane, plane) == pytest.approx(1)


def test_ssim_refuses_what_cannot_be_compared() -> None:
    """Sizes must agree."""
    with pytest.raises(ValueError, match="cannot be compared"):
        ssim(picture(), picture(320, 180))


@pytest.mark.parametrize(
    "region", [Region(x=100, y=40, width=320, height=180), Region(x=-80, y=-45, width=800, height=450)]
)
def test_a_picture_is_aligned_to_the_pixel(region: Region) -> None:
    """From two pixels off, the place is found, and a picture only scaled compares as nearly equal."""
    sent = picture()
    frame = RNG.integers(0, 255, (360, 640)).astype(np.uint8)
    shown = scaled(sent, region.width, region.height)
    top, left = max(0, region.y), max(0, region.x)
    part = shown[top - region.y :, left - region.x :][: 360 - top, : 640 - left]
    frame[top : top + part.shape[0], left : left + part.shape[1]] = part
    off = Region(x=region.x + 2, y=region.y - 1, width=region.width - 1, height=region.height + 1)
    found = align(sent, frame, off)
    assert found == region
    assert compare(sent, frame, found).psnr_db > 60
    assert compare(sent, frame, off).psnr_db < 50


def test_a_region_outside_the_frame_is_refused() -> None:
    """Nothing to compare is an error, not a number."""
    with pytest.raises(ValueError, match="outside the frame"):
        compare(picture(), picture(), Region(x=700, y=0, width=64, height=36))


def test_luma_of_a_padded_frame_is_cut() -> None:
    """The bytes that pad a line are no pixels."""
    frame = av.VideoFrame.from_ndarray(picture(214, 120), format="gray").reformat(format="yuv420p")
    assert luma_plane(frame).shape == (120, 214)
