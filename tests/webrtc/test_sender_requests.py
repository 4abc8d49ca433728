"""What a receiver asks a sender for: key frames, and packets again."""

from __future__ import annotations

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtcp import FullIntraRequest, Nack, PictureLossIndication
from pexrtc_py.webrtc.rtp import parse_header, read_extensions
from tests.webrtc.sender_bench import Bench


def test_video_begins_with_a_key_frame_which_is_asked_for() -> None:
    bench = Bench(Codec.VP8)
    bench.video(3, start=1)
    assert not bench.rtp
    assert bench.requests == 1
    bench.video(1)
    assert bench.rtp


def test_requests_for_key_frames_are_passed_on_in_measure() -> None:
    bench = Bench(Codec.VP8)
    bench.video(1)
    for _ in range(5):
        bench.sender.handle_rtcp(PictureLossIndication(sender_ssrc=1, media_ssrc=5))
    assert bench.requests == 1
    bench.wait(0.5)
    assert bench.requests == 2  # the second was put off, the rest were the same
    bench.wait(1.0)
    assert bench.requests == 2
    bench.sender.handle_rtcp(PictureLossIndication(sender_ssrc=1, media_ssrc=6))
    assert bench.requests == 2


def test_fir_as_rfc_5104_has_it_is_obeyed_once_a_number() -> None:
    """aiortc looks at the header's media SSRC only, which the RFC wants 0."""
    bench = Bench(Codec.VP8)
    bench.video(1)
    for number in (7, 7, 8):
        bench.sender.handle_rtcp(FullIntraRequest(sender_ssrc=1, requests=((9, 3), (5, number))))
        bench.wait(0.5)
    assert bench.requests == 2
    bench.sender.handle_rtcp(FullIntraRequest(sender_ssrc=1, requests=(), media_ssrc=5))
    assert bench.requests == 3


def test_what_is_asked_for_is_sent_again_by_rtx() -> None:
    bench = Bench(Codec.VP8, nack=True, rtx_payload_type=97, rtx_ssrc=6, mid="1", mid_id=4)
    bench.video(2)
    original = bench.rtp[1]
    bench.sender.handle_rtcp(Nack(sender_ssrc=1, media_ssrc=5, lost=(65535, 30000)))
    again = bench.rtp[-1]
    header = parse_header(again)
    assert (header.payload_type, header.ssrc, header.timestamp) == (97, 6, parse_header(original).timestamp)
    assert bench.payloads[-1] == b"\xff\xff" + bench.payloads[1]
    assert read_extensions(again, again[0], {4}) == {4: b"1"}
    assert bench.sender.counts.retransmitted == 1


def test_without_rtx_the_very_same_bytes_leave_again() -> None:
    """Anything else under the same sequence number would break SRTP's secrecy."""
    bench = Bench(Codec.VP8, nack=True, abs_send_time_id=2)
    bench.video(1)
    bench.wait(0.1)
    bench.sender.handle_nack([65534])
    assert bench.rtp[-1] == bench.rtp[0]


def test_packets_are_forgotten_after_a_while() -> None:
    bench = Bench(Codec.VP8, nack=True)
    bench.video(90)
    sent = len(bench.rtp)
    bench.sender.handle_nack([65534])
    assert len(bench.rtp) == sent
    bench.sender.handle_nack([parse_header(bench.rtp[-40]).sequence])
    assert len(bench.rtp) == sent + 1


def test_nobody_makes_a_flood_of_a_few_requests() -> None:
    """While no round trip was known, each request of a hundred bytes was answered by all that is kept."""
    bench = Bench(Codec.VP8, nack=True)
    bench.video(1)
    sent = len(bench.rtp)
    for _ in range(100):
        bench.sender.handle_nack([65534])
    assert len(bench.rtp) == sent + 10


def test_a_request_that_crosses_its_answer_is_not_answered_again() -> None:
    bench = Bench(Codec.VP8, nack=True)
    bench.video(1)
    bench.sender._reports.round_trip_s = 0.1
    for _ in range(4):
        bench.sender.handle_nack([65534])
        bench.wait(0.03)
    assert bench.sender.counts.retransmitted == 2  # at 0 and at 0.09 s
