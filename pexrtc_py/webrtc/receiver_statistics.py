"""The W3C statistics of one receiver, put together when someone asks."""

from __future__ import annotations

from dataclasses import dataclass

from ..media.frames import Codec, Kind
from .receiver_video import VideoStream
from .reorder import OrderedStream
from .rtcp import unix_from_ntp
from .statistics import FrameMeter, InboundRtp, PacketTotals, RemoteOutboundRtp, RtpStatistics

__all__ = ["FeedbackCounts", "receiver_statistics", "stream_totals"]


@dataclass(slots=True)
class FeedbackCounts:
    """What a receiver has asked for."""

    nacks: int = 0
    """NACK packets."""
    plis: int = 0
    firs: int = 0


def stream_totals(stream: OrderedStream) -> PacketTotals:
    """Return the counters of one stream."""
    return PacketTotals(
        received=stream.received,
        lost=stream.lost,
        late=stream.late,
        duplicates=stream.duplicates,
        padding=stream.padding,
        malformed=stream.malformed,
        repaired=stream.repaired,
        repaired_bytes=stream.repaired_bytes,
        network_lost=stream.missing.lost.count,
        loss_runs=stream.missing.lost.runs,
        reordered=stream.reordered,
        payload_bytes=stream.payload_bytes,
        header_bytes=stream.header_bytes,
        frames_dropped=stream.frames_dropped if isinstance(stream, VideoStream) else 0,
    )


def receiver_statistics(
    stream: OrderedStream,
    codec: Codec,
    mid: str,
    totals: PacketTotals,
    meter: FrameMeter,
    counts: FeedbackCounts,
    audio_level: tuple[int, bool] | None,
    now: float,
) -> list[RtpStatistics]:
    """Return `inbound-rtp`, and `remote-outbound-rtp` once the sender has reported."""
    video = codec.kind is Kind.VIDEO
    rate = codec.clock_rate
    # G.722 has 16000 samples a second, and a clock of 8000 (RFC 3551 section 4.5.2).
    samples = 2 if codec is Codec.G722 else 1
    arrived = stream.last_arrival
    inbound = InboundRtp(
        id=f"inbound-{mid or codec.kind}",
        timestamp=now * 1000,
        kind=codec.kind,
        ssrc=stream.ssrc,
        mid=mid,
        mime_type=f"{codec.kind}/{codec}",
        packets_received=totals.received,
        packets_lost=totals.lost,
        jitter=stream.jitter / rate,
        bytes_received=totals.payload_bytes,
        header_bytes_received=totals.header_bytes,
        last_packet_received_timestamp=arrived * 1000,
        packets_discarded=totals.late,
        packets_duplicated=totals.duplicates,
        packets_padding=totals.padding,
        packets_malformed=totals.malformed,
        retransmitted_packets_received=totals.repaired,
        retransmitted_bytes_received=totals.repaired_bytes,
        nack_count=counts.nacks,
        pli_count=counts.plis,
        fir_count=counts.firs,
        jitter_buffer_delay=meter.held_s * samples,
        jitter_buffer_emitted_count=meter.units * samples,
        frames_received=meter.frames if video else None,
        key_frames_received=meter.key_frames if video else None,
        frames_dropped=totals.frames_dropped if video else None,
        frame_width=meter.width if video else None,
        frame_height=meter.height if video else None,
        frames_per_second=meter.frames_per_second(now) if video else None,
        freeze_count=meter.freezes if video else None,
        total_freezes_duration=meter.freezes_s if video else None,
        pause_count=meter.pauses if video else None,
        total_pauses_duration=meter.pauses_s if video else None,
        total_inter_frame_delay=meter.inter_frame_s if video else None,
        total_squared_inter_frame_delay=meter.inter_frame_squared if video else None,
        total_samples_received=None if video else (meter.units + meter.missing) * samples,
        concealed_samples=None if video else meter.missing * samples,
        concealment_events=None if video else meter.gaps,
        network_lost=totals.network_lost,
        loss_runs=totals.loss_runs,
        packets_missing=len(stream.missing),
        packets_reordered=totals.reordered,
        jitter_deviations=tuple(deviation / rate for deviation in stream.deviations),
        jitter_deviation_count=stream.deviation_count,
        audio_level=_linear(audio_level[0]) if audio_level is not None else None,
    )
    reported = stream.sender_counts
    if reported is None:
        return [inbound]
    ntp, packets, octets, reports, came = reported
    outbound = RemoteOutboundRtp(
        id=f"remote-outbound-{mid or codec.kind}",
        timestamp=came * 1000,
        kind=codec.kind,
        ssrc=stream.ssrc,
        mid=mid,
        packets_sent=packets,
        bytes_sent=octets,
        remote_timestamp=unix_from_ntp(ntp) * 1000,
        reports_sent=reports,
    )
    return [inbound, outbound]


def _linear(level: int) -> float:
    """Return a level of -dBov as W3C has it: 1 is the loudest, 0 silence, which is level 127 (RFC 6464 section 3)."""
    return 10 ** (-level / 20) if level < 127 else 0.0
