"""The clips are there, numbered, and as small and as well made as their README says."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image

from pexrtc_py.errors import UsageError
from pexrtc_py.media.clips import clip_path, list_clips
from pexrtc_py.media.marks_reading import MarkReader


def test_clips_are_there() -> None:
    """The clips others build on exist, and all of them together stay under 3 MB."""
    assert set(list_clips()) >= {"announcement.mkv", "announcement.mp4", "motion.mkv", "slide-1.png", "slide-2.png"}
    assert sum(clip_path(name).stat().st_size for name in list_clips()) < 3_000_000


def test_unknown_clip_names_the_known() -> None:
    """A wrong name is answered with the names that there are, not with a path that does not exist."""
    with pytest.raises(UsageError, match=r"announcement\.mkv"):
        clip_path("nothing.mkv")


@pytest.mark.parametrize(("name", "seconds"), [("announcement.mkv", 10), ("announcement.mp4", 10), ("motion.mkv", 3)])
def test_pictures_are_numbered(name: str, seconds: int) -> None:
    """Every decoded picture tells its number, keys come each second, and no picture refers forwards."""
    with av.open(clip_path(name)) as container:
        frames = list(container.decode(video=0))
    reader = MarkReader(frames[0].width, frames[0].height)
    sightings = [reader.read(frame.to_ndarray()[: frame.height].astype(np.uint8)) for frame in frames]
    assert [s.mark.frame_id for s in sightings if s is not None] == list(range(30 * seconds))
    assert [n for n, f in enumerate(frames) if f.key_frame] == list(range(0, 30 * seconds, 30))


@pytest.mark.parametrize(("name", "lines"), [("slide-1.png", 3), ("slide-2.png", 2)])
def test_slides_have_round_bullets(name: str, lines: int) -> None:
    """Before each line of a slide is a filled dot; a font without the character drew an empty box there."""
    with Image.open(clip_path(name)) as image:
        dark = np.asarray(image.convert("L"))[150:, 80:114] < 128
    rows = np.flatnonzero(dark.any(axis=1))
    dots = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert len(dots) == lines
    for dot in dots:
        height, ink = len(dot), dark[dot]
        width = int(np.ptp(np.flatnonzero(ink.any(axis=0)))) + 1
        assert abs(height - width) <= 1
        assert ink.sum() / (height * width) > 0.7
