"""What a receiver makes of a stream that becomes another one, and of what is lost beside a pause."""

from __future__ import annotations

from itertools import pairwise

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.rtcp import PictureLossIndication

from .receiver_bench import H264, Bench

SPS, PPS, IDR = b"\x67\x42\xc0\x1e\xda\x02\x80\xbf", b"\x68\xce\x3c\x80", b"\x65\x88" + bytes(300)


def test_pictures_may_change_their_codec_in_mid_stream_and_back() -> None:
    """The payload type alone tells: same SSRC, numbers go on. Each codec begins with a key frame."""
    bench = Bench(Kind.VIDEO)
    sequence = 0
    for number in range(10):
        sequence = bench.picture(number, sequence, key=number == 0)
    for number in range(10, 20):
        units = (SPS, PPS, IDR) if number == 12 else (b"\x41\x9a" + bytes(300),)
        for unit in units:
            bench.rtp(unit, sequence, number * 3000, kind=H264, marker=unit is units[-1])
            sequence += 1
        bench.wait(1 / 30)
    asked = len(bench.of(PictureLossIndication))
    assert asked, "H.264 began without a key frame"
    for number in range(20, 25):
        sequence = bench.picture(number, sequence, key=number == 20)
    frames = bench.tap.frames
    assert [frame.codec for frame in frames] == [Codec.VP8] * 10 + [Codec.H264] * 8 + [Codec.VP8] * 5
    assert [frame.key for frame in frames] == [True] + [False] * 9 + [True] + [False] * 7 + [True] + [False] * 4
    steps = [b.rtp_time - a.rtp_time for a, b in pairwise(frames)]
    assert steps == [3000] * 9 + [9000] + [3000] * 12, "two pictures of H.264 had to wait for a key frame"
    assert frames[10].data.startswith(b"\0\0\0\1" + SPS + b"\0\0\0\1" + PPS)


def test_a_packet_lost_beside_a_pause_costs_its_own_20_ms() -> None:
    """The last packet before three seconds of mute is lost: the gap is of that packet, not of the mute."""
    bench = Bench(Kind.AUDIO)
    for sequence in range(10):
        bench.sound(sequence)
    bench.wait(3.0)
    for sequence in range(11, 20):
        bench.sound(sequence, timestamp=sequence * 960 + 3 * 48000)
    bench.wait(0.5)
    assert [(gap.duration, gap.packets) for gap in bench.tap.gaps] == [(960, 1)]
    assert len(bench.tap.frames) == 19
