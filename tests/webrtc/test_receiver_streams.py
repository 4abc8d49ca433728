"""A stream that changes its SSRC, its codec or its numbers, or pauses."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Codec, Kind
from tests.webrtc.receiver_bench import PCMA, Bench


def test_a_new_ssrc_takes_over_and_time_goes_on() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(65530, 65580):
        bench.sound(sequence)
    for sequence in range(100, 150):
        bench.sound(sequence, ssrc=77)
        bench.sound(7, ssrc=5)  # a late one of the stream before
    frames = bench.tap.frames
    assert len(frames) == 100
    steps = [(b.rtp_time - a.rtp_time, b.time - a.time) for a, b in pairwise(frames)]
    assert all(step > 0 for step, _ in steps)
    assert sum(step for step, _ in steps) == pytest.approx(sum(time for _, time in steps) * 48000, rel=0.02)


def test_a_stream_left_behind_comes_back_when_the_other_is_silent() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(1, ssrc=5)
    bench.sound(1, ssrc=6)
    bench.wait(0.6)
    bench.sound(2, ssrc=5)
    bench.receiver.handle_bye(5, bench.now)
    bench.sound(2, ssrc=6)
    assert len(bench.tap.frames) == 4


def test_the_codec_may_change_in_mid_stream() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(20):
        bench.sound(sequence)
    for sequence in range(20, 40):
        bench.rtp(bytes(160), sequence, 5000 + sequence * 160, kind=PCMA)
        bench.wait(0.02)
    frames = bench.tap.frames
    assert [frame.codec for frame in frames] == [Codec.OPUS] * 20 + [Codec.PCMA] * 20
    assert frames[-1].time - frames[0].time == pytest.approx(39 * 0.02, abs=0.01)
    assert [b.rtp_time - a.rtp_time for a, b in pairwise(frames[20:])] == [160] * 19
    assert frames[20].rtp_time / 8000 == pytest.approx(frames[20].time - frames[0].time, abs=0.01)


def test_a_sender_that_begins_anew_under_its_ssrc_is_followed() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(50):
        bench.sound(sequence)
    for sequence in range(30000, 30050):
        bench.sound(sequence, timestamp=7_000_000 + sequence * 960)
    frames = bench.tap.frames
    assert len(frames) == 100
    assert frames[-1].time - frames[0].time == pytest.approx(99 * 0.02, abs=0.05)
    assert all(b.rtp_time > a.rtp_time for a, b in pairwise(frames))


def test_a_pause_is_no_gap_and_keeps_its_length() -> None:
    bench = Bench(Kind.AUDIO)
    for sequence in range(10):
        bench.sound(sequence)
    bench.wait(3.0)
    for sequence in range(10, 20):
        bench.sound(sequence, timestamp=sequence * 960 + 3 * 48000)
    frames = bench.tap.frames
    assert not bench.tap.gaps
    assert frames[10].time - frames[9].time == pytest.approx(3.02, abs=0.001)
    assert frames[10].rtp_time - frames[9].rtp_time == 960 + 3 * 48000
