"""What a receiver makes of packets that are empty, unknown or hostile; its timers and its end."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.rtp import RtpHeader, parse_header
from tests.webrtc.receiver_bench import EVENT, H264, OPUS, PCMA, RTX, VP8, Bench

from .link import Recorder, vp8_frame


def test_empty_payloads_fill_their_number_and_nothing_else() -> None:
    """One of them makes aiortc's decoder fail for ever."""
    bench = Bench(Kind.AUDIO)
    for sequence in range(10):
        bench.sound(sequence, payload=b"" if sequence in {4, 5} else b"\xf8x")
    assert len(bench.tap.frames) == 8
    assert not bench.tap.gaps
    video = Bench(Kind.VIDEO)
    sequence = video.picture(0, 0, key=True)
    video.rtp(b"\x90\x80\x01", sequence, 3000, kind=VP8, marker=True)  # a descriptor alone
    video.rtp(b"", sequence + 1, 3000, kind=VP8)
    video.rtp(b"\0\0", 9, 3000, kind=RTX, ssrc=6)  # a probe
    video.picture(2, sequence + 2, key=False)
    assert len(video.tap.frames) == 2
    assert all(frame.data for frame in video.tap.frames)


def test_an_unknown_payload_type_is_counted_and_leaves_no_gap() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(0)
    bench.rtp(b"\x01", 1, 960, kind=13)
    bench.wait(0.02)
    bench.sound(2)
    assert len(bench.tap.frames) == 2
    assert not bench.tap.gaps


def test_timers_rest_while_all_is_in_order() -> None:
    bench = Bench(Kind.AUDIO)
    moved = []
    bench.receiver.on_timer = lambda: moved.append(bench.now)
    assert bench.receiver.next_timer() is None
    for sequence in range(10):
        bench.sound(sequence)
    assert len(moved) == 1  # the first report
    bench.sound(12)
    assert len(moved) == 2


def test_closing_ends_taps_once_and_takes_no_more() -> None:
    bench = Bench(Kind.AUDIO)
    bench.sound(0)
    bench.sound(2)
    bench.receiver.close()
    bench.receiver.close()
    assert bench.tap.ended == 1
    assert len(bench.tap.frames) == 2
    bench.sound(3)
    assert len(bench.tap.frames) == 2
    with pytest.raises(LocalProtocolError):
        bench.receiver.add_tap(Recorder())


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([Kind.AUDIO, Kind.VIDEO]),
    packets=st.lists(
        st.tuples(
            st.binary(max_size=30),
            st.integers(0, 40) | st.integers(0, 65535),
            st.integers(0, 8).map(lambda n: n * 3000) | st.integers(0, 2**32 - 1),
            st.sampled_from([VP8, RTX, H264, OPUS, PCMA, EVENT, 13]),
            st.sampled_from([5, 6]),
            st.booleans(),
        ),
        max_size=60,
    ),
)
def test_nothing_a_peer_sends_makes_it_raise_or_hold_packets_for_ever(
    kind: Kind, packets: list[tuple[bytes, int, int, int, int, bool]]
) -> None:
    bench = Bench(kind)
    for payload, sequence, timestamp, form, ssrc, marker in packets:
        bench.rtp(payload, sequence, timestamp, kind=form, ssrc=ssrc, marker=marker)
        bench.wait(0.03)
    bench.wait(6.0)
    assert all(frame.data for frame in bench.tap.frames)
    stream = bench.receiver._stream
    assert stream is None or not stream._held, "packets are held for ever"


def chaos(seed: int) -> Callable[[], tuple[bytes, RtpHeader]]:
    """Return a maker of packets: a stream with loss, disorder, restarts, damage and nonsense."""
    dice = random.Random(seed)
    state = {"sequence": 0, "timestamp": 0, "ssrc": 5}
    body = payloader(Codec.VP8).split(vp8_frame(0, key=True, size=900, time=0), 1000)[0]

    def make() -> tuple[bytes, RtpHeader]:
        fate = dice.random()
        state["sequence"] += 1
        if fate < 0.05:
            state["sequence"] += dice.randrange(5)
        elif fate < 0.0502:
            state["sequence"] += dice.randrange(65536)
            state["timestamp"] += dice.randrange(2**32)
        elif fate < 0.0504:
            state["ssrc"] = dice.randrange(2**32)
        if dice.random() < 0.3:
            state["timestamp"] += 3000
        sequence = state["sequence"] - (dice.randrange(30) if dice.random() < 0.05 else 0)
        kind = dice.choices([VP8, RTX, H264, 13], [90, 5, 4, 1])[0]
        payload = body if dice.random() < 0.9 else dice.randbytes(dice.randrange(40))
        packet = struct.pack(
            "!BBHII",
            0x80 | (dice.randrange(64) if dice.random() < 0.02 else 0),
            kind | (0x80 if dice.random() < 0.3 else 0),
            sequence & 0xFFFF,
            state["timestamp"] & 0xFFFFFFFF,
            state["ssrc"],
        )
        packet += payload
        return packet, parse_header(packet)

    return make


@pytest.mark.parametrize("seed", [1, 2])
def test_a_slice_of_a_million_packets(seed: int) -> None:
    """A live receiver neither dies nor grows, whatever comes."""
    bench = Bench(Kind.VIDEO)
    make = chaos(seed)
    held = 0
    for _ in range(20_000):
        packet, header = make()
        bench.receiver.handle_rtp(packet, header, bench.now)
        bench.wait(0.005)
        stream = bench.receiver._stream
        if stream is not None:
            held = max(held, len(stream._held))
            assert len(stream.missing) <= 512
    assert held <= 4096
    assert len(bench.receiver._known) <= 16
    assert len(bench.tap.frames) > 500
