"""Offer and answer (RFC 3264, RFC 8829, RFC 8843) as functions on descriptions: no state, no sockets, no dice.

What this side decides:

- All lines share one transport. A line that the peer did not bundle with the first is refused; a line without `a=mid`
  counts as bundled when the offer has no bundle at all and the line shows the ICE credentials of the first.
- RTCP shares the port of RTP, also with a peer that forgot `a=rtcp-mux`: a bundle has no other way (RFC 8843 section
  9.3).
- A line without a common codec, one that carries no RTP (BFCP, data channels), and one that the peer rejected are
  answered with port 0 and their formats as offered. Only when no line is left the whole fails with `CodecMismatch`.
- A line is answered with the reverse of what was offered, as far as the policy allows; `a=content` is copied, because
  Pexip's clients compare it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import CodecMismatch, SdpError
from .negotiation_formats import (
    Payload,
    common_payloads,
    feedback_lines,
    first_codec,
    formats_of,
    is_same_format,
    offer_formats,
    offered_again,
)
from .negotiation_model import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    TRANSPORT_CC,
    AnswerPolicy,
    LineOffer,
    NegotiatedLine,
    Sources,
    TransportParameters,
)
from .sdp import (
    Attribute,
    Bandwidth,
    Direction,
    ExtMap,
    Feedback,
    Group,
    MediaDescription,
    SessionDescription,
    Setup,
    Ssrc,
    SsrcGroup,
)

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "MID",
    "TRANSPORT_CC",
    "AnswerPolicy",
    "LineOffer",
    "NegotiatedLine",
    "Payload",
    "Sources",
    "TransportParameters",
    "answer_setup",
    "apply_answer",
    "create_answer",
    "create_offer",
    "transport_parameters",
]

_EXTENSIONS = {
    "audio": {MID: 1, ABS_SEND_TIME: 2, TRANSPORT_CC: 3, AUDIO_LEVEL: 4},
    "video": {MID: 1, ABS_SEND_TIME: 2, TRANSPORT_CC: 3},
}
# One-byte header extensions end at 14 (RFC 8285 section 4.2); we write no others.
_MAX_EXTENSION_ID = 14
# What the one-byte form holds; mids are one to three characters (RFC 8843 section 15.1).
_MAX_MID = 16
_PROFILE = "UDP/TLS/RTP/SAVPF"


def create_offer(lines: Sequence[LineOffer], transport: TransportParameters, *, origin: str) -> SessionDescription:
    """Write down what we ask for. `origin` is the value of `o=`; its version grows by one with each offer or answer."""
    media = tuple(_offer_line(line, transport) for line in lines)
    bundled = tuple(line.mid for line in lines if not line.stopped)
    return _session(origin, bundled, transport, media)


def create_answer(
    offer: SessionDescription,
    policy: AnswerPolicy,
    transport: TransportParameters,
    sources: Callable[[int], Sources],
    *,
    origin: str,
) -> tuple[SessionDescription, tuple[NegotiatedLine, ...]]:
    """Answer an offer by a policy.

    Args:
        offer: what the peer asks for.
        policy: what we take.
        transport: our side of it, with `setup` as `answer_setup` has it.
        sources: what the line of an index sends as.
        origin: the value of `o=`.

    Raises:
        CodecMismatch: no line is left that both sides can do.
    """
    bundled = _bundled(offer)
    lines = tuple(
        _settle_offered(index, media, policy, bundled=index in bundled) for index, media in enumerate(offer.media)
    )
    if all(line.rejected for line in lines):
        raise CodecMismatch("no line of the offer has a codec in common with us")
    media = tuple(
        _refuse(offered) if line.rejected else _answer_line(line, offered, policy, transport, sources(line.index))
        for line, offered in zip(lines, offer.media, strict=True)
    )
    mids = tuple(line.mid for line in lines if line.mid is not None and not line.rejected) if offer.bundle else ()
    return _session(origin, mids, transport, media), lines


def apply_answer(offer: SessionDescription, answer: SessionDescription) -> tuple[NegotiatedLine, ...]:
    """Settle our offer by the peer's answer.

    Raises:
        SdpError: the answer is not one to this offer.
        CodecMismatch: no line is left that both sides can do.
    """
    if len(offer.media) != len(answer.media):
        raise SdpError(f"{len(offer.media)} lines offered, {len(answer.media)} answered")
    lines = tuple(
        _settle_answered(index, ours, theirs)
        for index, (ours, theirs) in enumerate(zip(offer.media, answer.media, strict=True))
    )
    if all(line.rejected for line in lines):
        raise CodecMismatch("the peer rejected every line that was offered")
    return lines


def transport_parameters(description: SessionDescription) -> TransportParameters:
    """The peer's side of the transport: of the first bundled line that has it, candidates of all bundled lines.

    Raises:
        SdpError: no line has ICE credentials and a fingerprint.
    """
    lines = [description.media[index] for index in sorted(_bundled(description))]
    for line in lines:
        if line.ice_ufrag and line.ice_pwd and line.fingerprints:
            candidates = dict.fromkeys(c for other in lines for c in other.candidates)
            return TransportParameters(
                ufrag=line.ice_ufrag,
                password=line.ice_pwd,
                fingerprints=line.fingerprints,
                setup=line.setup or Setup.ACTPASS,
                candidates=tuple(candidates),
                end_of_candidates=any(other.end_of_candidates for other in lines),
                trickle="trickle" in line.ice_options,
                ice_lite=description.ice_lite,
            )
    raise SdpError("no line has ICE credentials and a DTLS fingerprint")


def answer_setup(offered: Setup) -> Setup:
    """Our role in the DTLS handshake for the role that was offered (RFC 8842 section 5.3): active where we may."""
    return Setup.PASSIVE if offered is Setup.ACTIVE else Setup.ACTIVE


def _bundled(description: SessionDescription) -> frozenset[int]:
    """Indices of the lines that share the transport of the first."""
    media = description.media
    mids = description.bundle
    live = [index for index, line in enumerate(media) if not line.rejected]
    if mids:
        return frozenset(index for index in live if media[index].mid in mids)
    if not live:
        return frozenset()
    first = media[live[0]]
    return frozenset(index for index in live if media[index].ice_ufrag == first.ice_ufrag)


def _settle_offered(index: int, media: MediaDescription, policy: AnswerPolicy, *, bundled: bool) -> NegotiatedLine:
    direction = media.direction.reversed
    if policy.direction is not None:
        direction &= policy.direction(media)
    payloads: tuple[Payload, ...] = ()
    if bundled and media.media in policy.codecs:
        payloads = common_payloads(
            media,
            policy.codecs[media.media],
            receives=direction is not Direction.SENDONLY,
            interleaved=not direction.sends,
        )
    return NegotiatedLine(
        index=index,
        kind=media.media,
        mid=media.mid,
        content=media.content,
        direction=direction if payloads else Direction.INACTIVE,
        rejected=not payloads,
        receive=payloads,
        send=payloads,
        extensions=_common_extensions(media),
        reduced_size=media.rtcp_rsize,
        remote_ssrcs=tuple(source.ssrc for source in media.ssrcs),
        remote_bitrate_bps=media.bitrate_bps,
    )


def _common_extensions(media: MediaDescription) -> dict[str, int]:
    """What we take of the header extensions that a line offers: each identifier once, whatever the offer says."""
    known = _EXTENSIONS.get(media.media, {})
    taken: dict[int, str] = {}
    for ext in media.extensions:
        fits = ext.uri in known and ext.id <= _MAX_EXTENSION_ID and (ext.uri != MID or len(media.mid or "") <= _MAX_MID)
        if fits and ext.uri not in taken.values():
            taken.setdefault(ext.id, ext.uri)
    return {uri: number for number, uri in taken.items()}


def _settle_answered(index: int, ours: MediaDescription, theirs: MediaDescription) -> NegotiatedLine:
    if theirs.mid is not None and theirs.mid != ours.mid:
        raise SdpError(f"line {index} has mid {ours.mid!r} and is answered as {theirs.mid[:40]!r}")
    if theirs.media != ours.media:
        raise SdpError(f"line {index} offers {ours.media} and is answered as {theirs.media[:40]!r}")
    codecs = tuple(dict.fromkeys(item.name for item in ours.payloads))
    direction = theirs.direction.reversed & ours.direction
    answered = common_payloads(theirs, codecs, receives=True)
    order = {item.payload_type: place for place, item in enumerate(theirs.payloads)}
    send = tuple(
        sorted(
            (item for item in answered if any(is_same_format(item, mine) for mine in ours.payloads)),
            key=lambda item: order[item.payload_type],
        )
    )
    receive: list[Payload] = []
    for item in common_payloads(ours, codecs, receives=True):
        same = [theirs_too.feedback for theirs_too in answered if is_same_format(item, theirs_too)]
        if same:
            receive.append(replace(item, feedback=item.feedback & frozenset[str]().union(*same)))
        elif not item.is_codec:
            receive.append(item)
    rejected = ours.rejected or theirs.rejected or first_codec(send) is None
    offered = {ext.uri: ext.id for ext in ours.extensions}
    return NegotiatedLine(
        index=index,
        kind=ours.media,
        mid=ours.mid,
        content=ours.content,
        direction=Direction.INACTIVE if rejected else direction,
        rejected=rejected,
        receive=() if rejected else tuple(receive),
        send=() if rejected else send,
        extensions={ext.uri: ext.id for ext in theirs.extensions if offered.get(ext.uri) == ext.id},
        reduced_size=ours.rtcp_rsize and theirs.rtcp_rsize,
        remote_ssrcs=tuple(source.ssrc for source in theirs.ssrcs),
        remote_bitrate_bps=theirs.bitrate_bps,
    )


def _offer_line(line: LineOffer, transport: TransportParameters) -> MediaDescription:
    established = offered_again(line.established.receive) if line.established is not None else ()
    if line.established is not None and established:
        formats = formats_of(established)
        feedback = _feedback(established)
        extensions = dict(line.established.extensions)
    else:
        formats = offer_formats(line.kind, line.codecs, receives=line.direction is not Direction.SENDONLY)
        feedback = feedback_lines(line.kind, formats)
        extensions = _EXTENSIONS.get(line.kind, {})
    bare = MediaDescription(
        media=line.kind,
        port=0,
        profile=_PROFILE,
        formats=tuple(str(item.payload_type) for item in formats) or ("0",),
        payloads=formats,
        mid=line.mid,
        content=line.content,
        direction=Direction.INACTIVE if line.stopped else line.direction,
    )
    if line.stopped:
        return bare
    filled = replace(
        bare,
        rtcp_rsize=True,
        feedback=feedback,
        extensions=tuple(ExtMap(id=number, uri=uri) for uri, number in extensions.items()),
        bandwidths=_bandwidths(line.bitrate_bps),
    )
    return _complete(filled, transport, line.sources)


def _answer_line(
    line: NegotiatedLine,
    offered: MediaDescription,
    policy: AnswerPolicy,
    transport: TransportParameters,
    sources: Sources,
) -> MediaDescription:
    formats = formats_of(line.receive)
    answer = MediaDescription(
        media=offered.media,
        port=0,
        profile=offered.profile,
        formats=tuple(str(item.payload_type) for item in formats),
        payloads=formats,
        bandwidths=_bandwidths(policy.bitrate_bps if offered.media == "video" else None),
        mid=offered.mid,
        content=offered.content,
        direction=line.direction,
        rtcp_rsize=line.reduced_size,
        feedback=_feedback(line.receive),
        extensions=tuple(ExtMap(id=number, uri=uri) for uri, number in line.extensions.items()),
    )
    return _complete(answer, transport, sources)


def _complete(media: MediaDescription, transport: TransportParameters, sources: Sources) -> MediaDescription:
    """Add what all lines of the bundle have in common, and what this one sends."""
    host = min(transport.candidates, key=lambda candidate: candidate.priority, default=None)
    family = "IP6" if host is not None and ":" in host.host else "IP4"
    announced: tuple[Ssrc, ...] = ()
    groups: tuple[SsrcGroup, ...] = ()
    if media.direction.sends:
        ssrcs = [sources.ssrc]
        if sources.rtx_ssrc is not None and any(item.name == "rtx" for item in media.payloads):
            ssrcs.append(sources.rtx_ssrc)
            groups = (SsrcGroup(semantics="FID", ssrcs=tuple(ssrcs)),)
        cname = (Attribute(name="cname", value=sources.cname),)
        announced = tuple(Ssrc(ssrc=ssrc, attributes=cname) for ssrc in ssrcs)
    return replace(
        media,
        port=host.port if host is not None else 9,
        connection=f"IN {family} {host.host if host is not None else '0.0.0.0'}",  # noqa: S104 (a placeholder of SDP)
        setup=transport.setup,
        ice_ufrag=transport.ufrag,
        ice_pwd=transport.password,
        ice_options=("trickle",) if transport.trickle else (),
        fingerprints=transport.fingerprints,
        candidates=transport.candidates,
        end_of_candidates=transport.end_of_candidates,
        rtcp_mux=True,
        msid=f"{sources.cname} {sources.track_id}" if media.direction.sends else None,
        ssrcs=announced,
        ssrc_groups=groups,
    )


def _refuse(offered: MediaDescription) -> MediaDescription:
    """Port 0 and the formats as they came (RFC 3264 section 6); nothing of a transport."""
    return MediaDescription(
        media=offered.media,
        port=0,
        profile=offered.profile,
        formats=offered.formats,
        payloads=offered.payloads,
        mid=offered.mid,
        content=offered.content,
        direction=Direction.INACTIVE,
    )


def _session(
    origin: str, bundled: tuple[str, ...], transport: TransportParameters, media: tuple[MediaDescription, ...]
) -> SessionDescription:
    # Candidates stand once, in the first line that has a transport, as real nodes write them.
    first = next((index for index, line in enumerate(media) if not line.rejected), 0)
    media = tuple(
        line if index == first else replace(line, candidates=(), end_of_candidates=False)
        for index, line in enumerate(media)
    )
    return SessionDescription(
        origin=origin,
        groups=(Group(semantics="BUNDLE", mids=bundled),) if bundled else (),
        ice_lite=transport.ice_lite,
        media=media,
    )


def _feedback(payloads: Sequence[Payload]) -> tuple[Feedback, ...]:
    return tuple(
        Feedback(payload_type=item.payload_type, value=value)
        for item in payloads
        if item.is_codec
        for value in sorted(item.feedback)
    )


def _bandwidths(bitrate_bps: int | None) -> tuple[Bandwidth, ...]:
    if bitrate_bps is None:
        return ()
    return Bandwidth(kind="AS", value=-(-bitrate_bps // 1000)), Bandwidth(kind="TIAS", value=bitrate_bps)
