"""Encoders with settings for real time: one picture or 20 ms of sound in, at once what is to be sent out.

Nothing looks ahead and nothing is reordered, so an encoder adds no delay of its own. Key frames come when asked for (a
picture's own `pict_type`, as decoders and lavfi leave it, never counts). These objects are synchronous and belong to
one thread at a time; PyAV releases the GIL while it encodes.

Changing the bitrate: x264 at constant bitrate follows each step up to twice what it began with. libvpx and libopus read
theirs only when opened (FFmpeg 8), so VP8 opens a new encoder, which costs a key frame, only on a step worth it.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from .frames import Codec, EncodedFrame, Kind
from .voice import level_dbov

__all__ = ["FRAME_SAMPLES", "OPUS_BPS", "SAMPLE_RATE", "AudioEncoder", "OpusSettings", "VideoEncoder"]

SAMPLE_RATE = 48000
"""Samples per second of all PCM that is encoded, decoded and mixed here."""
FRAME_SAMPLES = 960
"""Samples per channel of one audio frame: 20 ms (RFC 7587 section 4.2 recommends it, RFC 3551 defaults to it)."""

_VIDEO_TIME_BASE = Fraction(1, 90000)
# Pictures between unasked key frames; what is sent over RTP is asked for by PLI and FIR, so hardly ever.
_LONG_GOP = 3000
# A VP8 encoder is rebuilt only when the new bitrate is outside these multiples of the one it was opened with.
_VP8_STEP_DOWN, _VP8_STEP_UP = 0.75, 1.5
# x264 follows changes below the maximum it was opened with, and only as constant bitrate (maximum equal to the average
# when opened): so it is opened with this multiple of the target and set to the target before the first picture.
_X264_HEADROOM = 2
# Pictures of average size that a page of text may take, at once: as many as VP8's 1800 % below. At five pictures a
# second a buffer of one second is five of them, and 1080p was a blur (SSIM 0.82 after a change of page; now 0.95).
_PAGE_PICTURES = 20
# Sound in DTX is sent as one packet in 400 ms (RFC 7587 section 3.1.3).
_DTX_PACKETS = 20
# Samples by which libopus's `audio` mode looks ahead at 48 kHz (OPUS_GET_LOOKAHEAD; a decoder's pre-skip).
_OPUS_LOOK_AHEAD = 312
# libopus's packet for digital silence: a TOC byte and at most two more.
_DTX_BYTES = 3
# Below 56 kb/s libopus codes much sound with SILK, which gives noise back 1.1 dB softer; at 64 it codes with CELT where
# no loss is expected: as loud as it was, in half the time. Its `voip` mode prefers SILK at all of these rates.
OPUS_BPS = {1: 64000, 2: 96000}
"""Bits per second of Opus by its channels, unless something else is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusSettings:
    """What of an `AudioEncoder` can be changed while it encodes."""

    channels: int
    """1 or 2 in what is given to `encode`."""
    bitrate_bps: int
    """Bits per second on average."""
    capped: bool = False
    """Whether that is not exceeded by single tones either (constrained VBR), which they do by three quarters."""
    fec: bool
    """In-band forward error correction."""
    expected_loss_percent: int
    """How many packets in a hundred the receiver reports lost."""


class VideoEncoder:
    """Encode pictures to VP8 or H.264 (constrained baseline, Annex B, SPS and PPS before each key frame).

    Args:
        codec: VP8 or H264.
        width: pixels; odd widths are rounded down to even. Pictures of another size are scaled to it.
        height: pixels, likewise.
        frame_rate: pictures per second to plan the bits for; the actual rate may vary.
        bitrate_bps: target, bits per second.
        screen: tune for slides: sharper text, more bits per key frame.
        key_interval_s: seconds between unasked key frames; None: only when asked for.
    """

    def __init__(
        self,
        codec: Codec,
        width: int,
        height: int,
        frame_rate: float,
        bitrate_bps: int,
        *,
        screen: bool = False,
        key_interval_s: float | None = None,
    ) -> None:
        if codec not in (Codec.VP8, Codec.H264):
            raise ValueError(f"no encoder for {codec}")
        self.codec = codec
        self.width = max(2, width & ~1)
        self.height = max(2, height & ~1)
        self.frame_rate = frame_rate
        self.bitrate_bps = bitrate_bps
        self._screen = screen
        self._gop = _LONG_GOP if key_interval_s is None else max(1, round(key_interval_s * frame_rate))
        self._opened_bps = bitrate_bps
        self._context: av.VideoCodecContext | None = None
        self._last_pts = -1

    def encode(
        self, frame: av.VideoFrame, *, rtp_time: int, time: float, force_key: bool = False
    ) -> list[EncodedFrame]:
        """Encode one picture; returns one frame, or none should the encoder have dropped it.

        Args:
            frame: any pixel format and size; its pts, time base and picture type may be overwritten.
            rtp_time: 90 kHz ticks, copied to the result; should increase.
            time: seconds on the caller's timeline, copied to the result.
            force_key: make this one a key frame.
        """
        if (frame.width, frame.height, frame.format.name) != (self.width, self.height, "yuv420p"):
            frame = frame.reformat(width=self.width, height=self.height, format="yuv420p")
        context = self._context = self._context or self._open()
        # Encoders refuse a pts that does not increase; they need it only to plan bits.
        self._last_pts = frame.pts = max(rtp_time, self._last_pts + 1)
        frame.time_base = _VIDEO_TIME_BASE
        frame.duration = round(90000 / self.frame_rate)
        frame.pict_type = PictureType.I if force_key else PictureType.NONE
        return [
            EncodedFrame(
                codec=self.codec,
                data=bytes(packet),
                rtp_time=rtp_time,
                time=time,
                arrival=time,
                key=packet.is_keyframe,
                width=self.width,
                height=self.height,
                duration=round(90000 / self.frame_rate),
            )
            for packet in context.encode(frame)
        ]

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Aim at this many bits per second from the next picture on.

        H.264 follows each step up to twice the bitrate it was opened with. VP8 ignores steps down of less than a
        quarter and up of less than a half. What goes beyond opens a new encoder, which begins with a key frame.
        """
        self.bitrate_bps = bitrate_bps
        if self._context is None:
            self._opened_bps = bitrate_bps
        elif self.codec is Codec.H264 and bitrate_bps <= self._opened_bps * _X264_HEADROOM:
            self._context.bit_rate = bitrate_bps
        elif not _VP8_STEP_DOWN * self._opened_bps < bitrate_bps < _VP8_STEP_UP * self._opened_bps:
            self._context = None
            self._opened_bps = bitrate_bps

    def _open(self) -> av.VideoCodecContext:
        name = "libvpx" if self.codec is Codec.VP8 else "libx264"
        context = cast(av.VideoCodecContext, av.CodecContext.create(name, "w"))
        bitrate = self._opened_bps
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = _VIDEO_TIME_BASE
        context.framerate = Fraction(self.frame_rate).limit_denominator(1001)
        context.bit_rate = bitrate * _X264_HEADROOM if self.codec is Codec.H264 else bitrate
        context.gop_size = self._gop
        context.max_b_frames = 0
        context.thread_count = _threads(self.width * self.height)
        if self.codec is Codec.VP8:
            context.qmin, context.qmax = 2, 44 if self._screen else 56
            context.options = {
                "deadline": "realtime",
                "cpu-used": "-6" if self._screen else "-8",
                "lag-in-frames": "0",
                "error-resilient": "default",
                # Equal rates make it constant bitrate; bufsize is one second of it.
                "minrate": str(bitrate),
                "maxrate": str(bitrate),
                "bufsize": str(bitrate),
                "undershoot-pct": "100",
                "overshoot-pct": "15",
                "static-thresh": "1",
                # Percent of an average picture a key frame may take.
                "max-intra-rate": "1800" if self._screen else "600",
            }
        else:
            buffer_s = max(1.0, _PAGE_PICTURES / self.frame_rate) if self._screen else 1.0
            context.options = {
                "preset": "veryfast" if self._screen else "superfast",
                "tune": "zerolatency",
                "profile": "baseline",
                "forced-idr": "1",
                "sc_threshold": "0",
                "maxrate": str(bitrate * _X264_HEADROOM),
                "bufsize": str(round(bitrate * buffer_s)),
            }
        context.open()
        context.bit_rate = bitrate
        return context


class AudioEncoder:
    """Encode sound: exactly 20 ms of 48 kHz in, one packet out.

    G.722 and G.711 are mono and resampled; their first call returns nothing while the resampler's filter fills.

    Args:
        codec: OPUS, G722, PCMU or PCMA.
        channels: 1 or 2 in what is given to `encode`; only Opus sends two.
        bitrate_bps: bits per second, Opus only; None: 64000, in stereo 96000.
        fec: in-band forward error correction, Opus only: with an expected loss above zero libopus codes speech with
            SILK, and each packet carries the one before again (RFC 6716 section 2.1.7). Music carries none.
        expected_loss_percent: how many packets in a hundred the receiver reports lost, Opus only.
        dtx: send digital silence as one packet in 400 ms. FFmpeg does not offer libopus's own detector, so noise
            however faint is sent in full.
    """

    def __init__(
        self,
        codec: Codec = Codec.OPUS,
        *,
        channels: int = 1,
        bitrate_bps: int | None = None,
        fec: bool = True,
        expected_loss_percent: int = 0,
        dtx: bool = False,
    ) -> None:
        if codec.kind is not Kind.AUDIO:
            raise ValueError(f"{codec} is no audio codec")
        if channels not in (1, 2):
            raise ValueError(f"{channels} channels: only mono and stereo")
        self.codec = codec
        self.settings = OpusSettings(
            channels=channels,
            bitrate_bps=bitrate_bps or OPUS_BPS[channels],
            fec=fec,
            expected_loss_percent=expected_loss_percent,
        )
        self._dtx = dtx
        self._silent = 0
        self._pts = 0
        # Times and levels of what the resampler still holds.
        self._pending: deque[tuple[int, float, int]] = deque(maxlen=4)
        self._rate = {Codec.OPUS: SAMPLE_RATE, Codec.G722: 16000}.get(codec, 8000)
        self._resampler: av.AudioResampler | None = None
        if codec is not Codec.OPUS:
            self._resampler = av.AudioResampler(
                format="s16", layout="mono", rate=self._rate, frame_size=self._rate // 50
            )
        self._context = self._open()

    @property
    def frame_ticks(self) -> int:
        """RTP ticks per frame: 960 for Opus, 160 for the others."""
        return self.codec.clock_rate // 50

    @property
    def delay_s(self) -> float:
        """How much later a packet's sound is than what was given with its time: the codec's look-ahead, seconds."""
        return _OPUS_LOOK_AHEAD / SAMPLE_RATE if self.codec is Codec.OPUS else 0.0

    def encode(self, sound: av.AudioFrame | NDArray[np.int16], *, rtp_time: int, time: float) -> list[EncodedFrame]:
        """Encode 20 ms.

        Args:
            sound: 960 s16 samples per channel at 48 kHz: an array shaped (960,) or (960, channels), or a packed frame.
            rtp_time: ticks of the codec's clock of the first sample, copied to the result.
            time: the same in seconds on the caller's timeline.

        Raises:
            ValueError: not 20 ms, or not the format promised.
        """
        frame = sound if isinstance(sound, av.AudioFrame) else self._frame(sound)
        if frame.samples != FRAME_SAMPLES or frame.sample_rate != SAMPLE_RATE or frame.format.name != "s16":
            raise ValueError(f"{frame.samples} samples of {frame.sample_rate} Hz {frame.format.name}, not 20 ms of s16")
        samples = cast(NDArray[np.int16], sound.to_ndarray()) if isinstance(sound, av.AudioFrame) else sound
        level = round(-level_dbov(samples))
        self._pending.append((rtp_time, time, level))
        frame.pts, frame.time_base = self._pts, Fraction(1, SAMPLE_RATE)
        self._pts += FRAME_SAMPLES
        resampled = [frame] if self._resampler is None else self._resampler.resample(frame)
        packets = [packet for piece in resampled for packet in self._context.encode(piece)]
        encoded = []
        for packet in packets:
            rtp_time, time, level = self._pending.popleft()
            data = bytes(packet)
            if self._holds_back(data):
                continue
            encoded.append(
                EncodedFrame(
                    codec=self.codec,
                    data=data,
                    rtp_time=rtp_time,
                    time=time,
                    arrival=time,
                    duration=self.frame_ticks,
                    level=level,
                )
            )
        return encoded

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Aim at this many bits per second: a new Opus encoder, hardly to be heard. Other codecs have one rate."""
        self.tune(replace(self.settings, bitrate_bps=bitrate_bps))

    def set_expected_loss(self, percent: int) -> None:
        """Prepare for this share of lost packets (0 to 100): a new Opus encoder. Other codecs do not care."""
        self.tune(replace(self.settings, expected_loss_percent=percent))

    def tune(self, settings: OpusSettings) -> None:
        """Go on with other settings: a new Opus encoder if any differs. Other codecs go on as they are.

        From now on `encode` takes so many channels. A decoder goes on through the change, RFC 6716 section 4.5.
        """
        if self.codec is Codec.OPUS and settings != self.settings:
            self.settings = settings
            self._context = self._open()

    @property
    def channels(self) -> int:
        """Of what is given to `encode`."""
        return self.settings.channels

    @property
    def bitrate_bps(self) -> int:
        """Of Opus, bits per second."""
        return self.settings.bitrate_bps

    def _holds_back(self, data: bytes) -> bool:
        """Say whether DTX keeps this packet from being sent."""
        if not self._dtx or self.codec is not Codec.OPUS or len(data) > _DTX_BYTES:
            self._silent = 0
            return False
        self._silent += 1
        return self._silent > 1 and self._silent % _DTX_PACKETS != 0

    def _frame(self, sound: NDArray[np.int16]) -> av.AudioFrame:
        layout = "stereo" if self.channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = SAMPLE_RATE
        return frame

    def _open(self) -> av.AudioCodecContext:
        names = {Codec.OPUS: "libopus", Codec.G722: "g722", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}
        context = cast(av.AudioCodecContext, av.CodecContext.create(names[self.codec], "w"))
        context.sample_rate, context.format = self._rate, "s16"
        context.layout = "stereo" if self.codec is Codec.OPUS and self.channels == 2 else "mono"
        context.time_base = Fraction(1, self._rate)
        if self.codec is Codec.OPUS:
            settings = self.settings
            context.bit_rate = settings.bitrate_bps
            context.options = {
                "application": "audio",
                "frame_duration": "20",
                "fec": str(int(settings.fec)),
                "packet_loss": str(settings.expected_loss_percent),
                "vbr": "constrained" if settings.capped else "on",
            }
        elif self.codec is Codec.G722:
            context.bit_rate = 64000
        context.open()
        return context


def _threads(pixels: int) -> int:
    """Threads for a picture of so many pixels: small ones are not worth a second."""
    wanted = 1 if pixels <= 640 * 480 else 2 if pixels <= 1280 * 720 else 4
    return min(wanted, os.cpu_count() or 1)
