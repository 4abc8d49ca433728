"""Session descriptions as text: read with tolerance, written with care (RFC 8866, RFC 8829, RFC 8839).

Reading refuses only what leaves no meaning: a line that is not `x=...`, an `m=` line that cannot be read. All that
peers are known to send wrongly is left out instead: `a=fmtp` and `a=rtcp-fb` of a payload type without an rtpmap (old
PexRTC), candidates, extensions and sources that cannot be read. Static payload types need no rtpmap (RFC 3551 section
6). Line ends may be CRLF, LF or CR; they are written as CRLF, because real clients split on it. Reading what was
written gives the same value again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .sdp_model import (
    Attribute,
    Bandwidth,
    Candidate,
    Content,
    Direction,
    ExtMap,
    Feedback,
    Fingerprint,
    Group,
    MediaDescription,
    PayloadFormat,
    SessionDescription,
    Setup,
    Ssrc,
    SsrcGroup,
)
from .sdp_reading import parse_candidate, parse_parameters, parse_sdp

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
    "parse_candidate",
    "parse_parameters",
    "parse_sdp",
    "serialize_candidate",
    "serialize_sdp",
]


def serialize_candidate(candidate: Candidate) -> str:
    """Write a candidate without `a=`, as `candidate:...`."""
    c = candidate
    text = f"candidate:{c.foundation} {c.component} {c.transport} {c.priority} {c.host} {c.port} typ {c.type}"
    if c.related_address is not None:
        text += f" raddr {c.related_address}"
        if c.related_port is not None:
            text += f" rport {c.related_port}"
    return text + "".join(f" {name} {value}" for name, value in c.extensions)


def serialize_sdp(description: SessionDescription) -> str:
    """Write a session description, each line ended by CRLF."""
    return "".join(line + "\r\n" for line in _lines(description))


def _lines(description: SessionDescription) -> Iterator[str]:
    yield "v=0"
    yield f"o={description.origin}"
    yield f"s={description.name}"
    if description.connection is not None:
        yield f"c={description.connection}"
    yield from (f"b={b.kind}:{b.value}" for b in description.bandwidths)
    yield "t=0 0"
    if description.ice_lite:
        yield "a=ice-lite"
    yield from (" ".join([f"a=group:{group.semantics}", *group.mids]) for group in description.groups)
    yield from _attribute_lines("", description.attributes)
    for media in description.media:
        yield from _media_lines(media)


def _media_lines(media: MediaDescription) -> Iterator[str]:
    yield " ".join([f"m={media.media} {media.port} {media.profile}", *media.formats])
    if media.connection is not None:
        yield f"c={media.connection}"
    yield from (f"b={b.kind}:{b.value}" for b in media.bandwidths)
    named = (
        ("mid", media.mid),
        ("content", media.content),
        ("label", media.label),
        ("ice-ufrag", media.ice_ufrag),
        ("ice-pwd", media.ice_pwd),
        ("ice-options", " ".join(media.ice_options) or None),
    )
    yield from (f"a={name}:{value}" for name, value in named if value is not None)
    yield from (f"a=fingerprint:{f.algorithm} {f.value}" for f in media.fingerprints)
    if media.setup is not None:
        yield f"a=setup:{media.setup}"
    if media.bundle_only:
        yield "a=bundle-only"
    yield f"a={media.direction}"
    if media.rtcp_mux:
        yield "a=rtcp-mux"
    if media.rtcp_rsize:
        yield "a=rtcp-rsize"
    for ext in media.extensions:
        direction = f"/{ext.direction}" if ext.direction is not None else ""
        yield f"a=extmap:{ext.id}{direction} {ext.uri} {ext.parameters}".rstrip()
    for payload in media.payloads:
        channels = f"/{payload.channels}" if payload.channels != 1 else ""
        yield f"a=rtpmap:{payload.payload_type} {payload.name}/{payload.clock_rate}{channels}"
        if payload.parameters:
            yield f"a=fmtp:{payload.payload_type} {payload.parameters}"
    for item in media.feedback:
        yield f"a=rtcp-fb:{'*' if item.payload_type is None else item.payload_type} {item.value}"
    if media.msid is not None:
        yield f"a=msid:{media.msid}"
    yield from (" ".join([f"a=ssrc-group:{g.semantics}", *map(str, g.ssrcs)]) for g in media.ssrc_groups)
    for source in media.ssrcs:
        if source.attributes:
            yield from _attribute_lines(f"ssrc:{source.ssrc} ", source.attributes)
        else:
            yield f"a=ssrc:{source.ssrc}"
    yield from (f"a={serialize_candidate(candidate)}" for candidate in media.candidates)
    if media.end_of_candidates:
        yield "a=end-of-candidates"
    yield from _attribute_lines("", media.attributes)


def _attribute_lines(prefix: str, attributes: Iterable[Attribute]) -> Iterator[str]:
    for attribute in attributes:
        yield f"a={prefix}{attribute.name}" + ("" if attribute.value is None else f":{attribute.value}")
