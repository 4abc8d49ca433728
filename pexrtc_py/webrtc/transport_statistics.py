"""Statistics of the path and of codecs, by the names and units of W3C webrtc-stats; see `statistics.py` for streams."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..protocol.negotiation import NegotiatedLine, Payload
from ..protocol.sdp import Candidate
from .candidates import from_ice
from .dtls import DtlsTransport
from .ice import IceConnection

__all__ = [
    "CandidatePairStatistics",
    "CandidateStatistics",
    "CodecStatistics",
    "LocalCandidate",
    "MediaCounts",
    "PathStatistics",
    "RemoteCandidate",
    "TransportStatistics",
    "codec_statistics",
    "path_statistics",
]

_TRANSPORT_ID = "transport"


@dataclass(slots=True)
class MediaCounts:
    """What a transport counts."""

    packets_received: int = 0
    bytes_received: int = 0
    """Encrypted, without IP and UDP headers."""
    packets_sent: int = 0
    bytes_sent: int = 0
    packets_discarded: int = 0
    """Could not be decrypted or encrypted."""


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
    datagrams_overflowed: int = 0
    """Ours: came, and found no room in the socket; lost on this machine, not in the network."""


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


def _candidate(candidate: Candidate, number: int, now: float, *, local: bool) -> CandidateStatistics:
    kind = LocalCandidate if local else RemoteCandidate
    return kind(
        id=f"{'local' if local else 'remote'}-candidate-{number}",
        timestamp=now * 1000,
        transport_id=_TRANSPORT_ID,
        address=candidate.host,
        port=candidate.port,
        protocol=candidate.transport.lower(),
        candidate_type=candidate.type,
        priority=candidate.priority,
        foundation=candidate.foundation,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )


def path_statistics(
    ice: IceConnection, dtls: DtlsTransport, counts: MediaCounts, overflowed: int, now: float
) -> list[PathStatistics]:
    """Describe the transport, the candidates of both sides and the selected pair."""
    local = [from_ice(candidate) for candidate in ice.local_candidates]
    remote = [from_ice(candidate) for candidate in ice.remote_candidates]
    pair = None
    if ice.selected is not None:
        ends = from_ice(ice.selected.local_candidate), from_ice(ice.selected.remote_candidate)
        if ends[0] in local and ends[1] in remote:
            pair = _pair(ice, local.index(ends[0]), remote.index(ends[1]), counts, now)
    transport = TransportStatistics(
        id=_TRANSPORT_ID,
        timestamp=now * 1000,
        packets_sent=counts.packets_sent,
        packets_received=counts.packets_received,
        bytes_sent=counts.bytes_sent,
        bytes_received=counts.bytes_received,
        packets_discarded=counts.packets_discarded,
        datagrams_overflowed=overflowed,
        ice_role=ice.role,
        ice_local_username_fragment=ice.local_username,
        dtls_state=dtls.state,
        dtls_role=dtls.role,
        selected_candidate_pair_id=pair.id if pair is not None else None,
        **dtls.ciphers,
    )
    candidates = [_candidate(item, number, now, local=True) for number, item in enumerate(local)]
    candidates += [_candidate(item, number, now, local=False) for number, item in enumerate(remote)]
    return [transport, *candidates, *([pair] if pair is not None else [])]


def _pair(ice: IceConnection, local: int, remote: int, counts: MediaCounts, now: float) -> CandidatePairStatistics:
    return CandidatePairStatistics(
        id=f"candidate-pair-{local}-{remote}",
        timestamp=now * 1000,
        transport_id=_TRANSPORT_ID,
        local_candidate_id=f"local-candidate-{local}",
        remote_candidate_id=f"remote-candidate-{remote}",
        state="succeeded",
        nominated=True,
        packets_sent=counts.packets_sent,
        packets_received=counts.packets_received,
        bytes_sent=counts.bytes_sent,
        bytes_received=counts.bytes_received,
        last_packet_received_timestamp=ice.last_heard * 1000 if ice.last_heard else None,
        current_round_trip_time=ice.round_trip_s,
        total_round_trip_time=ice.total_round_trip_s,
        responses_received=ice.consent_responses,
        consent_requests_sent=ice.consent_requests,
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
        transport_id=_TRANSPORT_ID,
        payload_type=payload.payload_type,
        mime_type=f"{line.kind}/{payload.name}",
        clock_rate=payload.clock_rate,
        channels=payload.channels if line.kind == "audio" else None,
        sdp_fmtp_line=payload.parameters or None,
        codec_type=use,
    )
