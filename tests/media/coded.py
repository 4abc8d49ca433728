"""Pictures and sound as the encoders of the package make them."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame


def pictures(count: int, *, noise: int = 0, width: int = 320, height: int = 180) -> Iterator[av.VideoFrame]:
    """A bright block moving over a gradient, and noise when bits are to be needed."""
    dice = np.random.default_rng(1)
    gradient = np.tile(np.linspace(40, 200, width), (height, 1))
    for number in range(count):
        luma = gradient + dice.integers(-noise, noise + 1, gradient.shape)
        luma[60:100, 4 * number % width : 4 * number % width + 40] = 235
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = luma.clip(16, 235).astype(np.uint8)
        yield av.VideoFrame.from_ndarray(planes, format="yuv420p")


def tone(hertz: float, seconds: float, *, channels: int = 1) -> NDArray[np.int16]:
    """A sine of quarter amplitude, shaped (samples, channels)."""
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(round(48000 * seconds)) / 48000)
    return np.repeat(wave.astype(np.int16)[:, None], channels, axis=1)


def encode_video(
    encoder: VideoEncoder, frames: Iterator[av.VideoFrame], *, keys: frozenset[int] = frozenset()
) -> list[EncodedFrame]:
    """Encode at 30 pictures a second."""
    return [
        encoded
        for number, frame in enumerate(frames)
        for encoded in encoder.encode(frame, rtp_time=3000 * number, time=number / 30, force_key=number in keys)
    ]


def opus(seconds: float) -> list[EncodedFrame]:
    """A tone as Opus packets."""
    encoder = AudioEncoder()
    return [
        frame
        for number, sound in enumerate(np.split(tone(440, seconds), round(seconds * 50)))
        for frame in encoder.encode(sound, rtp_time=960 * number, time=number / 50)
    ]


def video(codec: Codec, *, keys: frozenset[int] = frozenset()) -> list[EncodedFrame]:
    """Twenty pictures."""
    return encode_video(VideoEncoder(codec, 320, 180, 30, 300_000), pictures(20), keys=keys)
