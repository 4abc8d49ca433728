"""A known sound is found in a recording at its place, with what is missing of it, and not found where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.encoding import AudioEncoder
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.sources.file import open_raw_file
from pexrtc_py.media.sources.raw import Samples

from .sources.looking import heard, raw_drained

Wave = NDArray[np.int16]


@pytest.fixture(scope="module")
def voice() -> Samples:
    return raw_drained(open_raw_file(clip_path("announcement.mkv"), kinds=(Kind.AUDIO,)))[0]


def recorded(voice: Samples, *, offset: int = 0, gain: float = 1.0, noise: float = 0.0, seconds: float = 20.0) -> Wave:
    """A recording with the voice in it, `offset` samples after its beginning."""
    dice = np.random.default_rng(3)
    ground = dice.normal(0, noise, round(seconds * 48000))
    begin, cut = max(0, offset), max(0, -offset)
    length = min(len(voice) - cut, len(ground) - begin)
    ground[begin : begin + length] += gain * voice[cut : cut + length, 0]
    return ground.clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize("offset", [0, 1234, 48000, 333_333])
def test_place_and_level(voice: Samples, offset: int) -> None:
    """Found to within a millisecond, and its level to within a tenth of a decibel."""
    found = find_sound(voice, recorded(voice, offset=offset, gain=0.5))
    assert found is not None
    assert found.offset_s == pytest.approx(offset / 48000, abs=0.001)
    assert found.level_db == pytest.approx(-6.02, abs=0.1)
    assert found.missing == ()
    assert found.heard == 1.0


def test_through_a_codec(voice: Samples) -> None:
    """Opus at 24 kbit/s changes every sample, and the sound is still all there."""
    encoder = AudioEncoder(Codec.OPUS, bitrate_bps=24000)
    mono = voice[:, :1]
    frames = [
        frame
        for number in range(len(mono) // 960)
        for frame in encoder.encode(mono[number * 960 : (number + 1) * 960], rtp_time=number * 960, time=number * 0.02)
    ]
    found = find_sound(mono, heard(frames))
    assert found is not None
    assert found.offset_s == pytest.approx(0.0065, abs=0.004)
    assert found.missing_s <= 0.3


def test_missing_stretches_are_told(voice: Samples) -> None:
    """Two holes in the middle are found where they are; what was there is not called missing."""
    recording = recorded(voice, offset=24000)
    recording[24000 + 96000 : 24000 + 96000 + 24000] = 0
    recording[24000 + 240000 : 24000 + 240000 + 14400] = 0
    found = find_sound(voice, recording)
    assert found is not None
    assert found.missing_s == pytest.approx(0.8, abs=0.25)
    assert found.missing[0].start_s == pytest.approx(2.0, abs=0.15)
    assert found.missing[-1].end_s == pytest.approx(5.3, abs=0.15)


def test_first_and_last_word_cut_off(voice: Samples) -> None:
    """A recording that begins half a second late and ends early: both ends are missing, at the right times."""
    late = find_sound(voice, recorded(voice, offset=-24000, seconds=12))
    assert late is not None
    assert late.offset_s == pytest.approx(-0.5, abs=0.001)
    assert late.missing[0].start_s <= 0.2
    assert late.missing[0].end_s == pytest.approx(0.5, abs=0.1)
    early = find_sound(voice, recorded(voice, seconds=6))
    assert early is not None
    assert early.missing[0].start_s == pytest.approx(6.0, abs=0.15)


def test_under_other_voices(voice: Samples) -> None:
    """Somebody talks as loudly at the same time: found all the same, at its place."""
    recording = recorded(voice, offset=60000)
    talk = np.roll(voice[::-1, 0], 7777).astype(np.int32)
    mixed = recording.astype(np.int32)
    mixed[30000 : 30000 + len(talk)] += talk
    found = find_sound(voice, mixed.clip(-32768, 32767).astype(np.int16))
    assert found is not None
    assert found.offset_s == pytest.approx(1.25, abs=0.002)
    assert found.heard > 0.5


def test_what_is_not_there_is_not_found(voice: Samples) -> None:
    """Noise, silence, another tune, the voice backwards: nothing is found."""
    other, _ = raw_drained(open_raw_file(clip_path("motion.mkv"), kinds=(Kind.AUDIO,)))
    noise = np.random.default_rng(5).normal(0, 3000, 480000).astype(np.int16)
    for recording in (
        noise,
        np.zeros(480000, np.int16),
        np.tile(other[:, 0], 3),
        voice[::-1, 0],
        np.zeros(0, np.int16),
    ):
        assert find_sound(voice, recording) is None
    assert find_sound(np.zeros(48000, np.int16), noise) is None
