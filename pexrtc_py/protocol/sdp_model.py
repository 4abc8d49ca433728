"""The model of a session description: what RFC 8866 text means to a WebRTC endpoint, as values.

It keeps what the negotiation looks at in typed fields and everything else, in order, in `attributes`. Values that hold
for the whole session (ICE credentials, fingerprint, setup, direction) are found on each media line, where WebRTC needs
them. `sdp.py` reads and writes the text; `negotiation.py` decides what an offer or an answer contains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "Attribute",
    "Bandwidth",
    "Candidate",
    "Content",
    "Direction",
    "ExtMap",
    "Feedback",
    "Fingerprint",
    "Group",
    "MediaDescription",
    "PayloadFormat",
    "SessionDescription",
    "Setup",
    "Ssrc",
    "SsrcGroup",
]


class Direction(StrEnum):
    """Who may send on a line, seen from the one whose description it is (RFC 8866 section 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether the owner of the description sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the owner of the description receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        """The same as the other side sees it."""
        return Direction.of(sends=self.receives, receives=self.sends)

    def __and__(self, other: Direction) -> Direction:
        """What both allow, both seen from the same side."""
        return Direction.of(sends=self.sends and other.sends, receives=self.receives and other.receives)

    @staticmethod
    def of(*, sends: bool, receives: bool) -> Direction:
        """The direction that sends, receives, both or none."""
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE


class Content(StrEnum):
    """What a line is for (RFC 4796 section 5): Pexip marks the presentation `slides`, all else `main`."""

    MAIN = "main"
    SLIDES = "slides"
    SPEAKER = "speaker"
    ALT = "alt"
    SIGN_LANGUAGE = "sl"


class Setup(StrEnum):
    """Who opens the DTLS handshake (RFC 4145 section 4, RFC 8842)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"
    HOLDCONN = "holdconn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute this model does not interpret; it is kept as it came."""

    name: str
    """What stands before the colon."""
    value: str | None = None
    """What stands after it; None without a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """A `b=` line (RFC 8866 section 5.8)."""

    kind: str
    """`AS` counts kilobits per second, `TIAS` bits per second (RFC 3890)."""
    value: int
    """In the unit of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadFormat:
    """One RTP payload type of a line: rtpmap and fmtp together."""

    payload_type: int
    """0 to 127."""
    name: str
    """Encoding name as written by the peer; compare without case."""
    clock_rate: int
    """RTP ticks per second."""
    channels: int = 1
    """Audio channels; 1 when not said."""
    parameters: str = ""
    """The value of `a=fmtp`, empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """An `a=rtcp-fb` line (RFC 4585 section 4.2)."""

    payload_type: int | None
    """None for `*`: every payload type of the line."""
    value: str
    """`nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc` and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtMap:
    """An RTP header extension (RFC 8285 section 5)."""

    id: int
    """1 to 14 for one-byte headers, to 255 for two-byte headers."""
    uri: str
    """What it carries."""
    direction: Direction | None = None
    """Rarely given restriction."""
    parameters: str = ""
    """Extension attributes, empty when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssrc:
    """A source that the owner of the description sends (RFC 5576)."""

    ssrc: int
    """Synchronisation source."""
    attributes: tuple[Attribute, ...] = ()
    """`cname`, `msid` and the like; empty when only the number was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SsrcGroup:
    """Sources that belong together; `FID` pairs a source with its retransmissions (RFC 5576 section 4.2)."""

    semantics: str
    """`FID`, `SIM`, `FEC-FR`."""
    ssrcs: tuple[int, ...]
    """In the order that the semantics gives a meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that belong together (RFC 5888); `BUNDLE` puts them on one transport (RFC 8843)."""

    semantics: str
    """`BUNDLE`, `LS`."""
    mids: tuple[str, ...]
    """Their `a=mid` values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Hash of the certificate that the DTLS handshake must show (RFC 8122 section 5)."""

    algorithm: str
    """`sha-256` and the like."""
    value: str
    """Hexadecimal bytes with colons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An address media may be sent to (RFC 8839 section 5.1)."""

    foundation: str
    """Equal for candidates of the same kind, base and server."""
    component: int
    """1 for RTP (and RTCP with it), 2 for RTCP of its own."""
    transport: str
    """`udp` or `tcp`, as written."""
    priority: int
    """The higher the better."""
    host: str
    """IP address, or an mDNS name."""
    port: int
    """Port number; TCP's active candidates say 9."""
    type: str
    """`host`, `srflx`, `prflx` or `relay`."""
    related_address: str | None = None
    """Base of a reflexive or relayed candidate."""
    related_port: int | None = None
    """Its port."""
    extensions: tuple[tuple[str, str], ...] = ()
    """`tcptype`, `generation`, `ufrag` and the like, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """One `m=` line and what follows it."""

    media: str
    """`audio`, `video`, `application`, ..."""
    port: int
    """0 when rejected, or when `bundle_only`."""
    profile: str
    """`UDP/TLS/RTP/SAVPF` and the like."""
    formats: tuple[str, ...]
    """Tokens as they stand in `m=`; payload types for RTP."""
    payloads: tuple[PayloadFormat, ...] = ()
    """The formats that are described, in the order of `formats`: static ones without rtpmap included."""
    connection: str | None = None
    """The value of `c=`."""
    bandwidths: tuple[Bandwidth, ...] = ()
    """`b=` lines in order."""
    mid: str | None = None
    """`a=mid`."""
    direction: Direction = Direction.SENDRECV
    """sendrecv when not said."""
    content: Content | None = None
    """`a=content`, the first value we know."""
    label: str | None = None
    """`a=label` (RFC 4574)."""
    setup: Setup | None = None
    """`a=setup`, of the line or of the session."""
    ice_ufrag: str | None = None
    """ICE user name fragment, of the line or of the session."""
    ice_pwd: str | None = field(default=None, repr=False)
    """ICE password, likewise; a secret."""
    fingerprints: tuple[Fingerprint, ...] = ()
    """Of the line or of the session."""
    candidates: tuple[Candidate, ...] = ()
    """All that could be read, TCP included."""
    end_of_candidates: bool = False
    """No more will be trickled."""
    ice_options: tuple[str, ...] = ()
    """`trickle`, `renomination`, of the line or of the session."""
    bundle_only: bool = False
    """Live on the bundle's transport in spite of port 0 (RFC 8843 section 6)."""
    rtcp_mux: bool = False
    """RTCP on the port of RTP (RFC 5761)."""
    rtcp_rsize: bool = False
    """RTCP packets may be reduced in size (RFC 5506)."""
    feedback: tuple[Feedback, ...] = ()
    """`a=rtcp-fb` lines of described payload types, and wildcards."""
    extensions: tuple[ExtMap, ...] = ()
    """RTP header extensions."""
    ssrcs: tuple[Ssrc, ...] = ()
    """Sources announced."""
    ssrc_groups: tuple[SsrcGroup, ...] = ()
    """Their groups."""
    msid: str | None = None
    """`a=msid`: stream and track."""
    attributes: tuple[Attribute, ...] = ()
    """All others, in order."""

    @property
    def rejected(self) -> bool:
        """Whether the line is refused or gone: port 0 without bundle-only (RFC 3264 section 6)."""
        return self.port == 0 and not self.bundle_only

    @property
    def bitrate_bps(self) -> int | None:
        """What the owner wants to receive at most, bits per second; TIAS goes before AS."""
        by_kind = {bandwidth.kind.upper(): bandwidth.value for bandwidth in reversed(self.bandwidths)}
        if "TIAS" in by_kind:
            return by_kind["TIAS"]
        return by_kind["AS"] * 1000 if "AS" in by_kind else None

    def feedback_of(self, payload_type: int) -> frozenset[str]:
        """The feedback that holds for a payload type, wildcards included."""
        return frozenset(item.value for item in self.feedback if item.payload_type in (None, payload_type))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """A whole description."""

    origin: str = "- 0 0 IN IP4 127.0.0.1"
    """The value of `o=`."""
    name: str = "-"
    """The value of `s=`."""
    connection: str | None = None
    """The value of a `c=` before the first line."""
    bandwidths: tuple[Bandwidth, ...] = ()
    """`b=` lines before the first line."""
    groups: tuple[Group, ...] = ()
    """`a=group` lines."""
    ice_lite: bool = False
    """The owner answers connectivity checks and sends none (RFC 8445 section 2.5)."""
    attributes: tuple[Attribute, ...] = ()
    """All others of the session, in order."""
    media: tuple[MediaDescription, ...] = ()
    """The lines."""

    @property
    def bundle(self) -> tuple[str, ...]:
        """The mids of the first bundle, empty without one."""
        return next((group.mids for group in self.groups if group.semantics.upper() == "BUNDLE"), ())
