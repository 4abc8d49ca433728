"""Which payload formats a line offers, and which of an offer it takes.

Codecs are named as in `a=rtpmap` (`media.frames.Codec` has the same values). Numbers of our own offers are fixed, so
that each offer of a call, and each line of it, means the same by a number, as one bundle demands (RFC 8843 section
9.1). A format of H.264 is taken in packetization modes 0 and 1 and, by a line that receives, in any profile: what
arrives is passed on or decoded by FFmpeg. What we send is constrained baseline, so a line that only sends takes only
that. Mode 2 (interleaved) is never sent and never offered; a line that sends nothing takes it of an offer that says how
its NAL units are moved about, within what we hold (`interleaving`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .interleaving import answered_parameters, parse_interleaving
from .sdp import Feedback, MediaDescription, PayloadFormat, parse_parameters

__all__ = [
    "Payload",
    "common_payloads",
    "feedback_lines",
    "first_codec",
    "formats_of",
    "is_interleaved",
    "is_same_format",
    "offer_formats",
    "offered_again",
]

_FEEDBACK = {
    "video": ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
    "audio": ("transport-cc",),
}
_RTX = "rtx"
_DTMF = "telephone-event"
# Level 3.1 plus what 1080p30 needs beyond it (RFC 6184 section 8.1), as Pexip's own clients write it.
_H264 = "level-asymmetry-allowed=1;packetization-mode={};profile-level-id={};max-mbps=245760;max-fs=8192"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    """A format of our offers."""

    number: int
    rtx: int | None = None
    clock_rate: int = 90000
    channels: int = 1
    parameters: str = ""
    only_received: bool = False


_OFFERED: dict[str, tuple[_Offered, ...]] = {
    # stereo=1 says that we like to hear two channels, nothing of what is sent (RFC 7587 section 6.1).
    "opus": (_Offered(number=111, clock_rate=48000, channels=2, parameters="minptime=10;stereo=1;useinbandfec=1"),),
    "G722": (_Offered(number=9, clock_rate=8000),),
    "PCMU": (_Offered(number=0, clock_rate=8000),),
    "PCMA": (_Offered(number=8, clock_rate=8000),),
    "VP8": (_Offered(number=96, rtx=97),),
    "VP9": (_Offered(number=98, rtx=99, parameters="profile-id=0"),),
    "H264": (
        _Offered(number=102, rtx=103, parameters=_H264.format(1, "42e01f")),
        _Offered(number=104, rtx=105, parameters=_H264.format(0, "42e01f")),
        _Offered(number=106, rtx=107, parameters=_H264.format(1, "640c1f"), only_received=True),
    ),
}
_DTMF_NUMBERS = {48000: 110, 8000: 126}
_NAMES = {name.lower(): name for name in _OFFERED} | {_RTX: _RTX, _DTMF: _DTMF}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One payload type both sides agreed on."""

    payload_type: int
    """Its number."""
    name: str
    """Encoding name in our spelling; `rtx` and `telephone-event` too."""
    clock_rate: int
    """RTP ticks per second."""
    channels: int
    """Audio channels."""
    parameters: str
    """The peer's `a=fmtp`: what it wants to receive."""
    feedback: frozenset[str]
    """RTCP feedback both sides understand for it."""
    apt: int | None = None
    """Of `rtx`: the payload type that it repeats (RFC 4588 section 8.1)."""

    @property
    def is_codec(self) -> bool:
        """Whether it carries media of its own, unlike retransmissions and digits."""
        return self.name not in (_RTX, _DTMF)


def offer_formats(kind: str, codecs: Sequence[str], *, receives: bool) -> tuple[PayloadFormat, ...]:
    """The formats of an offered line: codecs in order of preference, then digits."""
    formats: list[PayloadFormat] = []
    rates: list[int] = []
    for codec in codecs:
        for item in _OFFERED[codec]:
            if item.only_received and not receives:
                continue
            formats.append(
                PayloadFormat(
                    payload_type=item.number,
                    name=codec,
                    clock_rate=item.clock_rate,
                    channels=item.channels,
                    parameters=item.parameters,
                )
            )
            if item.rtx is not None:
                formats.append(_rtx(item.rtx, item.number))
            if item.clock_rate not in rates:
                rates.append(item.clock_rate)
    if kind == "audio":
        formats += [
            PayloadFormat(payload_type=_DTMF_NUMBERS[rate], name=_DTMF, clock_rate=rate, parameters="0-15")
            for rate in rates
        ]
    return tuple(formats)


def feedback_lines(kind: str, formats: Iterable[PayloadFormat]) -> tuple[Feedback, ...]:
    """The `a=rtcp-fb` lines of an offered line."""
    return tuple(
        Feedback(payload_type=item.payload_type, value=value)
        for item in formats
        if item.name not in (_RTX, _DTMF)
        for value in _FEEDBACK.get(kind, ())
    )


def common_payloads(
    offered: MediaDescription, codecs: Sequence[str], *, receives: bool, interleaved: bool = False
) -> tuple[Payload, ...]:
    """What a line takes of what it is offered: codecs in our order of preference, each with its rtx, then digits.

    Args:
        offered: the line of the peer's description.
        codecs: ours, the preferred first.
        receives: whether the line may receive.
        interleaved: whether it takes H.264 in packetization mode 2: it must send nothing.
    """
    wanted = {codec: index for index, codec in enumerate(codecs)}
    chosen: list[tuple[tuple[int, int], PayloadFormat]] = []
    for item in offered.payloads:
        name = _canonical(item)
        if name in wanted and _is_supported(item, receives=receives, interleaved=interleaved):
            chosen.append(((wanted[name], _variant(item)), item))
    chosen.sort(key=lambda pair: pair[0])
    taken = [item for _, item in chosen]
    numbers = {item.payload_type for item in taken}
    rates = {item.clock_rate for item in taken}
    payloads: list[Payload] = []
    for item in taken:
        payloads.append(_payload(offered, item))
        payloads += [_payload(offered, rtx) for rtx in offered.payloads if _apt(rtx) == item.payload_type]
    payloads += [
        _payload(offered, item)
        for item in offered.payloads
        if _canonical(item) == _DTMF and item.clock_rate in rates and item.payload_type not in numbers
    ]
    return tuple(payloads)


def formats_of(payloads: Iterable[Payload]) -> tuple[PayloadFormat, ...]:
    """The same as they stand in a description."""
    return tuple(
        PayloadFormat(
            payload_type=item.payload_type,
            name=item.name,
            clock_rate=item.clock_rate,
            channels=item.channels,
            parameters=answered_parameters(item.parameters) if is_interleaved(item) else item.parameters,
        )
        for item in payloads
    )


def offered_again(payloads: Sequence[Payload]) -> tuple[Payload, ...]:
    """What we offer of what was settled: all but mode 2, which we take and do not ask for, and its rtx."""
    left = {item.payload_type for item in payloads if is_interleaved(item)}
    return tuple(item for item in payloads if item.payload_type not in left and item.apt not in left)


def first_codec(payloads: Iterable[Payload]) -> Payload | None:
    """The payload that is sent: the first that carries media."""
    return next((item for item in payloads if item.is_codec), None)


def is_interleaved(item: PayloadFormat | Payload) -> bool:
    """Whether it is H.264 in packetization mode 2 (RFC 6184 section 6.4)."""
    return item.name.upper() == "H264" and _packetization_mode(item.parameters) == "2"


def is_same_format(one: PayloadFormat | Payload, other: PayloadFormat | Payload) -> bool:
    """Whether two formats mean the same codec, numbers aside: what may be answered with what."""
    if (one.name.lower(), one.clock_rate, one.channels) != (other.name.lower(), other.clock_rate, other.channels):
        return False
    if one.name.upper() != "H264":
        return True
    return _packetization_mode(one.parameters) == _packetization_mode(other.parameters)


def _payload(media: MediaDescription, item: PayloadFormat) -> Payload:
    return Payload(
        payload_type=item.payload_type,
        name=_NAMES.get(item.name.lower(), item.name),
        clock_rate=item.clock_rate,
        channels=item.channels,
        parameters=item.parameters,
        feedback=media.feedback_of(item.payload_type) & frozenset(_FEEDBACK.get(media.media, ())),
        apt=_apt(item),
    )


def _canonical(item: PayloadFormat) -> str | None:
    return _NAMES.get(item.name.lower())


def _rtx(number: int, apt: int) -> PayloadFormat:
    return PayloadFormat(payload_type=number, name=_RTX, clock_rate=90000, parameters=f"apt={apt}")


def _apt(item: PayloadFormat) -> int | None:
    if _canonical(item) != _RTX:
        return None
    apt = parse_parameters(item.parameters).get("apt", "")
    return int(apt) if apt.isascii() and apt.isdecimal() and len(apt) < 4 else None


def _is_supported(item: PayloadFormat, *, receives: bool, interleaved: bool) -> bool:
    name = _canonical(item)
    if name is None or name not in _OFFERED:
        return False
    if item.clock_rate != _OFFERED[name][0].clock_rate or item.channels != _OFFERED[name][0].channels:
        return False
    parameters = parse_parameters(item.parameters)
    if name == "VP9":
        return parameters.get("profile-id", "0") == "0"
    if is_interleaved(item):
        return interleaved and parse_interleaving(item.parameters) is not None
    if name == "H264":
        return _packetization_mode(item.parameters) in ("0", "1") and (receives or _is_baseline(parameters))
    return True


def _variant(item: PayloadFormat) -> int:
    """Order among formats of one codec: H.264 baseline before other profiles, mode 1 before mode 0, mode 2 last."""
    if _canonical(item) != "H264":
        return 0
    if is_interleaved(item):
        return 4
    baseline = _is_baseline(parse_parameters(item.parameters))
    return (0 if baseline else 2) + (0 if _packetization_mode(item.parameters) == "1" else 1)


def _is_baseline(parameters: dict[str, str]) -> bool:
    # RFC 6184 section 8.1: without the parameter baseline, level 1, is meant.
    return parameters.get("profile-level-id", "42").lower().startswith("42")


def _packetization_mode(parameters: str) -> str:
    return parse_parameters(parameters).get("packetization-mode", "0")
