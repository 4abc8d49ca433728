"""What an encoder's settings do to what comes out: channels of sound, sharpness of slides."""

from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pexrtc_py.media.comparison import luma_plane, ssim
from pexrtc_py.media.decoding import AudioDecoding, VideoDecoding
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec


def loudest_hertz(wave: NDArray[np.int16]) -> float:
    """The frequency that stands out."""
    spectrum = np.abs(np.fft.rfft(wave.astype(np.float64)))
    return float(spectrum.argmax()) * 48000 / len(wave)


def test_stereo_stays_stereo() -> None:
    """Another tone in each ear comes out as that; sent in mono, both ears would hear both."""
    times = np.arange(48000) / 48000
    left, right = (8000 * np.sin(2 * np.pi * hertz * times) for hertz in (440, 1000))
    sound = np.stack([left, right], axis=1).astype(np.int16)
    encoder, decoding = AudioEncoder(channels=2), AudioDecoding(channels=2)
    heard = [
        piece.samples
        for number in range(50)
        for packet in encoder.encode(sound[960 * number :][:960], rtp_time=960 * number, time=number / 50)
        for piece in decoding.feed(packet)
    ]
    wave = np.concatenate(heard)[9600:]
    assert loudest_hertz(wave[:, 0]) == pytest.approx(440, abs=3)
    assert loudest_hertz(wave[:, 1]) == pytest.approx(1000, abs=3)


def page(number: int) -> av.VideoFrame:
    """A 1080p page of small text; each has other words."""
    image = Image.new("L", (1920, 1080), "white")
    draw = ImageDraw.Draw(image)
    for row in range(50):
        words = " ".join(f"{(number * 7919 + row * 104729 + column * 31) % 99991:05d}" for column in range(30))
        draw.text((40, 20 + row * 21), words, fill="black")
    return av.VideoFrame.from_ndarray(np.array(image), format="gray").reformat(format="yuv420p")


def likeness(encoder: VideoEncoder, pages: list[av.VideoFrame]) -> list[float]:
    """Show each page for two seconds; return how like it its first picture is."""
    decoding, found = VideoDecoding(), []
    for number in range(10 * (len(pages) - 1) + 1):
        shown = pages[number // 10]
        [packet] = encoder.encode(shown, rtp_time=18000 * number, time=number / 5)
        [picture] = decoding.feed(packet)
        if number % 10 == 0:
            assert (picture.frame.width, picture.frame.height) == (1920, 1080)
            found.append(ssim(luma_plane(shown), luma_plane(picture.frame)))
    return found


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
def test_slides_of_1080p_are_sharp(codec: Codec) -> None:
    """Pages of small text at five pictures a second, in 560 kb/s, can be read: each with its first picture.

    H.264 was a blur: its buffer of a second held five pictures, and a page of text is as much as twenty.
    """
    pages = [page(number) for number in range(2)]
    slides = likeness(VideoEncoder(codec, 1920, 1080, 5, 560_000, screen=True), pages)
    [faces] = likeness(VideoEncoder(codec, 1920, 1080, 5, 560_000), pages[:1])
    assert slides[0] > 0.98
    assert slides[1] > 0.94
    assert slides[0] > faces
