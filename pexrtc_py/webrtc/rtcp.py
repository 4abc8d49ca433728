"""RTCP: compound packets to and from values (RFC 3550 section 6, RFC 4585, RFC 5104, REMB, transport-wide feedback).

`parse_compound` is strict about lengths, because a wrong one says that nothing after it can be trusted, and tolerant
about kinds: packet types and feedback formats we do not know are skipped, as RFC 3550 section 6.1 demands.
The transport-wide feedback lives in `rtcp_transport`, its format being as long as all others together.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import RemoteProtocolError
from .rtcp_transport import TransportFeedback

__all__ = [
    "Bye",
    "FullIntraRequest",
    "Nack",
    "PictureLossIndication",
    "ReceiverEstimate",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "ntp_from_unix",
    "parse_compound",
    "serialize_compound",
    "unix_from_ntp",
]

# Packets that all transport feedback of a datagram tells of: 24 bytes of it can tell of thousands, and each takes its
# time. libwebrtc reports every 50 to 250 ms; this is 120 Mb/s for a quarter of a second.
_MOST_TOLD = 3000
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970, RFC 5905 figure 4


def ntp_from_unix(seconds: float) -> int:
    """Return a 64-bit NTP timestamp (32.32 fixed point, since 1900) of seconds since the Unix epoch."""
    return int((seconds + _NTP_EPOCH) * 4294967296.0) & 0xFFFFFFFFFFFFFFFF


def unix_from_ntp(ntp: int) -> float:
    """Return seconds since the Unix epoch of a 64-bit NTP timestamp."""
    return ntp / 4294967296.0 - _NTP_EPOCH


def _packet(count: int, kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """What one receiver says about one stream (RFC 3550 section 6.4.1)."""

    ssrc: int
    """The stream reported on."""
    fraction_lost: int
    """Lost since the last report, in 256ths."""
    packets_lost: int
    """Lost since the beginning; negative when there were more duplicates than losses."""
    highest_sequence: int
    """Highest sequence number received, extended to 32 bits."""
    jitter: int
    """Interarrival jitter in RTP ticks."""
    last_report: int = 0
    """Middle 32 bits of the NTP timestamp of the last sender report; 0 before one came."""
    delay: int = 0
    """Time since then in 65536ths of a second."""

    def serialize(self) -> bytes:
        """Write the 24 bytes of a block."""
        lost = max(-0x800000, min(0x7FFFFF, self.packets_lost)) & 0xFFFFFF
        return struct.pack(
            "!IIIIII",
            self.ssrc,
            (self.fraction_lost & 0xFF) << 24 | lost,
            self.highest_sequence & 0xFFFFFFFF,
            min(self.jitter, 0xFFFFFFFF),
            self.last_report,
            min(self.delay, 0xFFFFFFFF),
        )


def _parse_blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < at + 24 * count:
        raise RemoteProtocolError("RTCP report is cut short")
    blocks = []
    for _ in range(count):
        ssrc, loss, highest, jitter, last_report, delay = struct.unpack_from("!IIIIII", body, at)
        lost = loss & 0xFFFFFF
        blocks.append(
            ReportBlock(
                ssrc=ssrc,
                fraction_lost=loss >> 24,
                packets_lost=lost - 0x1000000 if lost & 0x800000 else lost,
                highest_sequence=highest,
                jitter=jitter,
                last_report=last_report,
                delay=delay,
            )
        )
        at += 24
    return tuple(blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """What a sender says about its stream (RFC 3550 section 6.4.1)."""

    ssrc: int
    """The sender's stream."""
    ntp: int
    """64-bit NTP timestamp of the same instant as `rtp_time`; 0 when the sender has no wall clock."""
    rtp_time: int
    """RTP timestamp, 32 bits."""
    packets: int
    """Packets sent, 32 bits."""
    octets: int
    """Payload bytes sent, 32 bits."""
    reports: tuple[ReportBlock, ...] = ()
    """What it says about our streams."""

    def serialize(self) -> bytes:
        """Write the packet."""
        head = struct.pack(
            "!IQIII",
            self.ssrc,
            self.ntp,
            self.rtp_time & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )
        return _packet(len(self.reports), 200, head + b"".join(block.serialize() for block in self.reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverReport:
    """What a receiver says about the streams it receives (RFC 3550 section 6.4.2)."""

    ssrc: int
    """Who reports."""
    reports: tuple[ReportBlock, ...] = ()
    """One block a stream."""

    def serialize(self) -> bytes:
        """Write the packet."""
        body = struct.pack("!I", self.ssrc) + b"".join(block.serialize() for block in self.reports)
        return _packet(len(self.reports), 201, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """Who is behind a stream: of the items only CNAME is kept (RFC 3550 section 6.5)."""

    cnames: tuple[tuple[int, str], ...]
    """Pairs of SSRC and canonical name; the name is empty when the chunk had none."""

    def serialize(self) -> bytes:
        """Write the packet."""
        body = b""
        for ssrc, cname in self.cnames:
            name = cname.encode()[:255]
            chunk = struct.pack("!IBB", ssrc, 1, len(name)) + name + b"\0"
            body += chunk + bytes(-len(chunk) % 4)
        return _packet(len(self.cnames), 202, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """Streams that have ended (RFC 3550 section 6.6)."""

    ssrcs: tuple[int, ...]
    """The streams."""

    def serialize(self) -> bytes:
        """Write the packet."""
        return _packet(len(self.ssrcs), 203, struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack:
    """Packets asked for again (RFC 4585 section 6.2.1)."""

    sender_ssrc: int
    """Who asks."""
    media_ssrc: int
    """The stream."""
    lost: tuple[int, ...]
    """16-bit sequence numbers, oldest first."""

    def serialize(self) -> bytes:
        """Write the packet; neighbours within 17 numbers share an entry."""
        entries = []
        at = 0
        while at < len(self.lost):
            base = self.lost[at]
            mask = 0
            at += 1
            while at < len(self.lost) and 0 < (ahead := (self.lost[at] - base) & 0xFFFF) <= 16:
                mask |= 1 << (ahead - 1)
                at += 1
            entries.append(struct.pack("!HH", base, mask))
        return _packet(1, 205, struct.pack("!II", self.sender_ssrc, self.media_ssrc) + b"".join(entries))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLossIndication:
    """A key frame asked for (RFC 4585 section 6.3.1)."""

    sender_ssrc: int
    """Who asks."""
    media_ssrc: int
    """The stream."""

    def serialize(self) -> bytes:
        """Write the packet."""
        return _packet(1, 206, struct.pack("!II", self.sender_ssrc, self.media_ssrc))


@dataclass(frozen=True, slots=True, kw_only=True)
class FullIntraRequest:
    """A key frame asked for (RFC 5104 section 4.3.1): the header's media SSRC is 0, the entries name the streams."""

    sender_ssrc: int
    """Who asks."""
    requests: tuple[tuple[int, int], ...]
    """Pairs of SSRC and command sequence number; a repeated number is the same request."""
    media_ssrc: int = 0
    """0 as RFC 5104 demands; older senders put the stream here and send no entry."""

    def serialize(self) -> bytes:
        """Write the packet."""
        entries = b"".join(struct.pack("!IB3x", ssrc, number & 0xFF) for ssrc, number in self.requests)
        return _packet(4, 206, struct.pack("!II", self.sender_ssrc, self.media_ssrc) + entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverEstimate:
    """REMB: what a receiver thinks it can take (draft-alvestrand-rmcat-remb-03 section 2.2)."""

    sender_ssrc: int
    """Who says so."""
    bitrate_bps: int
    """Bits per second for all the streams together."""
    ssrcs: tuple[int, ...]
    """The streams it is about."""

    def serialize(self) -> bytes:
        """Write the packet; the rate is rounded down to 18 significant bits."""
        exponent = max(0, self.bitrate_bps.bit_length() - 18)
        word = len(self.ssrcs) << 24 | exponent << 18 | self.bitrate_bps >> exponent
        head = struct.pack("!II4sI", self.sender_ssrc, 0, b"REMB", word)
        return _packet(15, 206, head + struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs))


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimate
    | TransportFeedback
)


def serialize_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Write packets one after the other."""
    return b"".join(packet.serialize() for packet in packets)


def parse_compound(data: bytes, *, transport_feedback: bool = True) -> list[RtcpPacket]:
    """Read a compound packet, reduced-size ones included (RFC 5506); what is unknown is left out.

    Args:
        data: the packet.
        transport_feedback: whether to read that too; 36 bytes of it can tell of 65535 packets, which takes its time.

    Raises:
        RemoteProtocolError: a length does not fit, a body is cut short, or transport feedback tells of too much.
    """
    packets: list[RtcpPacket] = []
    told = 0
    at = 0
    while at < len(data):
        if len(data) < at + 4 or data[at] & 0xC0 != 0x80:
            raise RemoteProtocolError("RTCP header is damaged")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + words * 4
        if end > len(data):
            raise RemoteProtocolError("RTCP packet is cut short")
        body = data[at + 4 : end]
        if not transport_feedback and kind == 205 and first & 0x1F == 15:
            at = end
            continue
        if first & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise RemoteProtocolError("RTCP padding is damaged")
            body = body[: -body[-1]]
        try:
            packet = _parse_one(kind, first & 0x1F, body)
        except struct.error as exc:
            raise RemoteProtocolError(f"RTCP packet of type {kind} is cut short") from exc
        if isinstance(packet, TransportFeedback):
            told += len(packet.arrivals)
            if told > _MOST_TOLD:
                raise RemoteProtocolError(f"transport feedback on {told} packets in one datagram")
        if packet is not None:
            packets.append(packet)
        at = end
    return packets


def _parse_one(kind: int, count: int, body: bytes) -> RtcpPacket | None:
    if kind == 200:
        ssrc, ntp, rtp_time, sent, octets = struct.unpack_from("!IQIII", body)
        blocks = _parse_blocks(body, 24, count)
        return SenderReport(ssrc=ssrc, ntp=ntp, rtp_time=rtp_time, packets=sent, octets=octets, reports=blocks)
    if kind == 201:
        return ReceiverReport(ssrc=struct.unpack_from("!I", body)[0], reports=_parse_blocks(body, 4, count))
    if kind == 202:
        return SourceDescription(cnames=_parse_chunks(body, count))
    if kind == 203:
        return Bye(ssrcs=struct.unpack_from(f"!{count}I", body))
    if kind in {205, 206}:
        return _parse_feedback(kind, count, body)
    return None


def _parse_chunks(body: bytes, count: int) -> tuple[tuple[int, str], ...]:
    chunks = []
    at = 0
    for _ in range(count):
        (ssrc,) = struct.unpack_from("!I", body, at)
        start = at
        at += 4
        cname = ""
        while at < len(body) and body[at]:
            if at + 1 >= len(body) or at + 2 + body[at + 1] > len(body):
                raise RemoteProtocolError("RTCP source description is cut short")
            if body[at] == 1:
                cname = body[at + 2 : at + 2 + body[at + 1]].decode(errors="replace")
            at += 2 + body[at + 1]
        at += 4 - (at - start) % 4  # one zero byte at least, up to the next word
        chunks.append((ssrc, cname))
    return tuple(chunks)


def _parse_feedback(kind: int, form: int, body: bytes) -> RtcpPacket | None:
    sender, media = struct.unpack_from("!II", body)
    if kind == 205 and form == 1:
        lost = []
        for at in range(8, len(body) - 3, 4):
            base, mask = struct.unpack_from("!HH", body, at)
            lost.append(base)
            lost.extend((base + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1)
        return Nack(sender_ssrc=sender, media_ssrc=media, lost=tuple(lost))
    if kind == 205 and form == 15:
        return TransportFeedback.parse(sender, media, body)
    if kind == 206 and form == 1:
        return PictureLossIndication(sender_ssrc=sender, media_ssrc=media)
    if kind == 206 and form == 4:
        requests = tuple(struct.unpack_from("!IB", body, at) for at in range(8, len(body) - 7, 8))
        return FullIntraRequest(sender_ssrc=sender, media_ssrc=media, requests=requests)
    if kind == 206 and form == 15 and body[8:12] == b"REMB":
        (word,) = struct.unpack_from("!I", body, 12)
        rate = (word & 0x3FFFF) << (word >> 18 & 0x3F)
        ssrcs = struct.unpack_from(f"!{word >> 24}I", body, 16)
        return ReceiverEstimate(sender_ssrc=sender, bitrate_bps=rate, ssrcs=ssrcs)
    return None
