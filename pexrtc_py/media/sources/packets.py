"""Packets that are sent as they lie in a file: which ones can be, and how they become encoded frames.

What a WebRTC peer takes is narrower than what files hold: no picture refers forwards (its pts would step back), H.264
comes as Annex B with SPS and PPS before each key frame, VP8 has no invisible frames, Opus lasts 20 ms a packet.
`fitness` looks at the first packets of a track and says why it has to be transcoded, or that it need not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile, pairwise
from typing import Final

import av
from av.bitstream import BitStreamFilterContext

from ..encoding import FRAME_SAMPLES
from ..frames import Codec, EncodedFrame
from ..writers.tracks import annexb_units, opus_duration, parameter_sets
from .raw import FRAME_S

__all__ = [
    "LONGEST_STILL_S", "MOST_PIXELS", "SILENCE", "OpusPackets", "PacketGrid", "VideoPackets",
    "codec_of", "fitness", "vp8_size",
]  # fmt: skip

_CODECS: Final = {"vp8": Codec.VP8, "h264": Codec.H264, "opus": Codec.OPUS}
_H264_PROFILES: Final = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})
# Silence of one frame: Opus as libopus codes it (CELT, 20 ms); G.711 as the code nearest to zero (ITU-T G.711).
SILENCE: Final[Mapping[Codec, bytes]] = {
    Codec.OPUS: b"\xf8\xff\xfe",
    Codec.PCMU: b"\xff" * 160,
    Codec.PCMA: b"\xd5" * 160,
}
"""A packet of 20 ms of silence, by codec."""
# The longest hole that is filled with silence; a timeline that jumps further is broken, and two minutes of packets
# made at once do no harm.
_MAX_HOLE_S: Final = 120.0
_SPS, _IDR = 7, 5
LONGEST_STILL_S: Final = 3600.0
"""A picture that stands longer than an hour is a broken timeline: what is sent after it would never come."""
MOST_PIXELS: Final = 8192 * 8192
"""Larger pictures are not touched: one of them decoded takes a hundred megabytes. 8K has half as many."""


def codec_of(stream: av.VideoStream | av.AudioStream) -> Codec | None:
    """Return the codec of a stream if it is one that could be sent as it is."""
    return _CODECS.get(stream.codec_context.name.removeprefix("lib"))


def vp8_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that a VP8 key frame says of itself (RFC 6386 section 9.1); None for anything else."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    # The two upper bits of each say how it is to be scaled.
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def fitness(stream: av.VideoStream | av.AudioStream, packets: Sequence[av.Packet[av.stream.Stream]]) -> str:
    """Say why a track cannot be sent as it is, judged by its first packets; the empty string when it can.

    Args:
        stream: the track, its codec one of those `codec_of` knows.
        packets: its first packets, in the order of the file.
    """
    codec = codec_of(stream)
    if codec is None:
        return f"{stream.codec_context.name} is not sent over WebRTC"
    if not packets:
        return "it has no packets"
    if isinstance(stream, av.AudioStream):
        return "" if all(opus_duration(bytes(p)) == FRAME_SAMPLES for p in packets) else "its packets are not of 20 ms"
    # A stream that is joined in the middle is sent from its first key frame on.
    packets = list(dropwhile(lambda packet: not packet.is_keyframe, packets))
    if not packets:
        return "it has no key frame in the first seconds"
    times = [p.pts for p in packets if p.pts is not None]
    if stream.codec_context.has_b_frames or any(a >= b for a, b in pairwise(times)):
        return "its pictures are not in the order they are shown in (B-frames)"
    if stream.codec_context.sample_aspect_ratio not in (None, 0, 1):
        return "its pixels are not square"
    if codec is Codec.VP8:
        # RFC 6386 section 9.1: bit 4 of the frame tag is show_frame.
        return "" if all(p.size and bytes(p)[0] & 0x10 for p in packets) else "it has invisible frames"
    if stream.codec_context.pix_fmt not in ("yuv420p", "yuvj420p") or stream.profile not in _H264_PROFILES:
        return f"its profile ({stream.profile}, {stream.codec_context.pix_fmt}) is not for WebRTC"
    return ""


class PacketGrid:
    """Puts sound on a timeline without holes: a packet every 20 ms, exactly.

    A packet later than its place by more than one is preceded by silence, one earlier by more than one is left out.
    So sound stays within 20 ms of the time it was meant for, at joints too, and its RTP time never jumps.
    """

    def __init__(self, codec: Codec = Codec.OPUS) -> None:
        self._codec = codec
        self._ticks = codec.clock_rate // 50
        self._slot = 0

    @property
    def time(self) -> float:
        """Where the next packet would lie, seconds."""
        return self._slot * FRAME_S

    def place(self, time: float, data: bytes) -> list[EncodedFrame]:
        """Return what is to be sent for a packet meant for `time`: nothing, itself, or silence and itself."""
        early = time - self.time
        if early <= -FRAME_S - 1e-4:
            return []
        return [*self.fill(time - FRAME_S), self._next(data)]

    def fill(self, until: float) -> list[EncodedFrame]:
        """Return silence as long as a packet's place begins before `until`.

        Raises:
            ValueError: that is more than two minutes away.
        """
        frames: list[EncodedFrame] = []
        if until - self.time > _MAX_HOLE_S:
            raise ValueError(f"its sound jumps from {self.time:.1f} s to {until:.1f} s")
        silence = SILENCE.get(self._codec)
        while self.time < until - 1e-4:
            if silence is None:
                self._slot += 1
            else:
                frames.append(self._next(silence))
        return frames

    def _next(self, data: bytes) -> EncodedFrame:
        time = self.time
        frame = EncodedFrame(
            codec=self._codec,
            data=data,
            rtp_time=self._slot * self._ticks,
            time=time,
            arrival=time,
            duration=self._ticks,
        )
        self._slot += 1
        return frame


class OpusPackets:
    """Opus packets of a file as frames, on a grid of 20 ms.

    Args:
        start: seconds on the file's clock that become 0.
        unit: seconds in one tick of the track's timestamps.
    """

    def __init__(self, start: float, unit: float) -> None:
        self._grid = PacketGrid()
        self._start, self._unit = start, unit

    def feed(self, packet: av.Packet[av.stream.Stream] | None) -> list[EncodedFrame]:
        """Return the frames of the next packet; None at the end.

        Raises:
            ValueError: the packets' times make no sense.
        """
        if packet is None or packet.pts is None:
            return []
        data = bytes(packet)
        if opus_duration(data) != FRAME_SAMPLES:
            return []  # the grid puts silence in its place: a short packet at the very end, or a broken one
        return self._grid.place(packet.pts * self._unit - self._start, data)


class VideoPackets:
    """VP8 or H.264 packets of a file as frames.

    Args:
        stream: the track.
        codec: what `codec_of` said of it.
        start: seconds on the file's clock that become 0.
        unit: seconds in one tick of the track's timestamps.
    """

    def __init__(self, stream: av.VideoStream, codec: Codec, start: float, unit: float) -> None:
        self._codec = codec
        self._start, self._unit = start, unit
        self._width, self._height = stream.codec_context.width, stream.codec_context.height
        rate = stream.average_rate or stream.guessed_rate
        self._usual = round(90000 / rate) if rate else 3000
        self._last = -1
        self._begun = False
        self._parameters = b""
        self._filter = BitStreamFilterContext("h264_mp4toannexb", stream) if codec is Codec.H264 else None

    def feed(self, packet: av.Packet[av.stream.Stream] | None) -> Iterator[EncodedFrame]:
        """Yield the frames of the next packet; None at the end.

        Raises:
            ValueError: the pictures' times step back or jump by hours, or they become too large.
        """
        if packet is None or not packet.size:
            return
        for converted in (packet,) if self._filter is None else self._filter.filter(packet):
            frame = self._frame(converted)
            self._begun = self._begun or frame.key
            if self._begun:
                yield frame

    def _frame(self, packet: av.Packet[av.stream.Stream]) -> EncodedFrame:
        data, key = bytes(packet), packet.is_keyframe
        if self._codec is Codec.H264:
            data, key = self._complete(data)
        elif key and (size := vp8_size(data)) is not None and size[0] * size[1] > MOST_PIXELS:
            raise ValueError(f"its pictures become {size[0]}x{size[1]}, larger than anything that can be played")
        pts = packet.pts if packet.pts is not None else packet.dts
        rtp_time = self._last + self._usual if pts is None else round((pts * self._unit - self._start) * 90000)
        if rtp_time <= self._last:
            raise ValueError(f"its pictures step back in time at {rtp_time / 90000:.2f} s")
        if rtp_time - self._last > LONGEST_STILL_S * 90000:
            raise ValueError(f"its pictures jump from {max(0, self._last) / 90000:.1f} s to {rtp_time / 90000:.1f} s")
        self._last = rtp_time
        duration = round(packet.duration * self._unit * 90000) if packet.duration else self._usual
        time = rtp_time / 90000
        return EncodedFrame(
            codec=self._codec,
            data=data,
            rtp_time=rtp_time,
            time=time,
            arrival=time,
            key=key,
            width=self._width,
            height=self._height,
            duration=duration,
        )

    def _complete(self, data: bytes) -> tuple[bytes, bool]:
        """Return an access unit with SPS and PPS before an IDR picture, and whether it has one."""
        kinds = {unit[0] & 0x1F for unit in annexb_units(data)}
        if own := parameter_sets(data) if _SPS in kinds else b"":
            self._parameters = own
        elif _IDR in kinds:
            data = self._parameters + data
        return data, _IDR in kinds
