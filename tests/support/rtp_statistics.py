"""Statistics of one call before anything was sent: what a test does not replace is zero."""

from __future__ import annotations

from pexrtc_py.webrtc.statistics import InboundRtp, OutboundRtp, RemoteInboundRtp, RemoteOutboundRtp

INBOUND = InboundRtp(
    id="inbound-0",
    timestamp=0,
    kind="audio",
    ssrc=1,
    mid="0",
    mime_type="audio/opus",
    packets_received=0,
    packets_lost=0,
    jitter=0.004,
    bytes_received=0,
    header_bytes_received=0,
    last_packet_received_timestamp=0.0,
    packets_discarded=0,
    packets_duplicated=0,
    packets_malformed=0,
    retransmitted_packets_received=0,
    nack_count=0,
    pli_count=0,
    fir_count=0,
    jitter_buffer_delay=0,
    jitter_buffer_emitted_count=0,
)
REMOTE = RemoteOutboundRtp(
    id="remote-outbound-0",
    timestamp=0,
    kind="audio",
    ssrc=1,
    mid="0",
    packets_sent=0,
    bytes_sent=0,
    remote_timestamp=0,
    reports_sent=0,
)
OUTBOUND = OutboundRtp(
    id="outbound-0",
    timestamp=0,
    kind="audio",
    ssrc=2,
    mid="0",
    mime_type="audio/opus",
    packets_sent=0,
    bytes_sent=0,
    header_bytes_sent=0,
    retransmitted_packets_sent=0,
    retransmitted_bytes_sent=0,
    nack_count=0,
    pli_count=0,
    fir_count=0,
    active=True,
)
REPORT = RemoteInboundRtp(
    id="remote-inbound-0",
    timestamp=0,
    kind="audio",
    ssrc=2,
    mid="0",
    packets_lost=0,
    fraction_lost=0.25,
    jitter=0.003,
    round_trip_time=0.08,
    total_round_trip_time=0.08,
    round_trip_time_measurements=1,
)
