"""Statistics of the path and of codecs, by the names and units of W3C webrtc-stats; see `statistics.py` for streams."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
_VERSIONS = {"DTLSv1": "FEFF", "DTLSv1.2": "FEFD", "DTLSv1.3": "FEFC"}  # RFC 6347 section 4.1, RFC 9147 section 5.3
_SUITE = re.compile(r"(ECDHE|DHE)-(ECDSA|RSA)-(?:AES(128|256)(-GCM)?-(SHA\d*)|CHACHA20-POLY1305)")


@dataclass(slots=True)
class MediaCounts:
    """What a transport counts."""

    packets_received: int = 0
    bytes_received: int = 0
    """Encrypted, without IP and UDP headers."""
    last_arrival: float | None = None
    """Of the last, `time.monotonic`."""
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
    """Four hexadecimal digits: `FEFD` is DTLS 1.2."""
    dtls_cipher: str | None = None
    """As in IANA's registry."""
    srtp_cipher: str | None = None
    """Likewise, the DTLS-SRTP profile."""
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
    """Of media and RTCP."""
    current_round_trip_time: float | None
    """Seconds; of the last answered consent check."""
    total_round_trip_time: float
    responses_received: int
    consent_requests_sent: int
    available_outgoing_bitrate: float | None = None
    """Bits per second for all streams that follow it; None while neither feedback nor the peer tells."""


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
    ice: IceConnection,
    dtls: DtlsTransport,
    counts: MediaCounts,
    overflowed: int,
    now: float,
    *,
    available_bps: int | None = None,
) -> list[PathStatistics]:
    """Describe the transport, the candidates of both sides and the selected pair.

    Args:
        ice: of the transport.
        dtls: likewise.
        counts: of media and RTCP.
        overflowed: datagrams that found no room in the socket.
        now: `time.monotonic`.
        available_bps: what the pair can carry of what is sent, as far as known.
    """
    local = [from_ice(candidate) for candidate in ice.local_candidates]
    remote = [from_ice(candidate) for candidate in ice.remote_candidates]
    pair = None
    if ice.selected is not None:
        ends = from_ice(ice.selected.local_candidate), from_ice(ice.selected.remote_candidate)
        if ends[0] in local and ends[1] in remote:
            pair = _pair(ice, local.index(ends[0]), remote.index(ends[1]), counts, now, available_bps)
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
        dtls_role=dtls.role if dtls.role in {"client", "server"} else "unknown",
        selected_candidate_pair_id=pair.id if pair is not None else None,
        **_registered(dtls.ciphers),
    )
    candidates = [_candidate(item, number, now, local=True) for number, item in enumerate(local)]
    candidates += [_candidate(item, number, now, local=False) for number, item in enumerate(remote)]
    return [transport, *candidates, *([pair] if pair is not None else [])]


def _pair(
    ice: IceConnection, local: int, remote: int, counts: MediaCounts, now: float, available_bps: int | None
) -> CandidatePairStatistics:
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
        last_packet_received_timestamp=counts.last_arrival * 1000 if counts.last_arrival is not None else None,
        current_round_trip_time=ice.round_trip_s,
        total_round_trip_time=ice.total_round_trip_s,
        responses_received=ice.consent_responses,
        consent_requests_sent=ice.consent_requests,
        available_outgoing_bitrate=available_bps,
    )


def _registered(ciphers: Mapping[str, str]) -> dict[str, str]:
    """Return what was agreed by the names of W3C's registries, where they are others than OpenSSL's."""
    named = dict(ciphers)
    if "tls_version" in named:
        named["tls_version"] = _VERSIONS.get(named["tls_version"], named["tls_version"])
    if "dtls_cipher" in named:
        named["dtls_cipher"] = iana_cipher(named["dtls_cipher"])
    if "srtp_cipher" in named:
        named["srtp_cipher"] = named["srtp_cipher"].replace("_CM_SHA1_", "_CM_HMAC_SHA1_")
    return named


def iana_cipher(name: str) -> str:
    """Return IANA's name of a cipher suite that OpenSSL calls so; of one that is not for DTLS, the name as it is."""
    match = _SUITE.fullmatch(name)
    if match is None:
        return name
    exchange, key, bits, counter, digest = match.groups()
    mode = "GCM" if counter else "CBC"
    cipher = f"AES_{bits}_{mode}_{digest}" if bits else "CHACHA20_POLY1305_SHA256"
    return f"TLS_{exchange}_{key}_WITH_{cipher}"


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
