"""What became of a clip on its way through a conference: a recording compared with the file that was played.

Pictures are matched by their marks (`marks`), so a frame lost, repeated or shown late is known as such, and those
that match are compared by SSIM; sound is found by correlation. Both files are decoded: use it in a thread or a child.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from .comparison import luma_plane, ssim
from .correlation import Found, find_sound
from .decoding import Picture
from .encoding import SAMPLE_RATE
from .marks import Plane
from .marks_reading import MarkReader
from .sources.file import open_raw_file

__all__ = ["ClipComparison", "PictureComparison", "compare_with_clip"]

_COMPARED_EVERY = 15
"""Of so many pictures one is compared; marks are read in all."""
_PIECE_S = 0.5
"""Sound is placed in pieces of this length, to see where it was put off."""
_NEAR_S = 0.3
"""How far a piece may be from where the whole is: more than a jitter buffer holds."""


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
    offset_s: float
    """Where the clip's beginning is in the recording, seconds, by the median of its pictures; NaN without any."""
    spread_s: float
    """Between the picture that came earliest and the one that came latest, measured by the clip's own times."""
    ssim: float
    """Mean structural similarity of the pictures compared, 1 for identical; NaN if there were none."""

    @property
    def lost(self) -> int:
        """Pictures of the clip that are not in the recording."""
        return self.sent - self.seen


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipComparison:
    """How a clip came out."""

    pictures: PictureComparison
    """What was seen."""
    sound: Found | None
    """What was heard; None if nothing of it."""
    apart_s: tuple[float, ...] = ()
    """By how much each picture that came is off the sound, seconds, in the clip's order: by the sound of its own half
    second or of one beside it, whichever is nearer, so that what makes both late together does not count. Empty when
    nothing was heard."""

    @property
    def av_offset_s(self) -> float:
        """How much later than the clip has it the picture is than the sound, seconds; NaN when one is missing."""
        return self.pictures.offset_s - self.sound.offset_s if self.sound is not None else float("nan")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A file, decoded: luma of one picture in so many, what each mark says, and the sound from the file's 0 on."""

    seen: list[tuple[float, int | None]]
    planes: dict[int, Plane]
    sound: NDArray[np.int16]


def compare_with_clip(recording: Path, clip: Path) -> ClipComparison:
    """Compare a recording with the clip that was played, once, into the conference.

    Raises:
        SourceError: one of the files cannot be read.
    """
    sent = _watch(clip, None)
    got = _watch(recording, set(sent.planes))
    times = {frame_id: time for time, frame_id in sent.seen if frame_id is not None}
    first_seen: dict[int, float] = {}
    repeated = unmarked = 0
    for time, frame_id in got.seen:
        if frame_id is None or frame_id not in times:
            unmarked += 1
        elif first_seen.setdefault(frame_id, time) != time:
            repeated += 1
    offsets = [time - times[frame_id] for frame_id, time in first_seen.items()]
    likeness = [
        ssim(sent.planes[frame_id], plane)
        for frame_id, plane in got.planes.items()
        if plane.shape == sent.planes[frame_id].shape
    ]
    pictures = PictureComparison(
        sent=len(times),
        seen=len(first_seen),
        repeated=repeated,
        unmarked=unmarked,
        offset_s=median(offsets) if offsets else float("nan"),
        spread_s=max(offsets) - min(offsets) if offsets else 0.0,
        ssim=sum(likeness) / len(likeness) if likeness else float("nan"),
    )
    sound = find_sound(sent.sound, got.sound)
    if sound is None or not offsets:
        return ClipComparison(pictures=pictures, sound=sound)
    pieces = _places(sent.sound, got.sound, sound.offset_s)
    apart = [_apart(times[frame_id], time - times[frame_id], pieces) for frame_id, time in sorted(first_seen.items())]
    return ClipComparison(pictures=pictures, sound=sound, apart_s=tuple(apart) if pieces else ())


def _places(sent: NDArray[np.int16], got: NDArray[np.int16], offset_s: float) -> list[float]:
    """Return for each piece of a clip's sound how much later it is in the recording, seconds."""
    size, near = round(_PIECE_S * SAMPLE_RATE), round(_NEAR_S * SAMPLE_RATE)
    known, given = sent.astype(np.float64), np.pad(got.astype(np.float64), size + near)
    places: list[float] = []
    for start in range(0, len(known) - size + 1, size):
        piece = known[start : start + size]
        at = start + round(offset_s * SAMPLE_RATE) + size  # in `given`, `near` before the place
        window = given[max(0, at) : max(0, at) + size + 2 * near]
        # Not divided by the energy there: of a tone that fades all places look alike but for their loudness.
        length = 1 << (len(window) + size).bit_length()
        product = np.fft.irfft(np.fft.rfft(window, length) * np.conj(np.fft.rfft(piece, length)), length)
        moved = int(np.argmax(product[: max(1, len(window) - size)])) - near
        places.append(offset_s + moved / SAMPLE_RATE)
    return places


def _apart(time: float, offset_s: float, places: list[float]) -> float:
    """Return how far a picture is from the sound of its own time or of half a second before or after."""
    index = min(int(time / _PIECE_S), len(places) - 1)
    beside = places[max(0, index - 1) : index + 2]
    return max(min(beside) - offset_s, offset_s - max(beside), 0.0)


def _watch(path: Path, wanted: set[int] | None) -> _Watched:
    """Decode a file; keep the pictures whose numbers are wanted, without such a list one in so many."""
    source = open_raw_file(path)
    reader: MarkReader | None = None
    watched = _Watched([], {}, np.zeros(0, np.int16))
    pieces: list[NDArray[np.int16]] = []
    try:
        while (piece := source.pull()) is not None:
            if not isinstance(piece, Picture):
                pieces.append(piece.samples.mean(axis=1).astype(np.int16))
                continue
            plane = luma_plane(piece.frame)
            reader = reader or MarkReader(plane.shape[1], plane.shape[0])
            sighting = reader.read(plane)
            number = sighting.mark.frame_id if sighting is not None else None
            watched.seen.append((piece.time, number))
            if number is not None and (number in wanted if wanted is not None else number % _COMPARED_EVERY == 0):
                watched.planes.setdefault(number, plane)
    finally:
        source.close()
    sound = np.concatenate(pieces) if pieces else watched.sound
    return _Watched(watched.seen, watched.planes, sound)
