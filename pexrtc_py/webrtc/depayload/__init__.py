"""From RTP payloads to access units: one module a video codec, and the durations of audio packets."""

from __future__ import annotations

from typing import Protocol

from ...media.frames import Codec
from .audio import packet_duration
from .h264 import H264Depayloader
from .vp8 import Vp8Depayloader
from .vp9 import Vp9Depayloader

__all__ = ["Depayloader", "packet_duration", "video_depayloader"]


class Depayloader(Protocol):
    """Builds pictures of one stream. It is given the payloads of one picture in order and none is missing.

    A payload is `packet[start:end]`, never empty; it is not cut out first, because most of it is cut once more.
    """

    width: int
    """Picture width of the last key frame, pixels; 0 before."""
    height: int
    """Picture height likewise."""

    def add(self, packet: bytes, start: int, end: int) -> None:
        """Take the next payload of the picture.

        Raises:
            RemoteProtocolError: it cannot be a payload of this codec; the picture is spoilt, call `drop`.
        """

    def finish(self) -> tuple[bytes, bool] | None:
        """End the picture and return it with whether it is a key frame; None when nothing came of it."""

    def drop(self) -> None:
        """Forget the picture begun."""

    def is_frame_start(self, packet: bytes, start: int, end: int) -> bool:
        """Whether a picture begins with this payload, as far as one can see."""

    def is_key_start(self, packet: bytes, start: int, end: int) -> bool:
        """Whether a key frame begins with this payload: decoding can begin here."""


def video_depayloader(codec: Codec, parameter_sets: bytes = b"") -> Depayloader:
    """Return a depayloader of a video codec.

    Args:
        codec: VP8, VP9 or H264.
        parameter_sets: H.264 SPS and PPS from the session description, Annex B.
    """
    if codec is Codec.VP8:
        return Vp8Depayloader()
    if codec is Codec.VP9:
        return Vp9Depayloader()
    if codec is Codec.H264:
        return H264Depayloader(parameter_sets)
    raise AssertionError(f"{codec} is no video codec")
