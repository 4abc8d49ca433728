"""Sound that is encoded here is encoded as far sides wish, from one packet to the next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.decoding import AudioDecoding
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.sources.encoded import EncodeConfig, SoundEncoder
from pexrtc_py.media.sources.file import open_file, open_raw_file
from pexrtc_py.media.sources.raw import FRAME_S, RawFormat, Sound, SoundTuning, sound_at
from pexrtc_py.media.sources.sequence import Sequence

AS_IT_IS = SoundTuning(stereo=True, fec=True, most_bps=None, expected_loss_percent=0)
NARROW = SoundTuning(stereo=False, fec=False, most_bps=20_000, expected_loss_percent=0)


def tones(count: int) -> Iterator[Sound]:
    """600 Hz left, 900 right, seamless."""
    for number in range(count):
        t = (np.arange(960) + number * 960) / 48000
        pair = np.stack([np.sin(2 * np.pi * 600 * t), np.sin(2 * np.pi * 900 * t)], axis=1)
        yield sound_at(number, (8000 * pair).astype(np.int16))


def voice() -> list[Sound]:
    """Speech, in mono."""
    raw = open_raw_file(clip_path("announcement.mkv"), kinds=(Kind.AUDIO,))
    sounds = list[Sound]()
    while (item := raw.pull()) is not None and len(sounds) < 150:
        assert isinstance(item, Sound)
        sounds.append(sound_at(len(sounds), item.samples[:, :1]))
    raw.close()
    return sounds


def is_stereo(frame: EncodedFrame) -> bool:
    """By the TOC byte (RFC 6716 section 3.1)."""
    return bool(frame.data[0] & 4)


def carries_the_one_before(frame: EncodedFrame) -> bool:
    """Whether there is in-band FEC: the LBRR flag of mono SILK frames (RFC 6716 sections 3.1 and 4.2.3)."""
    return frame.data[0] >> 3 < 16 and len(frame.data) > 1 and bool(frame.data[1] & 0x40)


def test_one_channel_and_fewer_bits_in_the_middle() -> None:
    """Stereo at 96 kb/s, then what a narrow far side wishes: one channel, 20 kb/s, and a tone without a break."""
    encoder = SoundEncoder(Codec.OPUS, RawFormat(channels=2), EncodeConfig())
    frames: list[EncodedFrame] = []
    for number, sound in enumerate(tones(150)):
        if number == 75:
            encoder.tune(NARROW)
        frames += encoder.encode(sound)
    wide, narrow = frames[:75], frames[75:]
    assert all(is_stereo(frame) for frame in wide)
    assert not any(is_stereo(frame) for frame in narrow)
    assert sum(len(frame.data) for frame in narrow[10:]) * 8 / (65 * FRAME_S) == pytest.approx(20_000, rel=0.15)
    assert sum(len(frame.data) for frame in wide[10:]) * 8 / (65 * FRAME_S) > 60_000
    decoding = AudioDecoding(channels=1)
    heard = np.concatenate([sound.samples[:, 0] for frame in frames for sound in decoding.feed(frame)])
    levels = np.sqrt(np.mean(heard[960:-960].astype(np.float64).reshape(-1, 480) ** 2, axis=1))
    assert levels.min() > 0.6 * np.median(levels), "no hole at the change"


def test_error_correction_only_where_it_is_wished() -> None:
    """Speech for 15 % loss carries each packet twice for who can use that, and never for who said nothing of it."""
    carried = {}
    for fec in (True, False):
        encoder = SoundEncoder(Codec.OPUS, RawFormat(channels=1), EncodeConfig(audio_bps=32_000))
        encoder.tune(SoundTuning(stereo=False, fec=fec, most_bps=None, expected_loss_percent=15))
        carried[fec] = sum(carries_the_one_before(frame) for sound in voice() for frame in encoder.encode(sound))
    assert carried[True] > 50
    assert carried[False] == 0


def test_a_reported_loss_is_encoded_for() -> None:
    """Configured for no loss there is no correction; once loss is told there is; once it is gone there is none."""
    encoder = SoundEncoder(Codec.OPUS, RawFormat(channels=1), EncodeConfig(audio_bps=32_000, audio_loss_percent=0))
    carried = []
    for percent in (0, 15, 0):
        encoder.tune(SoundTuning(stereo=False, fec=True, most_bps=None, expected_loss_percent=percent))
        frames = [frame for sound in voice() for frame in encoder.encode(sound)]
        carried.append(sum(map(carries_the_one_before, frames[1:])))
    assert carried[0] == carried[2] == 0
    assert carried[1] > 50


def test_what_is_configured_is_not_exceeded() -> None:
    """Who takes half a megabit gets what is configured all the same, and who wishes two channels no doubled one."""
    encoder = SoundEncoder(Codec.OPUS, RawFormat(channels=1), EncodeConfig(audio_bps=24_000))
    encoder.tune(SoundTuning(stereo=True, fec=True, most_bps=510_000, expected_loss_percent=0))
    frames = [frame for sound in voice() for frame in encoder.encode(sound)]
    assert not any(map(is_stereo, frames))
    assert sum(len(frame.data) for frame in frames) * 8 / (len(frames) * FRAME_S) < 30_000


def test_other_codecs_go_on() -> None:
    """G.711 has nothing to tune, and goes on with one channel."""
    encoder = SoundEncoder(Codec.PCMU, RawFormat(channels=2), EncodeConfig())
    frames = []
    for number, sound in enumerate(tones(20)):
        if number == 10:
            encoder.tune(AS_IT_IS)
        frames += encoder.encode(sound)
    assert {len(frame.data) for frame in frames} == {160}


def test_the_next_source_of_a_row_is_tuned_too() -> None:
    """What was wished holds beyond the joint; so does the bitrate of pictures, which each source began anew."""
    path = clip_path("motion.mkv")
    config = EncodeConfig(level_lufs=-20.0, video_bps=800_000)
    accept = {Kind.AUDIO: [Codec.OPUS], Kind.VIDEO: [Codec.H264]}
    joined = Sequence(lambda: open_file(path, accept=accept, config=config) for _ in range(2))
    joined.tune_sound(NARROW)
    joined.set_bitrate(100_000)
    frames = []
    while (frame := joined.pull()) is not None:
        frames.append(frame)
    joined.close()
    assert joined.begun == 2
    half = frames[-1].time / 2
    for part in ([f for f in frames if f.time < half], [f for f in frames if f.time >= half]):
        sizes = {kind: 8 * sum(len(f.data) for f in part if f.kind is kind) / half for kind in Kind}
        assert sizes[Kind.AUDIO] < 26_000
        assert sizes[Kind.VIDEO] < 200_000
