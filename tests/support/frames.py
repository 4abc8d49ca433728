"""Real encoded frames to push into taps: made by PyAV's encoders, the way a receiver or a source would give them out.

`time` of frame n is `start + n / rate` and `rtp_time` the same in ticks. Pictures move, so that every frame differs,
unless `still`; `first_picture` moves the start. With `flash_interval` they are dark but for a flash of two pictures at
each such interval, and with `beep_interval_s` sound is silent but for a beep of 60 ms each so many seconds.

What was encoded once is kept for the next test that wants the same: frames cannot be changed, and the list is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.frame import PictureType

from pexrtc_py.media.frames import Codec, EncodedFrame

__all__ = ["g711_frames", "h264_frames", "merged", "opus_frames", "vp8_frames", "vp9_frames"]

_VIDEO_OPTIONS = {
    Codec.VP8: ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}),
    Codec.VP9: ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
}


def vp8_frames(count: int, **how: object) -> list[EncodedFrame]:
    """Encode `count` pictures with VP8; see `_video_frames`."""
    return list(_video_frames(Codec.VP8, count, **how))


def vp9_frames(count: int, **how: object) -> list[EncodedFrame]:
    """Encode `count` pictures with VP9."""
    return list(_video_frames(Codec.VP9, count, **how))


def h264_frames(count: int, **how: object) -> list[EncodedFrame]:
    """Encode `count` pictures with H.264, Annex B, SPS and PPS before each key frame, no B-frames."""
    return list(_video_frames(Codec.H264, count, **how))


@lru_cache(maxsize=64)
def _video_frames(
    codec: Codec,
    count: int,
    *,
    start: float = 0.0,
    rate: int = 30,
    width: int = 320,
    height: int = 180,
    key_interval: int = 60,
    ntp_offset: float | None = None,
    still: bool = False,
    first_picture: int = 0,
    flash_interval: int = 0,
) -> tuple[EncodedFrame, ...]:
    name, options = _VIDEO_OPTIONS[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, 90000)
    encoder.framerate = Fraction(rate)
    encoder.bit_rate = 400_000
    encoder.gop_size = 10_000
    encoder.thread_count = 1
    encoder.options = options
    frames: list[EncodedFrame] = []
    for number in range(count):
        drawn = _picture(first_picture + (0 if still else number), width, height)
        if flash_interval:
            drawn = np.full_like(drawn, 235 if number % flash_interval < 2 else 16)
        picture = av.VideoFrame.from_ndarray(drawn, format="gray").reformat(format="yuv420p")
        picture.pts = number * 90000 // rate
        picture.time_base = Fraction(1, 90000)
        picture.pict_type = PictureType.I if number % key_interval == 0 else PictureType.NONE
        for packet in encoder.encode(picture):
            frames.append(_video_frame(codec, packet, len(frames), start, rate, width, height, ntp_offset))
    for packet in encoder.encode(None):
        frames.append(_video_frame(codec, packet, len(frames), start, rate, width, height, ntp_offset))
    assert len(frames) == count, "the encoder held frames back"
    return tuple(frames)


def _video_frame(
    codec: Codec,
    packet: av.Packet[av.VideoStream],
    number: int,
    start: float,
    rate: int,
    width: int,
    height: int,
    ntp_offset: float | None,
) -> EncodedFrame:
    time = start + number / rate
    return EncodedFrame(
        codec=codec,
        data=bytes(packet),
        rtp_time=number * 90000 // rate,
        time=time,
        arrival=time,
        ntp_time=None if ntp_offset is None else time + ntp_offset,
        key=packet.is_keyframe,
        width=width,
        height=height,
    )


def _picture(number: int, width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Draw a ramp that moves, with a bright square whose place tells the number."""
    ramp = (np.arange(width, dtype=np.int32)[None, :] + np.arange(height, dtype=np.int32)[:, None] + 3 * number) % 200
    picture = ramp.astype(np.uint8)
    left = (number * 8) % max(1, width - 32)
    picture[height // 2 : height // 2 + 32, left : left + 32] = 255
    return picture


def opus_frames(count: int, **how: float | None) -> list[EncodedFrame]:
    """Encode `count` packets of 20 ms of a stereo tone at 48 kHz; see `_opus_frames`."""
    return list(_opus_frames(count, **how))


@lru_cache(maxsize=64)
def _opus_frames(
    count: int,
    *,
    start: float = 0.0,
    frequency: float = 440.0,
    amplitude: float = 0.3,
    ntp_offset: float | None = None,
    beep_interval_s: float = 0.0,
) -> tuple[EncodedFrame, ...]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = 48000
    encoder.layout = "stereo"
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = 48_000
    encoder.options = {"application": "audio"}
    frames: list[EncodedFrame] = []
    number = 0
    while len(frames) < count:
        at = np.arange(number * 960, (number + 1) * 960) / 48000
        wave = np.sin(2 * np.pi * frequency * at) * amplitude
        if beep_interval_s:
            wave *= (at % beep_interval_s) < 0.06
        tone = (wave * 32767).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None, :], format="s16", layout="stereo")
        sound.sample_rate = 48000
        sound.pts = number * 960
        number += 1
        for packet in encoder.encode(sound):
            time = start + len(frames) * 0.02
            frames.append(
                EncodedFrame(
                    codec=Codec.OPUS,
                    data=bytes(packet),
                    rtp_time=len(frames) * 960,
                    time=time,
                    arrival=time,
                    ntp_time=None if ntp_offset is None else time + ntp_offset,
                    duration=960,
                )
            )
    return tuple(frames[:count])


def g711_frames(count: int, *, start: float = 0.0, codec: Codec = Codec.PCMU) -> list[EncodedFrame]:
    """Make `count` packets of 20 ms of G.711 that step through the byte values."""
    return [
        EncodedFrame(
            codec=codec,
            data=bytes((number * 7 + n) % 256 for n in range(160)),
            rtp_time=number * 160,
            time=start + number * 0.02,
            arrival=start + number * 0.02,
            duration=160,
        )
        for number in range(count)
    ]


def merged(*streams: Sequence[EncodedFrame]) -> list[tuple[int, EncodedFrame]]:
    """Put streams in one order of time: pairs of the stream's index and the frame."""
    pairs = [(index, frame) for index, stream in enumerate(streams) for frame in stream]
    return sorted(pairs, key=lambda pair: pair[1].time)
