"""Marks are found and read where a conferencing node may have put them, and after what codecs do to them."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import cast

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from pexrtc_py.media.marks import Mark, MarkLayout, Plane, draw_mark
from pexrtc_py.media.marks_reading import MarkReader, find_mark

WIDTH, HEIGHT = 1280, 720
LAYOUT = MarkLayout.of_picture(WIDTH, HEIGHT)


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Plane:
    """Return a moving diagonal gradient with the mark of this number."""
    slope = np.add.outer(np.arange(height), np.arange(width) * 0.7)
    plane: Plane = ((slope + number * 7) % 200 + 20).astype(np.uint8)
    draw_mark(plane, mark(number))
    return plane


def mark(number: int) -> Mark:
    return Mark(frame_id=number, clock_ms=600_000_000_000 + number * 33)


def scaled(plane: Plane, width: int, height: int) -> Plane:
    frame = av.VideoFrame.from_ndarray(plane, format="gray")
    return cast(Plane, frame.reformat(width=width, height=height, format="gray").to_ndarray())


def clutter(seed: int = 1) -> Plane:
    """Return a frame full of soft random shapes."""
    noise = np.random.default_rng(seed).integers(0, 255, (45, 80)).astype(np.uint8)
    return scaled(noise, WIDTH, HEIGHT)


def composed(plane: Plane, x: int, y: int, width: int, height: int) -> Plane:
    """Return clutter with the picture scaled and placed in it, as a conferencing node composes."""
    frame = clutter()
    frame[y : y + height, x : x + width] = scaled(plane, width, height)
    return frame


@pytest.mark.parametrize(
    ("x", "y", "width", "height"),
    [
        (0, 0, 1280, 720),
        (160, 90, 960, 540),
        (640, 0, 640, 360),
        (853, 480, 427, 240),
        (37, 61, 320, 180),
        (3, 595, 214, 120),
    ],
)
def test_mark_is_found_at_any_size_and_place(x: int, y: int, width: int, height: int) -> None:
    """The place of the whole picture is found to a few pixels, also as a small picture among clutter."""
    sighting = find_mark(composed(picture(5), x, y, width, height), LAYOUT)
    assert sighting is not None
    assert sighting.mark == mark(5)
    assert sighting.place.picture(LAYOUT) == pytest.approx((x, y, width, height), abs=4)


def test_mark_of_a_cropped_picture_is_found() -> None:
    """A picture shown larger than the frame keeps its middle, and so its mark."""
    sighting = find_mark(scaled(picture(9), 1600, 900)[90:810, 160:1440], LAYOUT)
    assert sighting is not None
    assert sighting.mark == mark(9)


@pytest.mark.parametrize("seed", range(3))
def test_no_mark_is_found_where_there_is_none(seed: int) -> None:
    """Clutter and flat pictures hold no mark."""
    assert find_mark(clutter(seed), LAYOUT) is None
    assert find_mark(np.full((HEIGHT, WIDTH), 40 * seed, dtype=np.uint8), LAYOUT) is None


def test_reader_searches_once_and_then_tracks() -> None:
    """Sixty frames at one place cost one search."""
    reader = MarkReader(WIDTH, HEIGHT)
    for number in range(60):
        sighting = reader.read(composed(picture(number), 853, 480, 427, 240))
        assert sighting is not None
        assert sighting.mark == mark(number)
    assert reader.searches == 1


def test_reader_follows_a_layout_change_and_remembers_the_way_back() -> None:
    """A moved picture is searched once; going back to a known place costs no search."""
    reader = MarkReader(WIDTH, HEIGHT)
    full, small = (0, 0, 1280, 720), (640, 360, 640, 360)
    for number, place in enumerate([full, full, small, small, full, small]):
        sighting = reader.read(composed(picture(number), *place))
        assert sighting is not None
        assert sighting.mark == mark(number)
    assert reader.searches == 2


def test_reader_searches_ever_more_rarely_when_there_is_nothing() -> None:
    """A room that never shows us costs few searches."""
    reader = MarkReader(WIDTH, HEIGHT, search_every=2)
    plane = np.zeros((360, 640), dtype=np.uint8)
    for _ in range(64):
        assert reader.read(plane) is None
    assert reader.searches == 9  # after 0, 3, 8 and then every 9 frames


def test_reader_survives_a_change_of_frame_size() -> None:
    """Another resolution of the received stream is another place."""
    reader = MarkReader(WIDTH, HEIGHT)
    for number, size in enumerate([(1280, 720), (640, 360), (1280, 720)]):
        sighting = reader.read(scaled(picture(number), *size))
        assert sighting is not None
        assert sighting.mark == mark(number)
    assert reader.searches == 2


def through_codec(planes: Iterator[Plane], codec: str, options: dict[str, str], bit_rate: int) -> Iterator[Plane]:
    """Encode and decode luma planes at 30 frames a second."""
    encoder = cast(VideoCodecContext, av.CodecContext.create(codec, "w"))
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.bit_rate, encoder.gop_size, encoder.options = bit_rate, 3000, options
    decoder = av.VideoCodecContext.create("h264" if codec == "libx264" else "vp8", "r")
    for number, plane in enumerate(planes):
        frame = av.VideoFrame.from_ndarray(plane, format="gray").reformat(format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            for decoded in decoder.decode(packet):
                yield cast(Plane, decoded.to_ndarray(format="gray"))


CODECS = {
    "libvpx": {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0", "undershoot-pct": "100"},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
}


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_marks_survive_a_codec_at_300_kbps_and_a_small_picture(codec: str) -> None:
    """Nearly all marks are read after 720p at some 300 kb/s, at full size and as small pictures; none is read wrong."""
    sizes = ((1280, 720), (320, 180), (214, 120))
    readers = {size: MarkReader(WIDTH, HEIGHT) for size in sizes}
    read = dict.fromkeys(sizes, 0)
    pictures = (picture(number) for number in range(40))
    for number, decoded in enumerate(through_codec(pictures, codec, CODECS[codec], 300_000)):
        for size, reader in readers.items():
            sighting = reader.read(scaled(decoded, *size))
            if sighting is not None:
                assert sighting.mark == mark(number)
                read[size] += 1
    assert min(read.values()) >= 36, read


def test_the_right_one_of_two_marks_is_read() -> None:
    """Where a frame shows two pictures, one's own is found and followed, whichever comes first."""
    left, right = (scaled(picture(number), 640, 360) for number in (5, 6))
    frame = np.full((720, 1280), 16, dtype=np.uint8)
    frame[180:540, :640], frame[180:540, 640:] = left, right
    for number in (5, 6):
        reader = MarkReader(WIDTH, HEIGHT, accept=partial(operator.eq, mark(number)))
        for _ in range(2):
            sighting = reader.read(frame)
            assert sighting is not None
            assert sighting.mark == mark(number)
        assert reader.searches == 1
