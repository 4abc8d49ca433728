"""Decoding, synchronous and in order: encoded frames and gaps in, pictures and sound out.

Rules kept here: one bad packet costs itself (and for video what depends on it), never the decoder; an empty payload is
never fed (FFmpeg takes it for the end of the stream, for ever); video begins, and begins again after any loss, at a key
frame; the timeline of sound stays whole: what is missing is concealed, then silent. `decoding_taps` has the threads.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from .encoding import FRAME_SAMPLES, SAMPLE_RATE
from .frames import Codec, EncodedFrame, Gap, Kind

__all__ = ["AudioDecoding", "Picture", "Sound", "VideoDecoding"]

logger = logging.getLogger(__name__)

# Longest hole that is filled, samples. Beyond it the sender began a new timeline (restart, SSRC change) or was on hold.
_MAX_FILL = 2 * SAMPLE_RATE
# Larger pictures are bad ones, before memory is taken for them. A node sends 1920x1080, a screen 5120x2880 at most.
_MAX_PIXELS = 4096 * 4096
# Concealment fades out over this many samples; what follows is silence.
_FADE = 3 * FRAME_SAMPLES
# Concealment goes over into the sound after it in 2.5 ms, so that the joint does not click.
_JOINT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture."""

    frame: av.VideoFrame
    """Its pts is `rtp_time`, its time base 1/90000."""
    rtp_time: int
    """Unwrapped RTP timestamp, 90 kHz ticks."""
    time: float
    """Seconds on the call's timeline."""
    key: bool
    """Whether it was a key frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A piece of decoded sound at 48 kHz."""

    samples: NDArray[np.int16]
    """Shape (samples, channels)."""
    rtp_time: int
    """Unwrapped RTP timestamp of the first sample, in ticks of the codec's clock."""
    time: float
    """The same in seconds on the call's timeline."""
    concealed: bool = False
    """True when it fills a hole."""

    def frame(self) -> av.AudioFrame:
        """Return it as a packed s16 frame with pts in samples since RTP time 0."""
        channels = self.samples.shape[1]
        layout = "stereo" if channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(self.samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
        frame.pts = round(self.time * SAMPLE_RATE)
        return frame


class VideoDecoding:
    """Decode one stream of pictures; the codec is that of the frames and may change at a key frame.

    Attributes:
        needs_key: true while nothing can be decoded before a key frame comes: the caller should ask for one.
    """

    def __init__(self) -> None:
        self.needs_key = True
        self._codec: Codec | None = None
        self._context: av.VideoCodecContext | None = None

    def feed(self, item: EncodedFrame | Gap) -> list[Picture]:
        """Take the next frame; returns its picture, or nothing."""
        if isinstance(item, Gap):
            self.needs_key = True
            return []
        if not item.data or (self.needs_key and not item.key):
            return []
        if self._context is None or item.codec is not self._codec:
            if not item.key:
                self.needs_key = True
                return []
            self._codec, self._context = item.codec, _video_context(item.codec)
        packet = av.Packet(item.data)
        packet.pts, packet.time_base = item.rtp_time, Fraction(1, 90000)
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError as exc:
            logger.debug("! %s picture at %d is bad: %s", item.codec, item.rtp_time, exc)
            # The context may hold half a picture, so the next key frame gets a new one.
            self.needs_key, self._context = True, None
            return []
        self.needs_key = False
        pictures = []
        for frame in frames:
            frame.pts, frame.time_base = item.rtp_time, Fraction(1, 90000)
            pictures.append(Picture(frame=frame, rtp_time=item.rtp_time, time=item.time, key=item.key))
        return pictures


class AudioDecoding:
    """Decode one stream of sound to 48 kHz; the codec is that of the frames and may change.

    Lost and never sent (DTX) packets are filled up to two seconds: the last sound mirrored and faded out over 60 ms,
    then silence. libopus's own concealment and in-band FEC cannot be reached through FFmpeg.

    Args:
        channels: 1 or 2 in what comes out, whatever was sent.
    """

    def __init__(self, *, channels: int = 1) -> None:
        self.channels = channels
        self._codec: Codec | None = None
        self._context: av.AudioCodecContext | None = None
        self._resampler: av.AudioResampler | None = None
        self._next_rtp: int | None = None
        self._last: NDArray[np.int16] = np.zeros((FRAME_SAMPLES, channels), np.int16)
        self._concealed = _FADE

    def feed(self, item: EncodedFrame | Gap) -> list[Sound]:
        """Take the next packet or gap; returns sound without a hole to what was returned before."""
        if item.codec.kind is not Kind.AUDIO:
            return []
        if isinstance(item, Gap):
            return self._fill(item, item.rtp_time + item.duration)
        if not item.data:
            return []
        samples, ticks = self._decode(item)
        if not ticks:
            return self._fill(item, item.rtp_time + (item.duration or item.codec.clock_rate // 50))
        sounds = self._fill(item, item.rtp_time)
        if self._concealed:
            fade = np.linspace(0.0, 1.0, min(_JOINT, len(samples)), dtype=np.float32)[:, None]
            samples[: len(fade)] = samples[: len(fade)] * fade + self._conceal(len(fade)) * (1 - fade)
            self._concealed = 0
        self._next_rtp = item.rtp_time + ticks
        if len(samples):  # resampling a packet of a few bytes gives none yet
            self._last = samples
            sounds.append(Sound(samples=samples, rtp_time=item.rtp_time, time=item.time))
        return sounds

    def _decode(self, packet: EncodedFrame) -> tuple[NDArray[np.int16], int]:
        """Decode one packet; returns its samples and the RTP ticks it lasts, 0 when it is bad."""
        if self._context is None or packet.codec is not self._codec:
            self._codec, self._context = packet.codec, _audio_context(packet.codec, self.channels)
            layout = "stereo" if self.channels == 2 else "mono"
            self._resampler = None
            if packet.codec is not Codec.OPUS:
                self._resampler = av.AudioResampler(format="s16", layout=layout, rate=SAMPLE_RATE)
        data = av.Packet(packet.data)
        data.pts, data.time_base = packet.rtp_time, Fraction(1, packet.codec.clock_rate)
        try:
            frames = self._context.decode(data)
            ticks = sum(frame.samples * packet.codec.clock_rate // frame.sample_rate for frame in frames)
            if self._resampler is not None:
                for frame in frames:
                    frame.pts = None
                frames = [piece for frame in frames for piece in self._resampler.resample(frame)]
        except (av.FFmpegError, ValueError) as exc:
            logger.debug("! %s packet at %d is bad: %s", packet.codec, packet.rtp_time, exc)
            self._context = None
            return self._last, 0
        pieces = [np.zeros((0, self.channels), np.int16)]
        pieces += [frame.to_ndarray().astype(np.int16, copy=False).reshape(-1, self.channels) for frame in frames]
        return np.concatenate(pieces), ticks

    def _fill(self, item: EncodedFrame | Gap, until: int) -> list[Sound]:
        """Conceal from where sound ended up to RTP time `until`; a hole too long begins a new timeline instead."""
        begin, clock = self._next_rtp, item.codec.clock_rate
        if begin is None or begin >= until:
            return []
        missing = (until - begin) * SAMPLE_RATE // clock
        if missing > _MAX_FILL:
            self._next_rtp = None
            return []
        self._next_rtp = until
        sounds = []
        for start in range(0, missing, FRAME_SAMPLES):
            rtp_time = begin + start * clock // SAMPLE_RATE
            sounds.append(
                Sound(
                    samples=self._conceal(min(FRAME_SAMPLES, missing - start)),
                    rtp_time=rtp_time,
                    time=item.time + (rtp_time - item.rtp_time) / clock,
                    concealed=True,
                )
            )
        return sounds

    def _conceal(self, count: int) -> NDArray[np.int16]:
        """Return `count` samples that go on from the last ones: mirrored, so that the joint has no step, and fading."""
        begin, end = self._concealed, self._concealed + count
        if begin >= _FADE:
            return np.zeros((count, self.channels), np.int16)
        period = np.concatenate([self._last[::-1], self._last])
        mirrored = period[np.arange(begin, end) % len(period)].astype(np.float32)
        gain = np.clip(1.0 - np.arange(begin, end, dtype=np.float32) / _FADE, 0.0, 1.0)
        self._concealed = end
        return (mirrored * gain[:, None]).astype(np.int16)


def _video_context(codec: Codec) -> av.VideoCodecContext:
    # FFmpeg's own decoders; one thread, because frame threads hold pictures back.
    name = {Codec.VP8: "vp8", Codec.VP9: "vp9"}.get(codec, "h264")
    context = cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))
    context.thread_count = 1
    context.options = {"max_pixels": str(_MAX_PIXELS)}
    context.open()
    return context


def _audio_context(codec: Codec, channels: int) -> av.AudioCodecContext:
    names = {Codec.OPUS: "libopus", Codec.G722: "g722", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}
    context = cast(av.AudioCodecContext, av.CodecContext.create(names[codec], "r"))
    # Opus decodes to the channels asked for (RFC 6716 section 2.1.1: any decoder plays mono and stereo).
    context.format, context.layout = "s16", "stereo" if codec is Codec.OPUS and channels == 2 else "mono"
    context.sample_rate = {Codec.OPUS: SAMPLE_RATE, Codec.G722: 16000}.get(codec, 8000)
    context.open()
    return context
