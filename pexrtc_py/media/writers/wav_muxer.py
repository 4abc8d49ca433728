"""WAV: the one container that takes no codec of a call as speech tools want it, so sound is decoded here.

Sixteen bits at the codec's own rate. What is missing is silence of its length; hours of it are passed over in the file,
which takes neither memory nor, on most disks, room. The lengths in the header follow every round, so that what a kill
leaves is a proper file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import av
import av.error

from ..frames import Codec, EncodedFrame
from .muxer import Chapter
from .target import Target
from .tracks import TrackSpec

__all__ = ["WavMuxer"]

_HEADER_SIZE = 44
_DECODERS = {Codec.OPUS: "libopus", Codec.G722: "g722", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}
_TOLERANCE_S = 0.02
"""Jitter of times that is none of the sound; a hole that is longer is filled."""


class WavMuxer:
    """A `Muxer` of one decoded track of sound."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._pieces_at = _HEADER_SIZE
        self._samples = 0
        self._rate = 48000
        self._channels = 1

    def begin(self, target: Target, specs: Sequence[TrackSpec], metadata: Mapping[str, str]) -> None:
        """Write a header of no length and open the decoder."""
        spec = specs[0]
        self._target = target
        self._rate, self._channels = spec.sample_rate, spec.channels
        layout = "stereo" if spec.channels == 2 else "mono"
        decoder = av.CodecContext.create(_DECODERS[spec.codec], "r")
        if not isinstance(decoder, av.AudioCodecContext):
            raise AssertionError("all of them decode sound")
        decoder.sample_rate = self._rate
        decoder.layout = layout
        self._decoder = decoder
        self._resampler = av.AudioResampler(format="s16", layout=layout, rate=self._rate)
        self._target.write(self._header())

    def ticks_per_s(self, index: int) -> float:
        """Return the sample rate."""
        return float(self._rate)

    def write(self, index: int, frame: EncodedFrame, at: int, duration: int) -> None:
        """Decode, after the silence that is missing before."""
        hole = at - self._samples
        if hole > self._rate * _TOLERANCE_S:
            self._add_silence(hole)
        try:
            sounds = self._decoder.decode(av.Packet(frame.data))
        except av.error.FFmpegError:
            return  # damaged: its time becomes silence with the next one
        for sound in sounds:
            sound.pts = None
            for piece in self._resampler.resample(sound):
                self._add(bytes(piece.planes[0])[: 2 * self._channels * piece.samples])

    def flush(self) -> None:
        """Write the samples, then how many there are."""
        if self._pieces:
            content = b"".join(self._pieces)
            self._target.seek(self._pieces_at)
            self._target.write(content)
            self._pieces.clear()
            self._pieces_at += len(content)
            self._target.seek(0)
            self._target.write(self._header())

    def finish(self, chapters: Sequence[Chapter]) -> None:
        """Nothing is left to do: WAV has no chapters."""

    def _add(self, samples: bytes) -> None:
        self._pieces.append(samples)
        self._samples += len(samples) // (2 * self._channels)

    def _add_silence(self, samples: int) -> None:
        if samples > self._rate:
            self.flush()
            passed = samples - self._rate  # the last second is written, so that the file is as long as it says
            self._pieces_at += 2 * self._channels * passed
            self._samples += passed
            samples = self._rate
        self._add(bytes(2 * self._channels * samples))

    def _header(self) -> bytes:
        block = 2 * self._channels
        size = min(self._samples * block, 0xFFFFFFFF - _HEADER_SIZE)  # longer ones are read to their end all the same
        return (
            b"RIFF"
            + struct.pack("<I", size + _HEADER_SIZE - 8)
            + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, self._channels, self._rate, self._rate * block, block, 16)
            + b"data"
            + struct.pack("<I", size)
        )
