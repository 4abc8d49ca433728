"""Decoding: key frames gate pictures, holes in sound are filled, nothing kills the decoder."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pexrtc_py.media.decoding import AudioDecoding, VideoDecoding
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from tests.media.coded import opus, video

VIDEO = [Codec.VP8, Codec.H264]


@pytest.mark.parametrize("codec", VIDEO)
def test_video_begins_at_a_key_frame(codec: Codec) -> None:
    """What comes before the first key frame is dropped, and the need for one is told."""
    decoding, frames = VideoDecoding(), video(codec, keys=frozenset({5}))
    assert decoding.needs_key
    assert [len(decoding.feed(frame)) for frame in frames[1:8]] == [0, 0, 0, 0, 1, 1, 1]
    assert not decoding.needs_key


@pytest.mark.parametrize("codec", VIDEO)
def test_video_waits_for_a_key_frame_after_a_gap(codec: Codec) -> None:
    """After a gap no picture is shown that depends on what is missing."""
    decoding, frames = VideoDecoding(), video(codec, keys=frozenset({10}))
    shown = [len(decoding.feed(frame)) for frame in frames[:4]]
    decoding.feed(Gap(codec=codec, rtp_time=12000, time=0.1, duration=0, packets=1))
    shown += [len(decoding.feed(frame)) for frame in frames[5:12]]
    assert shown == [1] * 4 + [0] * 5 + [1] * 2


@pytest.mark.parametrize("codec", VIDEO)
def test_bad_and_empty_frames_do_not_kill_video(codec: Codec) -> None:
    """Rubbish and empty payloads cost themselves; the next key frame is decoded as ever."""
    decoding, frames = VideoDecoding(), video(codec, keys=frozenset({10}))
    decoding.feed(frames[0])
    decoding.feed(replace(frames[1], data=b""))
    decoding.feed(replace(frames[1], data=b"\xff" * 3))
    assert all(decoding.feed(frame) for frame in frames[10:])


def test_gigantic_pictures_are_bad_ones() -> None:
    """A whole picture of more than 16 megapixels is not decoded, a good one after it is."""
    decoding, frames = VideoDecoding(), video(Codec.H264)
    fits, gigantic = (encoded_once(16384, height) for height in (128, 1040))
    assert [len(decoding.feed(frame)) for frame in (fits, gigantic, frames[0])] == [1, 0, 1]


def encoded_once(width: int, height: int) -> EncodedFrame:
    """A dark key frame of H.264."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = width, height, "yuv420p", Fraction(1, 30)
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    planes = np.zeros((height * 3 // 2, width), np.uint8)
    packets = [*context.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")), *context.encode(None)]
    return replace(video(Codec.H264)[0], data=b"".join(map(bytes, packets)))


def test_the_codec_of_video_may_change_at_a_key_frame() -> None:
    """VP8 follows H.264 in one stream; a picture that is no key frame cannot begin it."""
    decoding, first, second = VideoDecoding(), video(Codec.H264), video(Codec.VP8, keys=frozenset({3}))
    assert decoding.feed(first[0])
    assert not decoding.feed(second[1])
    assert decoding.needs_key
    assert decoding.feed(second[3])


def test_a_lost_packet_costs_its_own_20_ms() -> None:
    """The hole is filled, marked, has no steps at its ends, and what follows is on its old time."""
    frames = opus(1.0)
    decoding = AudioDecoding()
    heard = [s for frame in frames[:20] for s in decoding.feed(frame)]
    heard += decoding.feed(Gap(codec=Codec.OPUS, rtp_time=20 * 960, time=0.4, duration=960, packets=1))
    heard += [s for frame in frames[21:] for s in decoding.feed(frame)]
    assert [s.rtp_time for s in heard] == [960 * number for number in range(50)]
    assert [s.concealed for s in heard] == [number == 20 for number in range(50)]
    assert [s.time for s in heard] == pytest.approx([number / 50 for number in range(50)])
    wave = np.concatenate([s.samples for s in heard])[:, 0].astype(int)
    assert np.abs(wave[19200:20160]).max() > 4000
    assert np.abs(np.diff(wave)).max() < 1200


def test_a_long_hole_fades_to_silence() -> None:
    """After 60 ms of concealment there is silence, until sound comes again."""
    frames = opus(1.0)
    decoding = AudioDecoding()
    for frame in frames[:10]:
        decoding.feed(frame)
    filled = decoding.feed(Gap(codec=Codec.OPUS, rtp_time=9600, time=0.2, duration=20 * 960, packets=20))
    assert sum(len(s.samples) for s in filled) == 20 * 960
    assert [bool(s.samples.any()) for s in filled] == [True] * 3 + [False] * 17
    [sound] = decoding.feed(frames[30])
    assert (sound.rtp_time, sound.concealed) == (30 * 960, False)


def test_time_that_was_never_sent_is_filled_too() -> None:
    """DTX skips packets without a gap being told; the timeline stays whole."""
    frames = opus(1.0)
    decoding = AudioDecoding()
    heard = [s for frame in frames[:10] + frames[25:] for s in decoding.feed(frame)]
    assert sum(len(s.samples) for s in heard) == 48000
    assert sum(s.concealed for s in heard) == 15


def test_a_jump_in_time_begins_anew_and_fills_nothing() -> None:
    """A sender that restarts with another timestamp neither floods nor stalls the listener."""
    frames = opus(0.2)
    decoding = AudioDecoding()
    for offset in (0, 10**9, 5):
        heard = [s for f in frames for s in decoding.feed(replace(f, rtp_time=f.rtp_time + offset))]
        assert [s.rtp_time - offset for s in heard] == [960 * number for number in range(10)]


def test_bad_and_empty_packets_do_not_kill_sound() -> None:
    """An empty payload would end FFmpeg's decoder for ever; rubbish is concealed."""
    frames = opus(1.0)
    decoding = AudioDecoding()
    heard = []
    for number, frame in enumerate(frames):
        data = {10: b"", 20: b"\xff\xff\xff\x01"}.get(number, frame.data)
        heard += decoding.feed(replace(frame, data=data))
    assert [s.concealed for s in heard] == [number in (10, 20) for number in range(50)]


def test_packets_too_short_to_make_a_sound_are_no_end_of_it() -> None:
    """G.711 packets of one byte resample to nothing: filling a hole after them divided by the length of nothing."""
    decoding = AudioDecoding()
    for number in range(3):
        decoding.feed(
            EncodedFrame(codec=Codec.PCMU, data=b"x", rtp_time=number, time=0.0, ntp_time=None, arrival=0.0, duration=1)
        )
    filled = decoding.feed(Gap(codec=Codec.PCMU, rtp_time=3, time=0.0, duration=160, packets=1))
    assert sum(len(sound.samples) for sound in filled) == 960


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_leave_the_decoders_alive(payloads: list[bytes]) -> None:
    """Whatever arrives, no exception comes out, and good media after it is decoded."""
    sound, picture = AudioDecoding(), VideoDecoding()
    good = opus(0.02)[0]
    for number, data in enumerate(payloads):
        sound.feed(replace(good, data=data, rtp_time=960 * number))
        for codec in VIDEO:
            picture.feed(EncodedFrame(codec=codec, data=data, rtp_time=number, time=0.0))
    assert not sound.feed(replace(good, rtp_time=960 * len(payloads)))[-1].concealed
    assert picture.feed(_KEY)


_KEY = video(Codec.VP8)[0]
