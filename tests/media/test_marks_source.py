"""The reference is a function of the frame's number, and what it carries can be read."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.media.chirps import RATE, ChirpListener, direction
from pexrtc_py.media.comparison import luma_plane
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.marks import Mark, MarkLayout
from pexrtc_py.media.marks_reading import find_mark
from pexrtc_py.media.marks_source import Reference, ReferenceConfig

CONFIG = ReferenceConfig(width=640, height=360, frame_rate=25, first_id=100, epoch_ms=5_000_000)


def test_two_references_make_the_same_picture() -> None:
    """A listener makes the very picture again."""
    one, two = Reference(CONFIG), Reference(CONFIG)
    for number in (7, 3, 10_000):
        assert np.array_equal(one.plane(number), two.plane(number))
        assert np.array_equal(luma_plane(one.picture(number)), two.plane(number))


def test_pictures_move_and_carry_their_mark() -> None:
    """Id and clock count from where they were told."""
    reference = Reference(CONFIG)
    sighting = find_mark(reference.plane(50), MarkLayout.of_picture(640, 360))
    assert sighting is not None
    assert sighting.mark == Mark(frame_id=150, clock_ms=5_002_000)
    assert reference.number(sighting.mark.frame_id) == 50
    assert reference.due(50) == 2.0
    changed = np.abs(reference.plane(51).astype(int) - reference.plane(50))
    assert changed.mean() > 1


def test_ids_before_the_first_are_not_ours() -> None:
    """They belong to somebody else's reference."""
    assert Reference(CONFIG).number(99) is None
    assert Reference(CONFIG).number(100) == 0


@pytest.mark.parametrize("number", [0, 160, 100_000])
def test_the_ground_scrolls_without_a_seam(number: int) -> None:
    """No edge in the ground is sharper than its own softness, wherever it has scrolled to."""
    top = Reference(CONFIG).plane(number)[0].astype(int)
    assert np.abs(np.diff(top)).max() < 24


def test_sound_has_a_chirp_each_second() -> None:
    """At its begin, in the direction of its number; the rest is faint noise, no silence."""
    reference, listener = Reference(CONFIG), ChirpListener()
    pieces = [reference.sound(number) for number in range(5 * 50)]
    sound = np.concatenate(pieces)[:, 0].astype(np.float32) / 32768
    heard = listener.push(np.concatenate((np.zeros(RATE, np.float32), sound)), 0.0) + listener.flush()
    assert [chirp.up for chirp in heard] == [direction(number) for number in range(5)]
    assert [chirp.time for chirp in heard] == pytest.approx([1, 2, 3, 4, 5], abs=1e-5)
    assert 20 * np.log10(heard[0].level) == pytest.approx(CONFIG.chirp_dbfs, abs=0.5)
    quiet = sound[RATE // 2 : RATE]
    assert 20 * np.log10(np.sqrt(np.mean(quiet**2))) == pytest.approx(-50, abs=1)


def test_source_is_encoded_as_asked() -> None:
    """Kinds without a codec are left out; what is there ends with its duration."""
    source = Reference(CONFIG).source(audio=None, video=Codec.H264, duration_s=1)
    assert set(source.formats) == {Kind.VIDEO}
    frames = []
    while (frame := source.pull()) is not None:
        frames.append(frame)
    source.close()
    assert len(frames) == 25
    assert {frame.codec for frame in frames} == {Codec.H264}
