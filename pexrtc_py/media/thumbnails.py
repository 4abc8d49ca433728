"""Pictures out of a recording: one of the whole, or one per slide; from key frames, so that little is decoded.

Decodes what strangers sent: callers use `child`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.error
import numpy as np

from ..errors import SourceError, UsageError

__all__ = ["Thumbnail", "make_slides", "make_thumbnail"]

_SLIDE_CHANGE = 4.0
"""Mean difference of luma, of 255, between two slides; noise of encoding the same one again stays below 2."""
_MAX_SLIDES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture that was made."""

    file: str
    """A JPEG."""
    at_s: float
    """Seconds of the recording it shows."""


def make_thumbnail(path: Path, target: Path, *, width: int = 640) -> Thumbnail:
    """Write the first key frame after a tenth of the recording.

    Raises:
        SourceError: no picture can be decoded.
        UsageError: the target exists or cannot be made.
    """
    with _opened(path) as container:
        if container.duration:
            container.seek(container.duration // 10, backward=True)
        for frame in _key_frames(container):
            return _save(frame, target, width)
    raise SourceError(f"{path}: no picture can be decoded")


def make_slides(path: Path, folder: Path, *, width: int = 1280) -> list[Thumbnail]:
    """Write one picture for each slide of a presentation's recording: `slide-001.jpg` and so on.

    Raises:
        SourceError: the file cannot be read.
        UsageError: a target exists or cannot be made.
    """
    made: list[Thumbnail] = []
    shown: np.ndarray[tuple[int, ...], np.dtype[np.int16]] | None = None
    with _opened(path) as container:
        for frame in _key_frames(container):
            small = frame.reformat(width=64, height=36, format="gray").to_ndarray().astype(np.int16)
            if shown is not None and float(np.abs(small - shown).mean()) < _SLIDE_CHANGE:
                continue
            shown = small
            made.append(_save(frame, folder / f"slide-{len(made) + 1:03}.jpg", width))
            if len(made) == _MAX_SLIDES:
                break
    return made


def _opened(path: Path) -> av.container.InputContainer:
    try:
        return av.open(path)
    except (OSError, av.error.FFmpegError) as exc:
        raise SourceError(f"{path}: cannot be read: {exc.strerror}") from exc


def _key_frames(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    if not container.streams.video:
        return
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "NONKEY"
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def _save(frame: av.VideoFrame, target: Path, width: int) -> Thumbnail:
    width = min(width, frame.width)
    picture = frame.to_image(width=width, height=max(1, round(frame.height * width / frame.width)))  # type: ignore[no-untyped-call]  # PyAV has no types for it
    try:
        with target.open("xb") as file:
            target.chmod(0o600)
            picture.save(file, format="JPEG", quality=80)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {(exc.strerror or str(exc)).lower()}") from exc
    return Thumbnail(file=str(target), at_s=round(frame.time or 0.0, 3))
