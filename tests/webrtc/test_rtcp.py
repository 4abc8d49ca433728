"""RTCP packets to and from values."""

from __future__ import annotations

import struct

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.webrtc.rtcp import (
    Bye,
    FullIntraRequest,
    Nack,
    PictureLossIndication,
    ReceiverEstimate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    ntp_from_unix,
    parse_compound,
    serialize_compound,
    unix_from_ntp,
)

U32 = st.integers(0, 2**32 - 1)
BLOCKS = st.builds(
    ReportBlock,
    ssrc=U32,
    fraction_lost=st.integers(0, 255),
    packets_lost=st.integers(-(2**23), 2**23 - 1),
    highest_sequence=U32,
    jitter=U32,
    last_report=U32,
    delay=U32,
)
REPORTS = st.lists(BLOCKS, max_size=3).map(tuple)
ARRIVALS = st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=60).map(
    lambda steps: tuple(None if s is None else sum(x or 0 for x in steps[: n + 1]) for n, s in enumerate(steps))
)
PACKETS: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(
        SenderReport,
        ssrc=U32,
        ntp=st.integers(0, 2**64 - 1),
        rtp_time=U32,
        packets=U32,
        octets=U32,
        reports=REPORTS,
    ),
    st.builds(ReceiverReport, ssrc=U32, reports=REPORTS),
    st.builds(
        SourceDescription,
        cnames=st.lists(st.tuples(U32, st.text(st.characters(codec="ascii"), max_size=20)), max_size=3).map(tuple),
    ),
    st.builds(Bye, ssrcs=st.lists(U32, max_size=4).map(tuple)),
    st.builds(PictureLossIndication, sender_ssrc=U32, media_ssrc=U32),
    st.builds(
        FullIntraRequest,
        sender_ssrc=U32,
        requests=st.lists(st.tuples(U32, st.integers(0, 255)), max_size=3).map(tuple),
    ),
    st.builds(
        ReceiverEstimate,
        sender_ssrc=U32,
        bitrate_bps=st.integers(0, 2**18 - 1).map(lambda mantissa: mantissa << 7),
        ssrcs=st.lists(U32, max_size=3).map(tuple),
    ),
    st.builds(
        TransportFeedback,
        sender_ssrc=U32,
        media_ssrc=U32,
        base_sequence=st.integers(0, 65535),
        count=st.integers(0, 255),
        reference=st.integers(-(2**23), 2**23 - 1),
        arrivals=ARRIVALS,
    ),
)


@given(st.lists(PACKETS, max_size=4))
def test_what_is_written_is_read(packets: list[RtcpPacket]) -> None:
    assert parse_compound(serialize_compound(packets)) == packets


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_compound(data)
    except RemoteProtocolError:
        return


@given(st.lists(PACKETS, min_size=1, max_size=3), st.data())
def test_any_damage_is_read_or_refused(packets: list[RtcpPacket], data: st.DataObject) -> None:
    wire = bytearray(serialize_compound(packets))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_compound(bytes(wire[: data.draw(st.integers(0, len(wire)))]))
    except RemoteProtocolError:
        return


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True))
def test_a_nack_names_each_packet_once(numbers: list[int]) -> None:
    lost = tuple((65300 + number) & 0xFFFF for number in sorted(numbers))  # over the wrap
    (packet,) = parse_compound(Nack(sender_ssrc=1, media_ssrc=2, lost=lost).serialize())
    assert packet == Nack(sender_ssrc=1, media_ssrc=2, lost=lost)


def test_aiortc_reads_the_same() -> None:
    block = ReportBlock(
        ssrc=9, fraction_lost=3, packets_lost=-2, highest_sequence=70000, jitter=5, last_report=6, delay=7
    )
    wire = serialize_compound(
        [
            SenderReport(ssrc=1, ntp=2**63, rtp_time=3, packets=4, octets=5, reports=(block,)),
            SourceDescription(cnames=((1, "name"),)),
            Nack(sender_ssrc=1, media_ssrc=2, lost=(5, 6, 22)),
            ReceiverEstimate(sender_ssrc=1, bitrate_bps=1_500_000, ssrcs=(8,)),
        ]
    )

    report, names, nack, estimate = aiortc_rtp.RtcpPacket.parse(wire)

    assert isinstance(report, aiortc_rtp.RtcpSrPacket)
    assert report.sender_info.ntp_timestamp == 2**63
    assert report.reports[0].packets_lost == -2
    assert isinstance(names, aiortc_rtp.RtcpSdesPacket)
    assert names.chunks[0].items == [(1, b"name")]
    assert isinstance(nack, aiortc_rtp.RtcpRtpfbPacket)
    assert nack.lost == [5, 6, 22]
    assert isinstance(estimate, aiortc_rtp.RtcpPsfbPacket)
    bitrate, ssrcs = aiortc_rtp.unpack_remb_fci(estimate.fci)
    assert ssrcs == [8]
    assert bitrate == pytest.approx(1_500_000, rel=1e-4)


def test_feedback_by_the_example_of_the_draft() -> None:
    """Chunks written by hand: a run of two received, a vector of one-bit symbols, deltas of 1 and -1 ms."""
    wire = bytes.fromhex(
        "8fcd0006 00000001 00000002 fffe 0006 00000105"
        "2002"  # run: two packets with small deltas
        "a800"  # one-bit vector 1 0 1 0: the remaining four
        "04080c10"  # deltas
    )
    (packet,) = parse_compound(wire)
    assert isinstance(packet, TransportFeedback)
    assert packet.base_sequence == 0xFFFE
    assert packet.arrivals == (4, 12, 24, None, 40, None)
    assert (packet.reference, packet.count) == (1, 5)


def test_feedback_with_arrivals_too_far_apart_is_refused() -> None:
    feedback = TransportFeedback(
        sender_ssrc=1, media_ssrc=2, base_sequence=0, count=0, reference=0, arrivals=(0, 0x8000)
    )
    with pytest.raises(ValueError, match="do not fit"):
        feedback.serialize()


def test_a_datagram_of_feedback_cannot_tell_of_packets_without_end() -> None:
    """Each of 83 packets of 24 bytes told of 8192: one datagram kept the loop busy for a quarter of a second."""
    wire = struct.pack("!BBHIIHHIHH", 0x8F, 205, 5, 1, 2, 0, 600, 0, 600, 0)
    assert [len(packet.arrivals) for packet in parse_compound(wire * 5) if isinstance(packet, TransportFeedback)] == [
        600
    ] * 5
    with pytest.raises(RemoteProtocolError, match="3600 packets"):
        parse_compound(wire * 83)


def test_unknown_packets_are_skipped() -> None:
    wire = bytes.fromhex("80cc0002 00000001 41424344") + PictureLossIndication(sender_ssrc=1, media_ssrc=2).serialize()
    assert parse_compound(wire) == [PictureLossIndication(sender_ssrc=1, media_ssrc=2)]


def test_ntp_keeps_a_microsecond() -> None:
    assert unix_from_ntp(ntp_from_unix(1_700_000_000.123456)) == pytest.approx(1_700_000_000.123456, abs=1e-6)
