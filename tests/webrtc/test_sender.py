"""What a sender puts on the wire: packets, timestamps, codecs; and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.frames import Codec, Gap, Tap
from pexrtc_py.webrtc.rtcp import RtcpPacket
from pexrtc_py.webrtc.rtp import parse_header, read_extensions
from tests.webrtc.sender_bench import Bench

from .link import opus_frame, vp8_frame
from .test_rtcp import PACKETS


def test_it_is_a_tap() -> None:
    assert isinstance(Bench(Codec.OPUS).sender, Tap)


def test_packets_count_up_over_the_wrap_and_the_last_of_a_picture_is_marked() -> None:
    bench = Bench(Codec.VP8, timestamp_offset=2**32 - 100)
    bench.video(2)
    headers = [parse_header(packet) for packet in bench.rtp]
    assert [header.sequence for header in headers] == [(65534 + n) & 0xFFFF for n in range(len(headers))]
    assert [header.marker for header in headers] == [False, False, True, False, False, True]
    assert [header.timestamp for header in headers] == [2**32 - 100] * 3 + [2900] * 3
    assert all(len(packet) <= 1200 for packet in bench.rtp)


def test_extensions_are_written_as_negotiated() -> None:
    bench = Bench(Codec.OPUS, mid="audio0", mid_id=4, abs_send_time_id=2, transport_sequence_id=3, audio_level_id=1)
    bench.sender.audio_level = 30
    bench.sender.push(opus_frame(0, time=bench.now))
    bench.sender.audio_level = None
    bench.sender.push(opus_frame(1, time=bench.now))
    first, second = (read_extensions(packet, packet[0], range(15)) for packet in bench.rtp)
    stamp = (int(50.0 * 262144) & 0xFFFFFF).to_bytes(3, "big")
    assert first == {4: b"audio0", 2: stamp, 3: b"\0\0", 1: b"\x9e"}
    assert second == {4: b"audio0", 2: stamp, 3: b"\0\1"}


def test_another_source_goes_on_in_the_same_run_of_timestamps() -> None:
    bench = Bench(Codec.OPUS, timestamp_offset=0)
    for number in range(10):
        bench.sender.push(opus_frame(number, time=number * 0.02))
        bench.wait(0.02)
    bench.wait(1.0)
    for number in range(10):  # begins at 0 again
        bench.sender.push(opus_frame(number, time=number * 0.02))
        bench.wait(0.02)
    stamps = [parse_header(packet).timestamp for packet in bench.rtp]
    steps = [b - a for a, b in pairwise(stamps)]
    assert steps[9] == pytest.approx(1.02 * 48000, abs=2)
    assert [*steps[:9], *steps[10:]] == [960] * 18


def test_a_pause_of_the_source_stays_a_pause() -> None:
    bench = Bench(Codec.OPUS, timestamp_offset=0)
    bench.sender.push(opus_frame(0, time=0.0))
    bench.sender.push(opus_frame(500, time=10.0))
    assert parse_header(bench.rtp[1]).timestamp == 480_000


def test_frames_of_another_codec_are_dropped_and_counted() -> None:
    bench = Bench(Codec.OPUS)
    bench.sender.push(vp8_frame(0, key=True, size=100, time=0))
    bench.sender.push(Gap(codec=Codec.OPUS, rtp_time=0, time=0, duration=960, packets=1))
    assert not bench.rtp
    assert bench.sender.counts.mismatched == 1


def test_muted_it_is_silent_and_comes_back_with_a_key_frame() -> None:
    bench = Bench(Codec.VP8)
    bench.video(2)
    bench.sender.set_enabled(enabled=False)
    sent = len(bench.rtp)
    bench.video(3, start=2)
    assert len(bench.rtp) == sent
    bench.sender.set_enabled(enabled=True)
    bench.video(2, start=5)
    assert len(bench.rtp) == sent
    assert bench.requests >= 1
    bench.video(1)
    assert len(bench.rtp) > sent


def test_a_new_negotiation_keeps_the_stream() -> None:
    bench = Bench(Codec.VP8)
    bench.video(1)
    bench.sender.reconfigure(replace(bench.sender.config, payload_type=100, max_bitrate_bps=500_000))
    bench.video(1, start=1)
    last, new = parse_header(bench.rtp[2]), parse_header(bench.rtp[3])
    assert (new.payload_type, new.ssrc, new.sequence) == (100, 5, (last.sequence + 1) & 0xFFFF)
    assert bench.bitrates == [500_000]


@given(st.lists(PACKETS, max_size=20))
def test_nothing_a_receiver_says_makes_it_raise(packets: list[RtcpPacket]) -> None:
    bench = Bench(Codec.VP8, nack=True, rtx_payload_type=97, max_bitrate_bps=1_000_000)
    bench.video(1)
    for packet in packets:
        bench.sender.handle_rtcp(packet)
        bench.wait(0.1)
    assert all(64_000 <= bitrate <= 1_000_000 for bitrate in bench.bitrates)
