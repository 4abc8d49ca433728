"""Reading session descriptions: the rules of `sdp.py`, in whose name they are public."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ..errors import SdpError
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

__all__ = ["parse_candidate", "parse_parameters", "parse_sdp"]

# RFC 3551 section 6, the ones this project speaks.
_STATIC = {
    0: PayloadFormat(payload_type=0, name="PCMU", clock_rate=8000),
    8: PayloadFormat(payload_type=8, name="PCMA", clock_rate=8000),
    9: PayloadFormat(payload_type=9, name="G722", clock_rate=8000),
}
_DIRECTIONS = {direction.value: direction for direction in Direction}
_CONTENTS = {content.value: content for content in Content}
_SETUPS = {setup.value: setup for setup in Setup}
_MAX_SSRC = 0xFFFFFFFF
# Limits of our own, ten times what browsers write: each media line is looked through for each thing it may say.
_MAX_LINES = 4000
_MAX_MEDIA = 32

_Attributes = list[tuple[str, str | None]]
_T = TypeVar("_T")


def parse_sdp(text: str) -> SessionDescription:
    """Read a session description.

    Raises:
        SdpError: a line has no type, an `m=` line cannot be read, there is nothing to read, or far too much.
    """
    session: list[tuple[int, str, str]] = []
    sections: list[list[tuple[int, str, str]]] = []
    current = session
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", _MAX_LINES)
    for number, raw in enumerate(rows, 1):
        line = raw.strip()
        if not line:
            continue
        if number > _MAX_LINES:
            raise SdpError(f"more than {_MAX_LINES} lines")
        if len(line) < 2 or line[1] != "=":
            raise SdpError(f"not a type and a value: {_shown(line)}", line=number)
        if line[0] == "m":
            current = []
            sections.append(current)
            if len(sections) > _MAX_MEDIA:
                raise SdpError(f"more than {_MAX_MEDIA} media lines", line=number)
        current.append((number, line[0], line[2:]))
    if not session and not sections:
        raise SdpError("nothing in it")
    common = _attributes(session)
    return SessionDescription(
        origin=_first(session, "o") or "- 0 0 IN IP4 127.0.0.1",
        name=_first(session, "s") or "-",
        connection=_first(session, "c"),
        bandwidths=_bandwidths(session),
        groups=tuple(
            Group(semantics=words[0], mids=tuple(words[1:]))
            for words in ((value or "").split() for name, value in common if name == "group")
            if words
        ),
        ice_lite=any(name == "ice-lite" for name, _ in common),
        attributes=tuple(Attribute(name=n, value=v) for n, v in common if n not in _SESSION_NAMES),
        media=tuple(_parse_media(section, common) for section in sections),
    )


def parse_candidate(text: str) -> Candidate:
    """Read a candidate as it stands in `a=candidate` or in a trickled `candidate:` string.

    Raises:
        SdpError: it is cut short, or a number in it is none.
    """
    words = text.strip().removeprefix("a=").removeprefix("candidate:").split()
    if len(words) < 8 or words[6] != "typ":
        raise SdpError(f"a candidate cannot be read: {_shown(text)}")
    component, priority, port = (_number(words[i]) for i in (1, 3, 5))
    if component is None or priority is None or port is None or port > 0xFFFF:
        raise SdpError(f"a candidate has a number that is none: {_shown(text)}")
    pairs = list(zip(words[8::2], words[9::2], strict=False))
    named = dict(reversed(pairs))
    related_port = _number(named.get("rport", ""))
    return Candidate(
        foundation=words[0],
        component=component,
        transport=words[2],
        priority=priority,
        host=words[4],
        port=port,
        type=words[7],
        related_address=named.get("raddr"),
        related_port=related_port if "raddr" in named else None,
        extensions=tuple(pair for pair in pairs if pair[0] not in ("raddr", "rport")),
    )


def parse_parameters(fmtp: str) -> dict[str, str]:
    """Read the parameters of an `a=fmtp` value: names in lower case, a name without `=` has the value ''."""
    parameters: dict[str, str] = {}
    for item in fmtp.split(";"):
        name, _, value = item.partition("=")
        if name.strip():
            parameters.setdefault(name.strip().lower(), value.strip())
    return parameters


def _parse_media(section: list[tuple[int, str, str]], common: _Attributes) -> MediaDescription:
    number, _, value = section[0]
    words = value.split()
    if len(words) < 4:
        raise SdpError(f"m= without media, port, profile and format: {_shown(value)}", line=number)
    port = _number(words[1].partition("/")[0])
    if port is None or port > 0xFFFF:
        raise SdpError(f"m= with a port that is none: {_shown(words[1])}", line=number)
    own = _attributes(section)
    both = own + common

    def text(name: str) -> str | None:
        return next((v for n, v in both if n == name and v), None)

    def own_text(name: str) -> str | None:
        return next((v for n, v in own if n == name and v), None)

    def flag(name: str, where: _Attributes = own) -> bool:
        return any(n == name for n, _ in where)

    payloads = _payloads(tuple(words[3:]), own) if "RTP" in words[2].upper() else ()
    known = {payload.payload_type for payload in payloads}
    directions = [n for n, _ in own if n in _DIRECTIONS] or [n for n, _ in common if n in _DIRECTIONS]
    contents = [_CONTENTS[c] for n, v in own if n == "content" for c in _commas(v) if c in _CONTENTS]
    prints = _read_all("fingerprint", own, _fingerprint) or _read_all("fingerprint", common, _fingerprint)
    return MediaDescription(
        media=words[0],
        port=port,
        profile=words[2],
        formats=tuple(words[3:]),
        payloads=payloads,
        connection=_first(section, "c"),
        bandwidths=_bandwidths(section),
        mid=own_text("mid"),
        direction=_DIRECTIONS[directions[-1]] if directions else Direction.SENDRECV,
        content=contents[0] if contents else None,
        label=own_text("label"),
        setup=_SETUPS.get((text("setup") or "").strip()),
        ice_ufrag=text("ice-ufrag"),
        ice_pwd=text("ice-pwd"),
        fingerprints=prints,
        candidates=_read_all("candidate", own, _candidate),
        end_of_candidates=flag("end-of-candidates", both),
        ice_options=tuple((text("ice-options") or "").split()),
        bundle_only=flag("bundle-only"),
        rtcp_mux=flag("rtcp-mux"),
        rtcp_rsize=flag("rtcp-rsize"),
        feedback=tuple(f for f in _read_all("rtcp-fb", own, _feedback) if f.payload_type in {None, *known}),
        extensions=_read_all("extmap", both, _extension),
        ssrcs=_ssrcs(own),
        ssrc_groups=_read_all("ssrc-group", own, _ssrc_group),
        msid=own_text("msid"),
        attributes=tuple(Attribute(name=n, value=v) for n, v in own if n not in _MEDIA_NAMES),
    )


def _payloads(formats: tuple[str, ...], attributes: _Attributes) -> tuple[PayloadFormat, ...]:
    """The formats that an rtpmap or RFC 3551 describes; of two descriptions of one the first holds."""
    described: dict[int, PayloadFormat] = {}
    for payload in _read_all("rtpmap", attributes, _rtpmap):
        described.setdefault(payload.payload_type, payload)
    parameters: dict[int, str] = {}
    for name, value in attributes:
        if name == "fmtp" and value:
            number, _, rest = value.partition(" ")
            payload_type = _number(number)
            if payload_type is not None and rest.strip():
                joined = parameters.get(payload_type)
                parameters[payload_type] = f"{joined};{rest.strip()}" if joined else rest.strip()
    found: dict[int, PayloadFormat] = {}
    for token in formats:
        payload_type = _number(token)
        if payload_type is None:
            continue
        mapped = described.get(payload_type) or _STATIC.get(payload_type)
        if mapped is not None and payload_type not in found:
            found[payload_type] = replace(mapped, parameters=parameters.get(payload_type, ""))
    return tuple(found.values())


def _rtpmap(value: str) -> PayloadFormat | None:
    words = value.split()
    if len(words) < 2:
        return None
    parts = words[1].split("/")
    payload_type = _number(words[0])
    clock_rate = _number(parts[1]) if len(parts) > 1 else None
    channels = _number(parts[2]) if len(parts) > 2 else 1
    if payload_type is None or payload_type > 127 or not parts[0] or not clock_rate or not channels:
        return None
    return PayloadFormat(payload_type=payload_type, name=parts[0], clock_rate=clock_rate, channels=channels)


def _feedback(value: str) -> Feedback | None:
    target, _, rest = value.partition(" ")
    wanted = " ".join(rest.split())
    payload_type = _number(target)
    if not wanted or (target != "*" and payload_type is None):
        return None
    return Feedback(payload_type=payload_type, value=wanted)


def _extension(value: str) -> ExtMap | None:
    words = value.split()
    if len(words) < 2:
        return None
    number, _, direction = words[0].partition("/")
    ext_id = _number(number)
    if ext_id is None or not 0 < ext_id < 256:
        return None
    return ExtMap(id=ext_id, uri=words[1], direction=_DIRECTIONS.get(direction), parameters=" ".join(words[2:]))


def _fingerprint(value: str) -> Fingerprint | None:
    words = value.split()
    return Fingerprint(algorithm=words[0], value=words[1]) if len(words) == 2 else None


def _candidate(value: str) -> Candidate | None:
    try:
        return parse_candidate(value)
    except SdpError:
        return None


def _ssrc_group(value: str) -> SsrcGroup | None:
    words = value.split()
    ssrcs = [_number(word) for word in words[1:]]
    if not ssrcs or any(ssrc is None or ssrc > _MAX_SSRC for ssrc in ssrcs):
        return None
    return SsrcGroup(semantics=words[0], ssrcs=tuple(ssrc for ssrc in ssrcs if ssrc is not None))


def _ssrcs(attributes: _Attributes) -> tuple[Ssrc, ...]:
    found: dict[int, list[Attribute]] = {}
    for name, value in attributes:
        if name != "ssrc" or not value:
            continue
        number, _, rest = value.partition(" ")
        ssrc = _number(number)
        if ssrc is None or ssrc > _MAX_SSRC:
            continue
        known = found.setdefault(ssrc, [])
        key, colon, content = rest.strip().partition(":")
        if key:
            known.append(Attribute(name=key, value=content if colon else None))
    return tuple(Ssrc(ssrc=ssrc, attributes=tuple(known)) for ssrc, known in found.items())


def _read_all(name: str, attributes: _Attributes, read: Callable[[str], _T | None]) -> tuple[_T, ...]:
    return tuple(item for n, v in attributes if n == name and v for item in (read(v),) if item is not None)


def _attributes(section: list[tuple[int, str, str]]) -> _Attributes:
    pairs = (value.partition(":") for _, kind, value in section if kind == "a")
    return [(name, rest if colon else None) for name, colon, rest in pairs]


def _bandwidths(section: list[tuple[int, str, str]]) -> tuple[Bandwidth, ...]:
    pairs = (value.partition(":") for _, kind, value in section if kind == "b")
    numbers = ((name, _number(rest.strip())) for name, _, rest in pairs)
    return tuple(Bandwidth(kind=name, value=number) for name, number in numbers if name and number is not None)


def _first(section: list[tuple[int, str, str]], kind: str) -> str | None:
    return next((value for _, k, value in section if k == kind and value), None)


def _commas(value: str | None) -> list[str]:
    return [item.strip() for item in (value or "").split(",")]


def _number(text: str) -> int | None:
    """A number of at most eighteen ASCII digits, or None; int() alone takes underscores, signs and other digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _shown(text: str) -> str:
    """What of the peer's text an error may show: short, and without control characters."""
    return ascii(text[:60])


_INHERITED = {"setup", "ice-ufrag", "ice-pwd", "fingerprint", "ice-options", "end-of-candidates", "extmap"}
_SESSION_NAMES = _INHERITED | set(_DIRECTIONS) | {"group", "ice-lite"}
_MEDIA_NAMES = (
    _INHERITED
    | set(_DIRECTIONS)
    | {"mid", "content", "label", "candidate", "bundle-only", "rtcp-mux", "rtcp-rsize", "rtcp-fb", "rtpmap", "fmtp"}
    | {"ssrc", "ssrc-group", "msid"}
)
