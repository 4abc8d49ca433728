"""Packets of a file or device decoded to raw sound and pictures, on one timeline.

Sound becomes 48 kHz s16 in pieces of exactly 20 ms: holes in it are filled with silence, overlaps left out, a change
of format in the middle is followed. Pictures come out upright, as `yuv420p`, with square pixels and even sides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import av
import numpy as np

from ..encoding import FRAME_SAMPLES, SAMPLE_RATE
from .packets import LONGEST_STILL_S
from .raw import Picture, Samples, Sound, picture_at, sound_at

__all__ = ["PictureDecoder", "SoundDecoder", "fitted_size", "upright"]

logger = logging.getLogger(__name__)

# What the time of sound may be off its place before silence is put in or samples are left out: timestamps in
# milliseconds and resamplers wander by a few, a real hole is a packet or more.
_TOLERANCE: Final = SAMPLE_RATE // 25
_MAX_HOLE: Final = 120 * SAMPLE_RATE


def fitted_size(width: int, height: int, largest: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a picture with even sides that fits into `largest` and keeps the shape; never enlarges."""
    scale = min(1.0, largest[0] / width, largest[1] / height)
    return max(2, int(width * scale) & ~1), max(2, int(height * scale) & ~1)


class SoundDecoder:
    """Decode a track of sound.

    Args:
        stream: the track.
        start: seconds on the file's clock that become 0.
        channels: 1 or 2 in what comes out.
    """

    def __init__(self, stream: av.AudioStream, start: float, *, channels: int) -> None:
        self._context = stream.codec_context
        self._start = start
        self._layout = "stereo" if channels == 2 else "mono"
        self._channels = channels
        self._resampler: av.AudioResampler | None = None
        self._input: tuple[str, str, int] | None = None
        self._rest: Samples = np.zeros((0, channels), np.int16)
        self._taken = 0  # samples put on the timeline, those in `_rest` included
        self._pieces = 0
        self._ended = False

    def feed(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[Sound]:
        """Yield the pieces that the next packet completes; None at the end pads the last one with silence.

        Raises:
            ValueError: the times of the sound make no sense.
        """
        if self._ended:
            return
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as exc:  # InvalidData mostly, but decoders say other things of broken input too
            logger.debug("! a broken packet of sound was left out: %s", exc)
            frames = []
        for frame in frames:
            self._take(frame)
        if packet is None:
            self._ended = True
            self._drain()
            missing = -len(self._rest) % FRAME_SAMPLES
            self._append(np.zeros((missing, self._channels), np.int16))
        while len(self._rest) >= FRAME_SAMPLES:
            piece, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            yield sound_at(self._pieces, np.ascontiguousarray(piece))
            self._pieces += 1

    def _take(self, frame: av.AudioFrame) -> None:
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        resampler = self._resampler
        if resampler is None or form != self._input:
            self._drain()
            self._input = form
            resampler = self._resampler = av.AudioResampler("s16", self._layout, SAMPLE_RATE)
        if frame.pts is not None and frame.time_base:
            place = round((float(frame.pts * frame.time_base) - self._start) * SAMPLE_RATE)
            hole = place - self._taken
            if hole > _MAX_HOLE:
                raise ValueError(f"its sound jumps by {hole / SAMPLE_RATE:.0f} s")
            if hole > _TOLERANCE:
                self._append(np.zeros((hole, self._channels), np.int16))
            elif hole < -max(_TOLERANCE, frame.samples * SAMPLE_RATE // frame.sample_rate):
                return
        frame.pts = None
        for part in resampler.resample(frame):
            self._append(_samples(part, self._channels))

    def _drain(self) -> None:
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                self._append(_samples(part, self._channels))
            self._resampler = None

    def _append(self, samples: Samples) -> None:
        self._taken += len(samples)
        self._rest = np.concatenate([self._rest, samples]) if len(self._rest) else samples


class PictureDecoder:
    """Decode a track of pictures.

    Args:
        stream: the track.
        start: seconds on the file's clock that become 0.
        largest: width and height that no picture goes beyond.
    """

    def __init__(self, stream: av.VideoStream, start: float, *, largest: tuple[int, int]) -> None:
        self._context = stream.codec_context
        self._start = start
        self._largest = largest
        self._unit = float(stream.time_base or 0)
        rate = stream.average_rate or stream.guessed_rate
        self._usual = float(1 / rate) if rate else 1 / 30
        self._aspect = float(stream.codec_context.sample_aspect_ratio or 1)
        self._last = -self._usual

    def feed(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[Picture]:
        """Yield the pictures that the next packet completes; None at the end yields those still held.

        Raises:
            ValueError: the times of the pictures make no sense.
        """
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as exc:
            logger.debug("! a broken picture was left out: %s", exc)
            return
        for frame in frames:
            # Those still held at the end come without a time base: it is taken from the packet (PyAV 18).
            unit = float(frame.time_base or self._unit)
            time = frame.pts * unit - self._start if frame.pts is not None and unit else self._last + self._usual
            if time <= self._last or time < 0:
                continue
            if time - self._last > LONGEST_STILL_S:
                raise ValueError(f"its pictures jump from {max(0.0, self._last):.1f} s to {time:.1f} s")
            self._last = time
            yield picture_at(time, upright(frame, self._aspect, self._largest))


def upright(frame: av.VideoFrame, aspect: float, largest: tuple[int, int]) -> av.VideoFrame:
    """Return a picture turned as its file says, with square pixels and even sides, as `yuv420p`.

    Args:
        frame: any format.
        aspect: width of a pixel by its height.
        largest: width and height that the result does not go beyond.
    """
    sideways = frame.rotation % 180 != 0
    width, height = fitted_size(round(frame.width * aspect), frame.height, largest[::-1] if sideways else largest)
    if not frame.rotation:
        return frame.reformat(width=width, height=height, format="yuv420p")
    # PyAV and numpy both count quarter turns against the clock.
    drawn = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    turned = np.ascontiguousarray(np.rot90(drawn, frame.rotation % 360 // 90)).astype(np.uint8, copy=False)
    return av.VideoFrame.from_ndarray(turned, "rgb24").reformat(format="yuv420p")


def _samples(frame: av.AudioFrame, channels: int) -> Samples:
    return frame.to_ndarray().reshape(-1, channels).astype(np.int16, copy=False)
