"""The words everything else is built on: encoded frames, gaps, taps and sources.

An `EncodedFrame` is one access unit as a decoder wants it: a whole VP8, VP9 or H.264 picture, or the payload of one
audio packet. It flows from a receiver or a `Source` into any number of `Tap`s: a writer's track, a sender, a decoder,
a meter. What changes here changes the whole house.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

__all__ = ["Codec", "EncodedFrame", "Gap", "Kind", "Source", "Tap", "TrackFormat"]


class Kind(StrEnum):
    """What a track carries."""

    AUDIO = "audio"
    VIDEO = "video"


class Codec(StrEnum):
    """Codecs by their SDP encoding name (IANA media types); compare names from the wire without case."""

    OPUS = "opus"
    G722 = "G722"
    PCMU = "PCMU"
    PCMA = "PCMA"
    VP8 = "VP8"
    VP9 = "VP9"
    H264 = "H264"

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return Kind.VIDEO if self in _VIDEO else Kind.AUDIO

    @property
    def clock_rate(self) -> int:
        """RTP clock in ticks per second (RFC 3551 section 6; RFC 7587: Opus is always 48000; G722 says 8000)."""
        if self in _VIDEO:
            return 90000
        return 48000 if self is Codec.OPUS else 8000


_VIDEO = frozenset({Codec.VP8, Codec.VP9, Codec.H264})


class EncodedFrame(Struct, frozen=True, kw_only=True, gc=False):
    """One access unit, complete and in order. It is changed by `msgspec.structs.replace`.

    Received frames come out of a receiver's reorder buffer; frames of a source carry the source's own timeline. A frame
    is made some times on its way, each call has a hundred a second, and a frozen dataclass takes eight times as long to
    make: so this is a `Struct`. Nothing in it can be part of a cycle, so the collector need not look at it.
    """

    codec: Codec
    """What `data` is encoded with."""
    data: bytes
    """VP8/VP9: the frame without payload descriptors. H.264: Annex B, with SPS and PPS before each key frame.
    Audio: the payload of one packet."""
    rtp_time: int
    """Unwrapped RTP timestamp in ticks of `codec.clock_rate`; of a source: ticks since its start."""
    time: float
    """Seconds on the call's one timeline (`time.monotonic` of this process, sender-synchronised once RTCP allows);
    of a source: seconds since its start."""
    ntp_time: float | None = None
    """Seconds since the Unix epoch on the sender's wall clock, None before its first RTCP sender report."""
    arrival: float = 0.0
    """`time.monotonic` when its last packet arrived; of a source: equal to `time`."""
    key: bool = True
    """Whether decoding can begin here; always true for audio."""
    width: int = 0
    """Picture width in pixels, of the last key frame; 0 for audio or when unknown."""
    height: int = 0
    """Picture height in pixels, likewise."""
    duration: int = 0
    """Ticks this frame lasts; 0 when unknown (received video)."""
    level: int | None = None
    """How loud its sound is, in -dBov (RFC 6464 section 3: 0 is the loudest, 127 silence), where that was measured when
    it was encoded; it is sent along."""

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self.codec.kind


class Gap(Struct, frozen=True, kw_only=True, gc=False):
    """Media that was sent and never arrived; pushed to taps where it belongs in order."""

    codec: Codec
    """Codec of the stream that has the gap."""
    rtp_time: int
    """Unwrapped RTP timestamp at which the gap begins."""
    time: float
    """The same on the call's timeline, seconds."""
    duration: int
    """Ticks that are missing; 0 for video, where only the next frame tells."""
    packets: int
    """RTP packets lost."""

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return self.codec.kind


@runtime_checkable
class Tap(Protocol):
    """Whatever takes encoded frames. It is called in the event loop, so it neither blocks nor raises."""

    def push(self, item: EncodedFrame | Gap) -> None:
        """Take the next frame, or learn that some are missing. A slow consumer drops by its own written policy."""

    def end(self) -> None:
        """Learn that no more will come. Called once at most, and nothing is pushed after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFormat:
    """What a source's track will be made of, known before its first frame."""

    codec: Codec
    """Codec of every frame of this track."""
    width: int = 0
    """Picture width in pixels; 0 for audio."""
    height: int = 0
    """Picture height in pixels; 0 for audio."""
    frame_rate: float = 0.0
    """Pictures per second, 0 when not constant or for audio."""
    channels: int = 0
    """Audio channels; 0 for video."""
    bitrate_bps: int = 0
    """Average bits per second, 0 when unknown."""


class Source(Protocol):
    """Where frames come from.

    Used from one thread at a time; `pull` may block, so it is never called in the event loop. A source has its own
    timeline, which starts at 0 and never steps back, loops and joints included.
    """

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        """The tracks this source has: none, one of each kind at most."""

    @property
    def live(self) -> bool:
        """Whether it makes its own pace, as a camera does: what comes is sent at once."""

    @property
    def encodes(self) -> bool:
        """Whether its pictures are encoded as they are pulled, so that it heeds `request_key_frame` and `set_bitrate`.

        Pictures sent as they came, and none at all, are False.
        """

    def pull(self) -> EncodedFrame | None:
        """Return the next frame of any kind, in order of `time`; None at the end.

        Raises:
            SourceError: the source broke in the middle.
        """

    def request_key_frame(self) -> None:
        """Ask for a key frame soon. An encoder makes the next picture one; prepared media ignores it. Thread-safe."""

    def set_bitrate(self, video_bps: int) -> None:
        """Ask for at most this many bits per second of video. Prepared media ignores it. Thread-safe."""

    def close(self) -> None:
        """Release files, devices and children. Idempotent."""
