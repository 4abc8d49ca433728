"""Pictures that a receiver puts together, drops, and asks for."""

from __future__ import annotations

import struct

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.receiver_config import Feedback
from pexrtc_py.webrtc.rtcp import FullIntraRequest, Nack, PictureLossIndication, ReceiverReport, SourceDescription
from pexrtc_py.webrtc.statistics import InboundRtp
from tests.webrtc.receiver_bench import RTX, VP8, Bench

from .link import Recorder, vp8_frame


def test_a_frame_goes_out_with_its_marker_and_not_with_the_next_frame() -> None:
    bench = Bench(Kind.VIDEO)
    bench.picture(0, 10, key=True)
    (frame,) = bench.tap.frames
    assert (frame.key, frame.width, frame.height, frame.arrival, frame.codec) == (True, 640, 360, 100.0, Codec.VP8)
    assert frame.time == 100.0
    assert frame.ntp_time is None


def test_without_a_marker_the_next_timestamp_ends_a_frame() -> None:
    bench = Bench(Kind.VIDEO)
    for number in range(3):
        (payload,) = payloader(Codec.VP8).split(vp8_frame(number, key=number == 0, size=500, time=0), 1000)
        bench.rtp(payload, number, number * 3000, kind=VP8)
    assert [frame.rtp_time for frame in bench.tap.frames] == [0, 3000]


def test_a_picture_without_an_end_is_dropped() -> None:
    """Packets of one timestamp without a marker were kept for ever, and filled the memory as fast as they came."""
    bench = Bench(Kind.VIDEO)
    start = b"\x10" + bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 16, 0, 16, 0])
    bench.rtp(start, 0, 3000, kind=VP8)
    for number in range(1, 9000):
        bench.rtp(b"\x00rest", number, 3000, kind=VP8)
    bench.rtp(b"\x00rest", 9000, 3000, kind=VP8, marker=True)
    assert not bench.tap.frames
    assert bench.receiver.statistics(bench.now)[0].frames_dropped == 1  # type: ignore[union-attr]  # inbound-rtp
    assert PictureLossIndication(sender_ssrc=1, media_ssrc=5) in bench.rtcp


def test_a_key_frame_is_asked_for_at_once_and_again_until_it_comes() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = 0
    for number in range(60):
        sequence = bench.picture(number, sequence, key=False)
    asked = len(bench.of(PictureLossIndication))
    assert 5 <= asked <= 8  # every 0.3 s of two seconds
    assert not bench.tap.items
    for number in range(60, 90):
        sequence = bench.picture(number, sequence, key=number == 60)
    assert len(bench.of(PictureLossIndication)) == asked
    assert len(bench.tap.frames) == 30


def test_every_picture_is_given_out_or_counted_as_dropped() -> None:
    """One that lost a packet, those held behind it, those before the key frame that were whole; none of them twice."""
    bench = Bench(Kind.VIDEO)
    sequence = 0
    for number in range(60):
        if number == 10:
            payloads = payloader(Codec.VP8).split(vp8_frame(number, key=False, size=3000, time=bench.now), 1000)
            for at, payload in enumerate(payloads[1:], 1):  # its first packet is lost, and is not repeated either
                bench.rtp(payload, sequence + at, number * 3000, kind=VP8, marker=at == len(payloads) - 1)
            bench.wait(1 / 30)
            sequence += len(payloads)
        else:
            sequence = bench.picture(number, sequence, key=number in {0, 30})
    (inbound,) = bench.receiver.statistics(bench.now)
    assert isinstance(inbound, InboundRtp)
    assert (inbound.frames_received, inbound.frames_dropped) == (40, 20)
    assert len(bench.tap.frames) == 40
    assert inbound.packets_lost == 1


def test_fir_where_pli_was_not_negotiated() -> None:
    bench = Bench(Kind.VIDEO, Feedback(fir=True))
    sequence = bench.picture(0, 0, key=False)
    bench.wait(0.4)
    bench.picture(1, sequence, key=False)
    requests = bench.of(FullIntraRequest)
    assert [packet.requests for packet in requests][:2] == [((5, 1),), ((5, 2),)]
    # Not reduced-size: each goes behind a report and our name (RFC 4585 section 3.1).
    assert isinstance(bench.rtcp[0], ReceiverReport)
    assert isinstance(bench.rtcp[1], SourceDescription)


def test_a_tap_added_later_begins_with_a_key_frame_which_is_asked_for() -> None:
    bench = Bench(Kind.VIDEO)
    sequence = bench.picture(0, 0, key=True)
    late, raw = Recorder(), Recorder()
    bench.receiver.add_tap(late)
    bench.receiver.add_tap(raw, decodable=False)
    bench.wait(0.01)
    assert len(bench.of(PictureLossIndication)) == 1
    for number in range(1, 5):
        sequence = bench.picture(number, sequence, key=number == 3)
    assert [frame.key for frame in late.frames] == [True, False]
    assert len(raw.frames) == len(bench.tap.frames) - 1 == 4
    bench.receiver.remove_tap(late)
    bench.picture(5, sequence, key=False)
    assert len(late.frames) == 2


def test_old_copies_by_rtx_do_nothing() -> None:
    """aiortc's buffer is reset by a copy 150 packets old: 2.5 s of freeze, and 13 hours added to the time."""
    bench = Bench(Kind.VIDEO)
    sequence = 65000
    for number in range(300):
        sequence = bench.picture(number, sequence, key=number == 0)
        if number % 10 == 9:
            for age in (3, 150, 600, 20000):
                old = struct.pack("!H", (sequence - age) & 0xFFFF) + b"\x10\x11old"
                bench.rtp(old, number, (number - 20) * 3000, kind=RTX, ssrc=6)
    assert len(bench.tap.frames) == 300
    assert bench.tap.frames[-1].rtp_time == 299 * 3000
    assert not bench.of(Nack)
