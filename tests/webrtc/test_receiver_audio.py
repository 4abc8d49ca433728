"""Digits and levels that come with the sound."""

from __future__ import annotations

import struct

import pytest

from pexrtc_py.media.frames import Kind
from pexrtc_py.webrtc.rtp import serialize_extensions
from tests.webrtc.receiver_bench import EVENT, OPUS, Bench


def test_digits_are_told_once_each_whatever_is_lost() -> None:
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    sequence = 0
    bench.sound(sequence)
    for event, timestamp in ((1, 10_000), (1, 20_000), (11, 30_000), (5, 40_000)):
        for packet in range(6):
            sequence += 1
            if event == 11 and packet < 3:
                continue  # its beginning is lost, with the marker
            payload = struct.pack("!BBH", event, 0x80 if packet > 2 else 0, min(packet + 1, 4) * 960)
            bench.rtp(payload, sequence, timestamp, kind=EVENT, marker=packet == 0)
            bench.wait(0.02)
    assert digits == ["1", "1", "#", "5"]
    sequence += 1
    bench.sound(sequence, timestamp=50_000)
    assert len(bench.tap.frames) == 2


@pytest.mark.parametrize("ssrc", [5, 6])
def test_digits_go_on_after_timestamps_that_began_anew(ssrc: int) -> None:
    """A sender that begins anew, as another source or not, stands anywhere: half of them were mute for hours."""
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    bench.sound(1, timestamp=3_000_000_000)
    bench.rtp(struct.pack("!BBH", 1, 10, 960), 2, 3_000_000_960, kind=EVENT, marker=True)
    bench.wait(1.0)
    bench.sound(3, timestamp=2_000_000_000, ssrc=ssrc)
    bench.rtp(struct.pack("!BBH", 2, 10, 960), 4, 2_000_000_960, kind=EVENT, marker=True, ssrc=ssrc)
    bench.rtp(struct.pack("!BBH", 3, 10, 960), 5, 2_000_010_000, kind=EVENT, marker=True, ssrc=ssrc)
    assert digits == ["1", "2", "3"]


def test_a_digit_held_for_long_is_one_digit() -> None:
    bench = Bench(Kind.AUDIO)
    digits: list[str] = []
    bench.receiver.on_digit = digits.append
    bench.sound(0)
    bench.rtp(struct.pack("!BBH", 3, 10, 65535), 1, 1000, kind=EVENT, marker=True)
    bench.rtp(struct.pack("!BBH", 3, 10, 960), 2, 1000 + 65535, kind=EVENT)
    bench.rtp(struct.pack("!BBH", 3, 0x8A, 1920), 3, 1000 + 65535, kind=EVENT)
    assert digits == ["3"]


def test_the_senders_audio_level_is_read_without_decoding() -> None:
    bench = Bench(Kind.AUDIO, audio_level_id=1)
    bench.rtp(b"\xf8x", 0, 0, kind=OPUS, extensions=serialize_extensions({1: b"\x9e"}))
    assert bench.receiver.audio_level == (30, True)
