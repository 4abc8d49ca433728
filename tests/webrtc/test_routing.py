"""Which line a packet belongs to: MID, announced SSRC, payload type; and RTCP to whom it concerns."""

from __future__ import annotations

import struct

from pexrtc_py.webrtc.routing import Router
from pexrtc_py.webrtc.rtcp import Bye, Nack, ReceiverReport, RtcpPacket, SenderReport, serialize_compound
from pexrtc_py.webrtc.rtp import RtpHeader

MID_ID = 4


class Line:
    """A receiver that notes what it is given."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.reports: list[tuple[int, int]] = []
        self.counts: list[tuple[int, int]] = []
        self.byes: list[int] = []
        self.first: list[float] = []

    def handle_rtp(self, packet: bytes, header: RtpHeader, arrival: float) -> None:
        self.sequences.append(header.sequence)

    def handle_sender_report(
        self, ssrc: int, ntp: int, rtp: int, arrival: float, *, packets: int = 0, octets: int = 0
    ) -> None:
        self.reports.append((ssrc, rtp))
        self.counts.append((packets, octets))

    def handle_bye(self, ssrc: int, arrival: float) -> None:
        self.byes.append(ssrc)


class Outgoing:
    """A sender that notes RTCP."""

    def __init__(self) -> None:
        self.packets: list[RtcpPacket] = []

    def handle_rtcp(self, packet: RtcpPacket) -> None:
        self.packets.append(packet)


def rtp(ssrc: int, sequence: int, *, payload_type: int = 96, mid: str | None = None) -> bytes:
    """A packet, with a one-byte MID extension when asked for."""
    extension = b""
    if mid is not None:
        data = bytes([MID_ID << 4 | len(mid) - 1]) + mid.encode()
        data += bytes(-len(data) % 4)
        extension = struct.pack("!HH", 0xBEDE, len(data) // 4) + data
    first = 0x90 if extension else 0x80
    return struct.pack("!BBHII", first, payload_type, sequence, 0, ssrc) + extension + b"payload"


def two_lines(**announced: list[int]) -> tuple[Router, Line, Line]:
    """A router with main video and slides of the same payload types."""
    router, main, slides = Router(), Line(), Line()
    router.set_mid_extension(MID_ID)
    router.set_receiver("1", main, payload_types={96, 97}, ssrcs=announced.get("main", []), on_first=main.first.append)
    router.set_receiver("2", slides, payload_types={96, 97}, ssrcs=announced.get("slides", []))
    return router, main, slides


def test_mid_goes_first() -> None:
    """A packet with a MID binds its source to that line, whatever else would fit; later ones need no MID."""
    router, main, slides = two_lines(main=[7])
    router.handle_rtp(rtp(7, 1, mid="2"), 1.0)
    router.handle_rtp(rtp(7, 2), 1.1)
    router.handle_rtp(rtp(8, 3, mid="1"), 1.2)
    router.handle_rtp(rtp(9, 4, mid="x"), 1.3)
    assert (slides.sequences, main.sequences, router.unrouted) == ([1, 2], [3], 1)
    assert main.first == [1.2]


def test_announced_sources_go_second() -> None:
    """Without a MID the peer's a=ssrc lines tell."""
    router, main, slides = two_lines(main=[7, 17], slides=[8])
    for sequence, ssrc in enumerate((8, 7, 17, 8)):
        router.handle_rtp(rtp(ssrc, sequence), 0.0)
    assert (main.sequences, slides.sequences) == ([1, 2], [0, 3])


def test_payload_types_go_last() -> None:
    """Without either the only line with the payload type takes it; of several the first without a source."""
    router, main, slides = two_lines()
    sound = Line()
    router.set_receiver("0", sound, payload_types={111})
    router.handle_rtp(rtp(5, 1, payload_type=111), 0.0)
    router.handle_rtp(rtp(6, 2), 0.0)
    router.handle_rtp(rtp(7, 3), 0.0)
    router.handle_rtp(rtp(8, 4, payload_type=33), 0.0)
    assert (sound.sequences, main.sequences, slides.sequences, router.unrouted) == ([1], [2], [3], 1)


def test_a_line_that_receives_no_more_takes_nothing() -> None:
    """After renegotiation packets of its source go nowhere, and its payload types to whoever has them."""
    router, main, slides = two_lines(slides=[8])
    router.handle_rtp(rtp(8, 1), 0.0)
    router.set_receiver("2", None)
    router.handle_rtp(rtp(9, 2), 0.0)
    assert (main.sequences, slides.sequences) == ([2], [1])


def test_damage_is_counted() -> None:
    """What is no RTP and no RTCP is dropped."""
    router, main, _ = two_lines()
    router.handle_rtp(b"\x80\x60", 0.0)
    router.handle_rtp(b"\x00" * 20, 0.0)
    router.handle_rtcp(b"\x80\xc8\x00\xff", 0.0)
    assert router.unrouted == 3
    assert not main.sequences


def test_a_peer_with_many_sources_costs_no_memory() -> None:
    """Sources are forgotten before they are too many; the packets still arrive."""
    router, main, _ = two_lines()
    for ssrc in range(2000):
        router.handle_rtp(rtp(ssrc, ssrc & 0xFFFF, mid="1"), 0.0)
    assert len(main.sequences) == 2000
    assert len(router._by_ssrc) <= 256


def test_sources_that_fell_silent_are_told_of() -> None:
    """Whoever keeps something of each source must hear which are gone, of all kinds, and never of those that speak."""
    router, main, _ = two_lines()
    forgotten: list[int] = []
    router.on_forgotten = forgotten.extend
    for number in range(1000, 3000):
        router.handle_rtp(rtp(7, number, mid="1"), 0.0)
        router.handle_rtp(rtp(number, 1, payload_type=33), 0.0)
        router.handle_rtcp(ReceiverReport(ssrc=10_000 + number).serialize(), 0.0)
    assert len(main.sequences) == 2000
    assert 7 not in forgotten
    assert len(forgotten) == len(set(forgotten))
    assert 4001 - len(forgotten) <= 2 * 256


def test_reports_reach_whom_they_concern() -> None:
    """Sender reports and BYE go to the source's receiver, everything to the senders."""
    router, main, slides = two_lines(main=[7], slides=[8])
    sender = Outgoing()
    router.add_sender(sender)
    router.handle_rtp(rtp(7, 1), 0.0)
    packets: list[RtcpPacket] = [
        SenderReport(ssrc=7, ntp=1, rtp_time=70, packets=50, octets=8000),
        SenderReport(ssrc=8, ntp=1, rtp_time=80, packets=1, octets=1),
        SenderReport(ssrc=99, ntp=1, rtp_time=90, packets=1, octets=1),
        ReceiverReport(ssrc=1),
        Nack(sender_ssrc=1, media_ssrc=2, lost=(3,)),
        Bye(ssrcs=(8, 99)),
    ]
    router.handle_rtcp(serialize_compound(packets), 0.5)
    assert (main.reports, slides.reports) == ([(7, 70)], [(8, 80)])
    # They were left behind here, so that statistics told of peers who had sent nothing.
    assert main.counts == [(50, 8000)]
    assert (main.byes, slides.byes) == ([], [8])
    assert sender.packets == packets


def test_transport_feedback_is_not_read() -> None:
    """Nobody here follows it, and one datagram of it held the loop for half a second: a run takes two bytes."""
    router, sender = Router(), Outgoing()
    router.add_sender(sender)
    body = struct.pack("!IIHHI", 1, 2, 0, 65528, 0) + 8 * struct.pack("!H", 8191)
    feedback = struct.pack("!BBH", 0x80 | 15, 205, len(body) // 4) + body
    lost = Nack(sender_ssrc=1, media_ssrc=2, lost=(3,))
    router.handle_rtcp(feedback * 30 + lost.serialize(), 1.0)
    assert sender.packets == [lost]
