"""What is known of a track before anything of it is written: enough for any container's header."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ...errors import UsageError
from ..frames import Codec, EncodedFrame, Kind

__all__ = [
    "HOLE_S",
    "TrackSpec",
    "annexb_units",
    "frame_duration",
    "opus_channels",
    "opus_duration",
    "opus_head",
    "parameter_sets",
    "picture_size",
]

HOLE_S: Mapping[Kind, float] = {Kind.AUDIO: 0.1, Kind.VIDEO: 1.5}
"""From how many seconds without a frame on one speaks of a hole; slides may come at one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSpec:
    """A track as the header will declare it."""

    codec: Codec
    """What the track carries, from the first frame to the last."""
    width: int = 0
    """Picture width in pixels at the start; 0 for audio."""
    height: int = 0
    """Picture height in pixels at the start; 0 for audio."""
    channels: int = 1
    """Audio channels."""
    parameter_sets: bytes = b""
    """H.264: SPS and PPS of the first key frame, Annex B."""
    title: str = ""
    """What a player shows as the track's name."""
    is_reserved: bool = False
    """Declared before its first picture: the size is a guess, which the muxer corrects when that comes."""

    @classmethod
    def of(cls, frame: EncodedFrame, *, title: str = "") -> Self:
        """Describe the track that begins with `frame`, which must be a key frame.

        Raises:
            UsageError: the frame does not tell its picture size, or H.264 comes without parameter sets, or with such
                as no header can hold.
        """
        if frame.kind is Kind.AUDIO:
            channels = opus_channels(frame.data) if frame.codec is Codec.OPUS else 1
            return cls(codec=frame.codec, channels=channels, title=title)
        width, height = (frame.width, frame.height) if frame.width else picture_size(frame.codec, frame.data)
        headers = parameter_sets(frame.data) if frame.codec is Codec.H264 else b""
        if not width or (frame.codec is Codec.H264 and not headers):
            raise UsageError(f"a {frame.codec} track cannot be declared from a frame without its picture's description")
        if headers and not _fit_header(headers):
            raise UsageError("an H264 track cannot be declared from parameter sets that no header can hold")
        return cls(codec=frame.codec, width=width, height=height, parameter_sets=headers, title=title)

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self.codec.kind

    @property
    def sample_rate(self) -> int:
        """Samples per second of audio; G.722 has twice its RTP clock (RFC 3551 section 4.5.2)."""
        return 16000 if self.codec is Codec.G722 else self.codec.clock_rate


def frame_duration(frame: EncodedFrame) -> int:
    """Ticks of the codec's RTP clock that a frame lasts, 0 when only the next one tells."""
    if frame.duration or frame.kind is Kind.VIDEO:
        return frame.duration
    if frame.codec is Codec.OPUS:
        return opus_duration(frame.data)
    return len(frame.data)  # G.711 and G.722: one byte a tick (RFC 3551 sections 4.5.2 and 4.5.14)


def opus_channels(packet: bytes) -> int:
    """Channels an Opus packet says it has (RFC 6716 section 3.1); decoders take either, whatever the header says."""
    return 2 if packet and packet[0] & 4 else 1


def opus_duration(packet: bytes) -> int:
    """Samples at 48 kHz in an Opus packet (RFC 6716 sections 3.1 and 3.2), 0 for none."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        ticks = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        ticks = (480, 960)[config % 2]
    else:
        ticks = (120, 240, 480, 960)[config % 4]
    if code == 3:
        return ticks * (packet[1] & 63) if len(packet) > 1 else 0
    return ticks if code == 0 else 2 * ticks


def opus_head(channels: int) -> bytes:
    """Return the header of RFC 7845 section 5.1. Pre-skip is 0: a call is joined in the middle of its stream."""
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, 48000, 0, 0)


def annexb_units(data: bytes) -> list[bytes]:
    """Split H.264 in Annex B into its NAL units."""
    return [unit for piece in data.split(b"\0\0\1")[1:] if (unit := piece.rstrip(b"\0"))]


def parameter_sets(annexb: bytes) -> bytes:
    """Return the SPS and PPS of an H.264 access unit, each behind a start code; empty when one is missing."""
    units = [unit for unit in annexb_units(annexb) if unit[0] & 31 in (7, 8)]
    if {unit[0] & 31 for unit in units} != {7, 8}:
        return b""
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def _fit_header(sets: bytes) -> bool:
    """Whether parameter sets fit an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1)."""
    units = annexb_units(sets)
    sequences = [unit for unit in units if unit[0] & 31 == 7]
    return (
        len(sequences) <= 31
        and len(units) - len(sequences) <= 255
        and all(len(unit) >= 4 for unit in sequences)
        and all(len(unit) <= 0xFFFF for unit in units)
    )


def picture_size(codec: Codec, key_frame: bytes) -> tuple[int, int]:
    """Return width and height as a VP8 key frame says them (RFC 6386 section 9.1); (0, 0) when it does not."""
    if codec is Codec.VP8 and len(key_frame) >= 10 and not key_frame[0] & 1:
        width, height = struct.unpack_from("<HH", key_frame, 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
