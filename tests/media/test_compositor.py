"""The composed picture: everybody in place, whole, named; encoded once per codec."""

from __future__ import annotations

import asyncio
import time as clocks

import av
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from pexrtc_py.media.compositor import Compositor
from pexrtc_py.media.compositor_canvas import Canvas, SceneTile
from pexrtc_py.media.decoding import VideoDecoding
from pexrtc_py.media.encoding import VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap


def plain(luma: int, width: int = 160, height: int = 120) -> av.VideoFrame:
    """A picture of one grey."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def tile(source: str, x: float, y: float, width: float, height: float, label: str = "") -> SceneTile:
    """A tile by place."""
    return SceneTile(source=source, label=label, x=x, y=y, width=width, height=height)


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The luma plane."""
    height = frame.height
    planes: NDArray[np.uint8] = frame.to_ndarray(format="yuv420p").astype(np.uint8)
    return planes[:height]


def test_pictures_keep_their_shape_in_their_tiles() -> None:
    """A 4:3 picture in a 16:9 tile stands in the middle between black bars; the other half is untouched."""
    canvas = Canvas(640, 360)
    canvas.draw(plain(200), tile("ada", 0.0, 0.0, 0.5, 0.5))
    picture = luma(canvas.frame())
    assert picture[90, 160] == 200
    assert picture[90, 20] == picture[90, 300] == 16
    assert picture[2, 160] == picture[177, 160] == 200
    assert (picture[180:] == 16).all()
    assert (picture[:, 320:] == 16).all()


def test_names_are_written_under_their_picture() -> None:
    """White on dark at the lower edge of the tile, and nowhere else; a long or strange name is cut, no error."""
    canvas, place = Canvas(640, 360), tile("ada", 0.0, 0.0, 0.5, 1.0, "Ada \x00 Løvelace\n" + "x" * 300)
    canvas.draw(plain(120, 320, 360), place)
    canvas.write(place)
    picture = luma(canvas.frame())
    strip = picture[-30:, :320]
    assert (strip > 200).sum() > 300
    assert np.median(strip) < 60
    assert (picture[:300, :320] == 120).all()
    assert (picture[:, 320:] == 16).all()
    canvas.write(tile("ben", 0.99, 0.99, 0.01, 0.01, "Ben"))


class Screen:
    """A tap that decodes what it gets."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []
        self.pictures: list[av.VideoFrame] = []
        self.changed = asyncio.Event()
        self._decoding = VideoDecoding()

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        self.frames.append(item)
        self.pictures += [picture.frame for picture in self._decoding.feed(item)]
        self.changed.set()

    def end(self) -> None:
        pass

    async def shows(self, left: int, right: int) -> None:
        """Wait for a picture with these greys in the middle of its halves."""
        async with asyncio.timeout(10):
            while True:
                await self.changed.wait()
                self.changed.clear()
                picture = luma(self.pictures[-1])
                halves = int(picture[90, 80]), int(picture[90, 240])
                if abs(halves[0] - left) < 8 and abs(halves[1] - right) < 8:
                    return

    async def has_keys(self, count: int) -> None:
        """Wait for so many key frames."""
        async with asyncio.timeout(10):
            while sum(frame.key for frame in self.frames) < count:
                self.changed.clear()
                await self.changed.wait()


async def test_two_publishers_are_composed_for_two_codecs() -> None:
    """An H.264 and a VP8 publisher are seen side by side in both codecs; the first picture of each is a key frame."""
    compositor = Compositor(width=320, height=180)
    screens = {codec: Screen() for codec in (Codec.VP8, Codec.H264)}
    asked = asyncio.Event()
    try:
        compositor.start()
        compositor.set_scene([tile("ada", 0, 0, 0.5, 1), tile("ben", 0.5, 0, 0.5, 1)])
        for codec, screen in screens.items():
            compositor.add_output(codec, screen)
        ada = compositor.add_input("ada", asked.set)
        ben = compositor.add_input("ben", asked.set)
        for source, codec, grey in ((ada, Codec.VP8, 80), (ben, Codec.H264, 180)):
            encoder = VideoEncoder(codec, 160, 120, 30, 300_000)
            for frame in encoder.encode(plain(grey), rtp_time=0, time=0.0):
                source.push(frame)
        for screen in screens.values():
            await screen.shows(80, 180)
        compositor.request_key_frame(Codec.VP8)
        compositor.set_scene([tile("ben", 0, 0, 0.5, 1)])
        compositor.remove_input("ada")
        for screen in screens.values():
            await screen.shows(180, 16)
        await screens[Codec.VP8].has_keys(2)
    finally:
        await compositor.aclose()
    assert [frame.key for frame in screens[Codec.VP8].frames].count(True) == 2
    assert [frame.key for frame in screens[Codec.H264].frames].count(True) == 1
    for screen in screens.values():
        assert screen.frames[0].key
        times = [frame.rtp_time for frame in screen.frames]
        assert times == sorted(set(times))


@pytest.mark.parametrize("started", [True, False])
async def test_a_compositor_closes_twice_and_unstarted(*, started: bool) -> None:
    """aclose() is idempotent and ends the thread; nothing is composed without an output."""
    compositor = Compositor(width=320, height=180)
    if started:
        compositor.start()
        compositor.start()
    await compositor.aclose()
    await compositor.aclose()


async def test_an_input_that_is_not_emptied_waits_for_a_key_frame() -> None:
    """More than a second is not queued; after that only a key frame is taken, and that only when there is room."""
    asked: list[None] = []
    compositor = Compositor(width=320, height=180)
    source = compositor.add_input("ada", lambda: asked.append(None))
    [key] = VideoEncoder(Codec.VP8, 160, 120, 30, 300_000).encode(plain(80), rtp_time=0, time=0.0)
    for number in range(40):
        source.push(replace(key, rtp_time=3000 * number, key=number == 0))
    assert len(asked) == 10
    source.push(key)
    assert len(asked) == 11
    screen = Screen()
    try:
        compositor.start()
        compositor.set_scene([tile("ada", 0, 0, 0.5, 1)])
        compositor.add_output(Codec.VP8, screen)
        await screen.shows(80, 16)
        source.push(replace(key, key=False))
        source.push(key)
        assert len(asked) == 12
    finally:
        await compositor.aclose()


async def test_the_composed_picture_is_of_the_time_of_the_main_speakers() -> None:
    """Lips stay with the sound: where the main tile stands on the timeline, there the composed picture."""
    compositor = Compositor(width=320, height=180)
    screen = Screen()
    try:
        compositor.start()
        compositor.set_scene([tile("ada", 0, 0, 0.5, 1), tile("ben", 0.5, 0, 0.5, 1)])
        compositor.add_output(Codec.VP8, screen)
        ada, ben = (compositor.add_input(name, lambda: None) for name in ("ada", "ben"))
        time = clocks.monotonic() + 0.4
        for source, grey, moment in ((ben, 180, time - 0.2), (ada, 80, time)):
            encoder = VideoEncoder(Codec.VP8, 160, 120, 30, 300_000)
            for frame in encoder.encode(plain(grey), rtp_time=0, time=moment):
                source.push(frame)
        await screen.shows(80, 180)
    finally:
        await compositor.aclose()
    assert min(abs(frame.time - time) for frame in screen.frames) < 0.001


async def test_a_compositor_keeps_to_what_its_watchers_can_take() -> None:
    """A limit lowers the rate at once, and none gives it back; an unknown codec's is ignored."""
    compositor = Compositor(width=320, height=180)
    screen, dice = Screen(), np.random.default_rng(1)
    sizes: dict[int, list[int]] = {}
    try:
        compositor.start()
        compositor.set_scene([tile("ada", 0, 0, 1, 1)])
        compositor.add_output(Codec.VP8, screen, bitrate_bps=2_000_000)
        compositor.set_bitrate(Codec.H264, 1)
        ada = compositor.add_input("ada", lambda: None)
        encoder = VideoEncoder(Codec.VP8, 320, 180, 25, 4_000_000)
        for limit in (2_000_000, 150_000):
            compositor.set_bitrate(Codec.VP8, limit)
            before = len(screen.frames)
            number = 0
            async with asyncio.timeout(15):
                while len(screen.frames) < before + 20:
                    noise = av.VideoFrame.from_ndarray(dice.integers(110, 140, (270, 320), np.uint8), format="yuv420p")
                    for frame in encoder.encode(noise, rtp_time=3600 * number, time=0.0, force_key=number == 0):
                        ada.push(frame)
                    number += 1
                    await asyncio.sleep(0.04)
            sizes[limit] = [len(frame.data) for frame in screen.frames[before + 8 :]]
    finally:
        await compositor.aclose()
    assert np.mean(sizes[150_000]) < 0.6 * np.mean(sizes[2_000_000])
