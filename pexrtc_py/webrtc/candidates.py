"""Candidates of our descriptions as aioice has them, and back."""

from __future__ import annotations

from ..protocol.sdp import Candidate
from .ice import IceCandidate

__all__ = ["from_ice", "to_ice"]


def from_ice(candidate: IceCandidate) -> Candidate:
    """Our words for a candidate of aioice; a name of mDNS stays a name."""
    return Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.transport,
        priority=candidate.priority,
        host=candidate.host,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )


def to_ice(candidate: Candidate) -> IceCandidate:
    """aioice's words for a candidate."""
    return IceCandidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.transport,
        priority=candidate.priority,
        host=candidate.host,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )
