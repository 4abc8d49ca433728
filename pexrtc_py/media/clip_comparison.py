"""What became of a clip on its way through a conference: a recording compared with the file that was played.

Pictures are matched by their marks (`marks`), so a frame lost, repeated or shown late is known as such; those that
match are compared by SSIM. Both files are decoded: use it in a thread or a child process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .comparison import luma_plane, ssim
from .decoding import Picture
from .frames import Kind
from .marks import Plane
from .marks_reading import MarkReader
from .sources.file import open_raw_file

__all__ = ["PictureComparison", "compare_pictures"]

_COMPARED_EVERY = 15
"""Pictures of which one is compared; marks are read in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureComparison:
    """How the clip's pictures came out."""

    sent: int
    """Pictures in the clip."""
    seen: int
    """Different pictures of the clip in the recording."""
    repeated: int
    """Pictures of the recording that show one once more."""
    unmarked: int
    """Pictures of the recording in which no mark could be read."""
    first_s: float | None
    """Where the clip's first picture is in the recording, counted back from the first that is there."""
    spacing_error_s: float
    """Largest difference between a picture's time in the recording and in the clip, offset removed."""
    ssim: float
    """Mean structural similarity of pictures compared, 1 for identical; 0 if there were none."""

    @property
    def lost(self) -> int:
        """Pictures of the clip that are not in the recording."""
        return self.sent - self.seen


def compare_pictures(recording: Path, clip: Path) -> PictureComparison:
    """Compare the pictures of a recording with those of the clip that was played, once, into the conference.

    Raises:
        SourceError: one of the files cannot be read, or has no picture.
    """
    sent: dict[int, tuple[float, Plane | None]] = {}
    reader: MarkReader | None = None
    for number, (time, plane) in enumerate(_planes(clip)):
        reader = reader or MarkReader(plane.shape[1], plane.shape[0])
        sighting = reader.read(plane)
        if sighting is not None:
            sent[sighting.mark.frame_id] = (time, plane if number % _COMPARED_EVERY == 0 else None)
    seen: dict[int, float] = {}
    repeated = unmarked = 0
    similarities: list[float] = []
    for time, plane in _planes(recording):
        sighting = reader.read(plane) if reader is not None else None
        if sighting is None or sighting.mark.frame_id not in sent:
            unmarked += 1
        elif sighting.mark.frame_id in seen:
            repeated += 1
        else:
            seen[sighting.mark.frame_id] = time
            original = sent[sighting.mark.frame_id][1]
            if original is not None and original.shape == plane.shape:
                similarities.append(ssim(original, plane))
    offsets = [time - sent[frame_id][0] for frame_id, time in seen.items()]
    return PictureComparison(
        sent=len(sent),
        seen=len(seen),
        repeated=repeated,
        unmarked=unmarked,
        first_s=sorted(offsets)[len(offsets) // 2] if offsets else None,
        spacing_error_s=max(offsets) - min(offsets) if offsets else 0.0,
        ssim=sum(similarities) / len(similarities) if similarities else 0.0,
    )


def _planes(path: Path) -> Iterator[tuple[float, Plane]]:
    source = open_raw_file(path, kinds=(Kind.VIDEO,))
    try:
        while (piece := source.pull()) is not None:
            if isinstance(piece, Picture):
                yield piece.time, luma_plane(piece.frame)
    finally:
        source.close()
