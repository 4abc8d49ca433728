"""The words of a negotiation: what each side asks, and what both settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .negotiation_formats import Payload, first_codec
from .sdp import Candidate, Content, Direction, Fingerprint, MediaDescription, Setup

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "MID",
    "TRANSPORT_CC",
    "AnswerPolicy",
    "LineOffer",
    "NegotiatedLine",
    "Sources",
    "TransportParameters",
]

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What one line sends as, chosen once per line by whoever has dice."""

    ssrc: int
    """Of the media."""
    rtx_ssrc: int | None
    """Of its retransmissions; None for audio."""
    cname: str
    """One for all lines of a peer: they share a clock (RFC 3550 section 6.5.1)."""
    track_id: str
    """For `a=msid`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportParameters:
    """One side of the transport all lines share."""

    ufrag: str
    """ICE user name fragment."""
    password: str = field(repr=False)
    """ICE password."""
    fingerprints: tuple[Fingerprint, ...]
    """Of the DTLS certificate."""
    setup: Setup
    """Role in the DTLS handshake."""
    candidates: tuple[Candidate, ...] = ()
    """Addresses known so far."""
    end_of_candidates: bool = False
    """No more will be trickled."""
    trickle: bool = False
    """More may be trickled (RFC 8838)."""
    ice_lite: bool = False
    """Answers checks only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiatedLine:
    """What an offer and its answer settled for one line, seen from our side."""

    index: int
    """Place among the m= lines, from 0."""
    kind: str
    """`audio`, `video`; of refused lines also what else the peer had."""
    mid: str | None
    """`a=mid`; None when the peer has none."""
    content: Content | None
    """What the line is for."""
    direction: Direction
    """Ours; inactive when rejected."""
    rejected: bool
    """Answered with port 0, by whichever side."""
    receive: tuple[Payload, ...] = ()
    """What may arrive, by the numbers in our description."""
    send: tuple[Payload, ...] = ()
    """What may be sent, by the numbers in the peer's description, the preferred first."""
    extensions: Mapping[str, int] = field(default_factory=dict)
    """RTP header extensions both know: URI to id."""
    reduced_size: bool = False
    """Whether RTCP may be sent without a report before it (RFC 5506): both said so."""
    remote_ssrcs: tuple[int, ...] = ()
    """Sources the peer announced, retransmissions included."""
    remote_bitrate_bps: int | None = None
    """What the peer wants at most, bits per second."""

    @property
    def codec(self) -> str | None:
        """The codec to send, None when nothing can be sent."""
        payload = first_codec(self.send)
        return payload.name if payload is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOffer:
    """What we ask of one line."""

    kind: str
    """`audio` or `video`."""
    mid: str
    """Its identification; the same in each offer of a call."""
    direction: Direction
    """What we want to do on it."""
    codecs: Sequence[str]
    """Those we can do, the preferred first."""
    sources: Sources
    """What we send as."""
    content: Content | None = None
    """main or slides."""
    bitrate_bps: int | None = None
    """What we want to receive at most, bits per second."""
    stopped: bool = False
    """Gone for good, or refused: the line keeps its place with port 0."""
    established: NegotiatedLine | None = None
    """What a former exchange settled; its numbers stay what they are (RFC 3264 section 8.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPolicy:
    """What we take of an offer."""

    codecs: Mapping[str, Sequence[str]]
    """By kind, the preferred first; a kind that is missing is refused."""
    direction: Callable[[MediaDescription], Direction] | None = None
    """Ours at most on this line of the offer; None takes the reverse of the offer as it is."""
    bitrate_bps: int | None = None
    """What we want to receive at most on each video line, bits per second."""
