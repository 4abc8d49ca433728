"""Statistics of the path and of codecs, by the names and units of W3C webrtc-stats; see `statistics.py` for streams."""

from __future__ import annotations

import msgspec

from ..protocol.negotiation import NegotiatedLine, Payload
from ..protocol.sdp import Candidate

__all__ = [
    "TRANSPORT_ID",
    "CandidatePairStatistics",
    "CandidateStatistics",
    "CodecStatistics",
    "LocalCandidate",
    "PathStatistics",
    "RemoteCandidate",
    "TransportStatistics",
    "candidate_statistics",
    "codec_statistics",
]

TRANSPORT_ID = "transport"


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""

    id: str
    """Name of the object, constant over the call."""
    timestamp: float
    """When it was taken, milliseconds of `time.monotonic`."""


class TransportStatistics(_Struct, frozen=True, kw_only=True, tag_field="type", tag="transport"):
    """The path of all lines (RTCTransportStats)."""

    packets_sent: int
    """Media only, retransmissions and RTCP included."""
    packets_received: int
    bytes_sent: int
    bytes_received: int
    ice_role: str
    ice_local_username_fragment: str
    dtls_state: str
    dtls_role: str
    selected_candidate_pair_id: str | None = None
    tls_version: str | None = None
    dtls_cipher: str | None = None
    srtp_cipher: str | None = None
    packets_discarded: int = 0
    """Ours: could not be decrypted, or were no RTP."""


class CandidatePairStatistics(_Struct, frozen=True, kw_only=True, tag_field="type", tag="candidate-pair"):
    """The selected pair (RTCIceCandidatePairStats)."""

    transport_id: str
    local_candidate_id: str
    remote_candidate_id: str
    state: str
    nominated: bool
    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    last_packet_received_timestamp: float | None
    current_round_trip_time: float | None
    """Seconds; of the last answered consent check."""
    total_round_trip_time: float
    responses_received: int
    consent_requests_sent: int


class _CandidateStruct(_Struct, frozen=True, kw_only=True):
    transport_id: str
    address: str
    port: int
    protocol: str
    candidate_type: str
    priority: int
    foundation: str
    related_address: str | None = None
    related_port: int | None = None


class LocalCandidate(_CandidateStruct, frozen=True, kw_only=True, tag_field="type", tag="local-candidate"):
    """A candidate of ours (RTCIceCandidateStats)."""


class RemoteCandidate(_CandidateStruct, frozen=True, kw_only=True, tag_field="type", tag="remote-candidate"):
    """A candidate of the peer."""


class CodecStatistics(_Struct, frozen=True, kw_only=True, tag_field="type", tag="codec"):
    """A payload type in use (RTCCodecStats)."""

    transport_id: str
    payload_type: int
    mime_type: str
    clock_rate: int
    channels: int | None = None
    sdp_fmtp_line: str | None = None
    codec_type: str | None = None
    """`encode` or `decode`."""


CandidateStatistics = LocalCandidate | RemoteCandidate
PathStatistics = TransportStatistics | CandidatePairStatistics | CandidateStatistics | CodecStatistics


def candidate_statistics(candidate: Candidate, number: int, now: float, *, local: bool) -> CandidateStatistics:
    """Describe a candidate."""
    kind = LocalCandidate if local else RemoteCandidate
    return kind(
        id=f"{'local' if local else 'remote'}-candidate-{number}",
        timestamp=now * 1000,
        transport_id=TRANSPORT_ID,
        address=candidate.host,
        port=candidate.port,
        protocol=candidate.transport.lower(),
        candidate_type=candidate.type,
        priority=candidate.priority,
        foundation=candidate.foundation,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )


def codec_statistics(line: NegotiatedLine, now: float) -> list[CodecStatistics]:
    """Describe what a line sends with and what it may receive."""
    found: list[CodecStatistics] = []
    if line.direction.sends:
        found += [_codec(line, payload, "encode", now) for payload in line.send if payload.is_codec][:1]
    if line.direction.receives:
        found += [_codec(line, payload, "decode", now) for payload in line.receive if payload.is_codec]
    return found


def _codec(line: NegotiatedLine, payload: Payload, use: str, now: float) -> CodecStatistics:
    return CodecStatistics(
        id=f"codec-{line.index}-{use}-{payload.payload_type}",
        timestamp=now * 1000,
        transport_id=TRANSPORT_ID,
        payload_type=payload.payload_type,
        mime_type=f"{line.kind}/{payload.name}",
        clock_rate=payload.clock_rate,
        channels=payload.channels if line.kind == "audio" else None,
        sdp_fmtp_line=payload.parameters or None,
        codec_type=use,
    )
