"""Single decoded pictures kept for a while, small enough to keep several, and written as JPEG when they are wanted."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import av

__all__ = ["Snapshot", "take_snapshot"]

_WIDTH: Final = 960
_QUALITY: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A picture and when it was shown."""

    time: float
    """Seconds, on whatever clock the caller keeps."""
    frame: av.VideoFrame

    def jpeg(self) -> bytes:
        """Return it as JPEG. Blocks for some milliseconds."""
        out = io.BytesIO()
        self.frame.to_image().save(out, "JPEG", quality=_QUALITY)  # type: ignore[no-untyped-call]  # PyAV has no types
        return out.getvalue()


def take_snapshot(frame: av.VideoFrame, time: float) -> Snapshot:
    """Keep a picture, at most 960 pixels wide."""
    if frame.width > _WIDTH:
        height = max(2, round(frame.height * _WIDTH / frame.width) & ~1)
        frame = frame.reformat(width=_WIDTH, height=height)
    return Snapshot(time=time, frame=frame)
