"""Statistics have the units and the times that W3C webrtc-stats gives them."""

from __future__ import annotations

import time

import pytest

from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.webrtc.receiver_statistics import _linear
from pexrtc_py.webrtc.statistics import FrameMeter, InboundRtp, OutboundRtp, RemoteInboundRtp, RemoteOutboundRtp
from pexrtc_py.webrtc.transport_statistics import CandidatePairStatistics, TransportStatistics, iana_cipher
from tests.support.peers import call, find, listen, push, video

from .link import Link, opus_frame, script, vp8_frame
from .sender_bench import Bench


def one(kind: type[InboundRtp | RemoteInboundRtp | RemoteOutboundRtp | OutboundRtp], found: list[object]) -> object:
    (item,) = (item for item in found if isinstance(item, kind))
    return item


def test_what_the_other_side_reports_has_the_time_it_came() -> None:
    """Not that of reading it: so two readings of one report are told from two reports that say the same."""
    link = Link(Codec.OPUS, round_trip_s=0.08)
    for number in range(100):
        link.at(link.now + 0.02 * number, lambda number=number: link.sender.push(opus_frame(number, time=link.now)))  # type: ignore[misc]
    link.run(1001.9)
    ours = one(RemoteInboundRtp, [*link.sender.statistics(1001.9)])
    theirs = one(RemoteOutboundRtp, [*link.receiver.statistics(1001.9)])
    assert isinstance(ours, RemoteInboundRtp)
    assert isinstance(theirs, RemoteOutboundRtp)
    assert ours.timestamp == pytest.approx(1001_580)  # 0.5 s after the first packet, again a second later, and back
    assert theirs.timestamp == pytest.approx(1001_040, abs=21)  # with the first frame after a second
    assert one(RemoteInboundRtp, [*link.sender.statistics(1005.0)]) == ours
    assert one(RemoteOutboundRtp, [*link.receiver.statistics(1005.0)]) == theirs


def test_retransmitted_bytes_are_payload() -> None:
    """Their headers are among the header bytes: both together are all that left."""
    bench = Bench(Codec.VP8, nack=True, rtx_payload_type=97, rtx_ssrc=6, transport_sequence_id=3, mid="0", mid_id=1)
    bench.video(2)
    first = len(bench.rtp)
    bench.sender.handle_nack([65534, 65535])
    outbound = one(OutboundRtp, [*bench.sender.statistics(bench.now)])
    assert isinstance(outbound, OutboundRtp)
    assert len(bench.rtp) == first + 2
    assert outbound.bytes_sent + outbound.header_bytes_sent == sum(map(len, bench.rtp))
    again = sum(map(len, bench.rtp[first:])) - outbound.retransmitted_bytes_sent
    assert again == 2 * (12 + 4 + 8)  # fixed header, block of extensions, and those: MID 2, number 3, padded


def test_silence_is_a_level_of_nought() -> None:
    """Level 127 was not told at all."""
    assert [_linear(level) for level in (0, 20, 127)] == [1.0, pytest.approx(0.1), 0.0]


def test_gaps_in_a_row_are_one_event() -> None:
    """W3C, concealmentEvents: concealed samples after those that were not."""
    meter = FrameMeter()
    for _ in range(2):
        meter.sound(960, 0.01)
        meter.gap(960)
        meter.gap(1920)
    assert (meter.gaps, meter.missing) == (2, 2 * 2880)


def test_samples_of_g722_are_twice_its_clock() -> None:
    """16000 samples a second under a clock of 8000 (RFC 3551 section 4.5.2)."""
    link = Link(Codec.G722, lose=script([3]))
    for number in range(10):
        frame = EncodedFrame(codec=Codec.G722, data=bytes(160), rtp_time=160 * number, time=link.now)
        link.at(link.now + 0.02 * number, lambda frame=frame: link.sender.push(frame))  # type: ignore[misc]
    link.run(1001.0)
    inbound = one(InboundRtp, [*link.receiver.statistics(1001.0)])
    assert isinstance(inbound, InboundRtp)
    assert inbound.jitter_buffer_emitted_count == 9 * 320
    assert (inbound.total_samples_received, inbound.concealed_samples) == (10 * 320, 320)
    assert inbound.jitter_buffer_delay / inbound.jitter_buffer_emitted_count < 0.2


def test_time_between_pictures_is_in_seconds() -> None:
    """totalInterFrameDelay and its squares: 30 pictures a second for a second."""
    link = Link(Codec.VP8)
    for number in range(31):
        frame = vp8_frame(number, key=number == 0, size=900, time=link.now)
        link.at(link.now + number / 30, lambda frame=frame: link.sender.push(frame))  # type: ignore[misc]
    link.run(1002.0)
    inbound = one(InboundRtp, [*link.receiver.statistics(1002.0)])
    assert isinstance(inbound, InboundRtp)
    assert inbound.total_inter_frame_delay == pytest.approx(1.0, abs=0.01)
    assert inbound.total_squared_inter_frame_delay == pytest.approx(1 / 30, abs=0.001)


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
        ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        ("", ""),
    ],
)
def test_suites_have_the_names_of_the_registry(name: str, registered: str) -> None:
    """https://www.iana.org/assignments/tls-parameters"""
    assert iana_cipher(name) == registered


async def test_path_has_the_terms_of_w3c() -> None:
    """Versions in hexadecimal, suites as registered, the last packet of media, and the bitrate while one is known."""
    async with call() as (client, node):
        sender = client.lines[1].sender
        assert sender is not None
        tap = listen(node, 1)
        push(client, 1, *map(video, range(4)))
        await tap.until(lambda: tap.has(4))
        transport = find(node, TransportStatistics)
        assert transport.tls_version == "FEFD"
        assert (transport.dtls_cipher or "").startswith("TLS_ECDHE_ECDSA_WITH_")
        assert (transport.srtp_cipher, transport.dtls_role) == ("SRTP_AEAD_AES_256_GCM", "client")
        at = find(node, CandidatePairStatistics).last_packet_received_timestamp
        assert at is not None
        assert time.monotonic() - 5 < at / 1000 <= time.monotonic()
        assert find(client, CandidatePairStatistics).available_outgoing_bitrate is None
        sender.on_bitrate = lambda bitrate_bps: None
        assert find(client, CandidatePairStatistics).available_outgoing_bitrate == 1_500_000
        sender.handle_remb(400_000)
        assert find(client, CandidatePairStatistics).available_outgoing_bitrate == 400_000
