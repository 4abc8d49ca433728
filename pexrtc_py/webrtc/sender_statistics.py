"""Counters of one sender, and the W3C statistics made of them."""

from __future__ import annotations

from dataclasses import dataclass

from ..media.frames import Kind
from .rtcp import ReportBlock
from .sender_config import SenderConfig
from .statistics import OutboundRtp, RemoteInboundRtp, RtpStatistics

__all__ = ["SenderCounts", "sender_statistics"]


@dataclass(slots=True)
class SenderCounts:
    """What a sender has sent and heard."""

    packets: int = 0
    payload_bytes: int = 0
    header_bytes: int = 0
    frames: int = 0
    key_frames: int = 0
    mismatched: int = 0
    """Frames of another codec than negotiated, which were dropped."""
    retransmitted: int = 0
    retransmitted_bytes: int = 0
    """Payload only."""
    retransmitted_header_bytes: int = 0
    nacks: int = 0
    plis: int = 0
    firs: int = 0
    width: int = 0
    height: int = 0
    round_trips_s: float = 0.0
    """Sum of all measured."""
    round_trips: int = 0


def sender_statistics(
    config: SenderConfig,
    counts: SenderCounts,
    heard: tuple[ReportBlock, float] | None,
    round_trip_s: float | None,
    target_bps: int | None,
    now: float,
    *,
    active: bool,
) -> list[RtpStatistics]:
    """Return `outbound-rtp`, and `remote-inbound-rtp` once the receiver has reported: what it `heard`, and when."""
    codec = config.codec
    video = codec.kind is Kind.VIDEO
    name = config.mid or codec.kind
    outbound = OutboundRtp(
        id=f"outbound-{name}",
        timestamp=now * 1000,
        kind=codec.kind,
        ssrc=config.ssrc,
        mid=config.mid,
        mime_type=f"{codec.kind}/{codec}",
        packets_sent=counts.packets + counts.retransmitted,
        bytes_sent=counts.payload_bytes + counts.retransmitted_bytes,
        header_bytes_sent=counts.header_bytes + counts.retransmitted_header_bytes,
        retransmitted_packets_sent=counts.retransmitted,
        retransmitted_bytes_sent=counts.retransmitted_bytes,
        nack_count=counts.nacks,
        pli_count=counts.plis,
        fir_count=counts.firs,
        active=active,
        target_bitrate=target_bps,
        frames_sent=counts.frames if video else None,
        key_frames_sent=counts.key_frames if video else None,
        frame_width=counts.width if video else None,
        frame_height=counts.height if video else None,
    )
    if heard is None:
        return [outbound]
    block, came = heard
    inbound = RemoteInboundRtp(
        id=f"remote-inbound-{name}",
        timestamp=came * 1000,
        kind=codec.kind,
        ssrc=config.ssrc,
        mid=config.mid,
        packets_lost=block.packets_lost,
        fraction_lost=block.fraction_lost / 256,
        jitter=block.jitter / codec.clock_rate,
        round_trip_time=round_trip_s,
        total_round_trip_time=counts.round_trips_s,
        round_trip_time_measurements=counts.round_trips,
    )
    return [outbound, inbound]
