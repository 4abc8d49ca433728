"""What a file's tracks are declared as: a header is written before the frames, so it is made of the first of them.

A picture that does not say how it is to be decoded, its parameter sets lost on the way or more than a header can hold,
begins no track: it is as undecodable as one without its key frame, and the next key frame is asked for.
"""

from __future__ import annotations

from ..errors import UsageError
from ..media.frames import Codec, EncodedFrame, Kind
from ..media.writers.tracks import TrackSpec

__all__ = ["reserved_spec", "spec_from"]


def spec_from(frame: EncodedFrame, title: str = "") -> TrackSpec | None:
    """Return the track that can begin with a frame, None if none can."""
    if not frame.key:
        return None
    try:
        return TrackSpec.of(frame, title=title)
    except UsageError:
        return None


def reserved_spec(codec: Codec, title: str = "") -> TrackSpec | None:
    """Return a track that can be declared before its first frame, None for H.264, whose header needs one."""
    if codec is Codec.H264:
        return None
    if codec.kind is Kind.VIDEO:
        return TrackSpec(codec=codec, width=1280, height=720, title=title, is_reserved=True)
    return TrackSpec(codec=codec, channels=2 if codec is Codec.OPUS else 1, title=title)
