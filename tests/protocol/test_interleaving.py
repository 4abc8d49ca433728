"""H.264 in packetization mode 2: which promises are taken, and what is answered and offered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.protocol.interleaving import BUFFER_BYTES, Interleaving, answered_parameters, parse_interleaving
from pexrtc_py.protocol.negotiation import (
    AnswerPolicy,
    LineOffer,
    NegotiatedLine,
    Sources,
    TransportParameters,
    apply_answer,
    create_answer,
    create_offer,
)
from pexrtc_py.protocol.sdp import (
    Direction,
    Fingerprint,
    MediaDescription,
    PayloadFormat,
    SessionDescription,
    Setup,
    parse_sdp,
    serialize_sdp,
)

TRANSPORT = TransportParameters(
    ufrag="ufrag",
    password="p" * 22,
    fingerprints=(Fingerprint(algorithm="sha-256", value=":".join(["AB"] * 32)),),
    setup=Setup.ACTPASS,
)
SOURCES = Sources(ssrc=1, rtx_ssrc=2, cname="us", track_id="track")
POLICY = AnswerPolicy(codecs={"video": ["H264", "VP8"]})
MODE_2 = (
    "packetization-mode=2; profile-level-id=42e01f; sprop-interleaving-depth=8; sprop-deint-buf-req=64000; "
    "sprop-max-don-diff=30; sprop-parameter-sets=Z0LA,aM48"
)


def offer_of(direction: Direction, fmtp: str = MODE_2) -> SessionDescription:
    """An offer of one line: mode 2 with RTX first, VP8 behind it."""
    line = LineOffer(kind="video", mid="0", direction=direction, codecs=["VP8"], sources=SOURCES)
    made = create_offer([line], TRANSPORT, origin="- 1 1 IN IP4 0")
    formats = (
        PayloadFormat(payload_type=120, name="H264", clock_rate=90000, parameters=fmtp),
        PayloadFormat(payload_type=121, name="rtx", clock_rate=90000, parameters="apt=120"),
        *made.media[0].payloads,
    )
    media = replace(made.media[0], payloads=formats, formats=tuple(str(item.payload_type) for item in formats))
    return parse_sdp(serialize_sdp(replace(made, media=(media,))))


def settle(offer: SessionDescription, policy: AnswerPolicy = POLICY) -> tuple[MediaDescription, NegotiatedLine]:
    answer, (line,) = create_answer(
        offer, policy, replace(TRANSPORT, setup=Setup.ACTIVE), lambda _: SOURCES, origin="- 1 1 IN IP4 0"
    )
    return parse_sdp(serialize_sdp(answer)).media[0], line


def names(line: NegotiatedLine) -> list[tuple[int, str]]:
    return [(item.payload_type, item.name) for item in line.receive]


def test_a_line_that_only_receives_takes_mode_2() -> None:
    """The answer says what we hold and nothing of what only a sender says (RFC 6184 section 8.2.2)."""
    media, line = settle(offer_of(Direction.SENDONLY))
    assert names(line)[:2] == [(120, "H264"), (121, "rtx")]
    assert media.direction is Direction.RECVONLY
    taken = next(item for item in media.payloads if item.payload_type == 120)
    assert taken.parameters == f"packetization-mode=2;profile-level-id=42e01f;deint-buf-cap={BUFFER_BYTES}"


@pytest.mark.parametrize("direction", [Direction.SENDRECV, Direction.RECVONLY])
def test_a_line_that_sends_does_not(direction: Direction) -> None:
    """What is agreed on both ways would have to be sent too."""
    media, line = settle(offer_of(direction))
    assert names(line) == [(96, "VP8"), (97, "rtx")]
    assert [item.payload_type for item in media.payloads] == [96, 97]


def test_a_policy_that_only_receives_is_enough() -> None:
    policy = replace(POLICY, direction=lambda _: Direction.RECVONLY)
    assert (120, "H264") in names(settle(offer_of(Direction.SENDRECV), policy)[1])


@pytest.mark.parametrize(
    "fmtp",
    [
        "packetization-mode=2",
        "packetization-mode=2;sprop-interleaving-depth=8",
        "packetization-mode=2;sprop-deint-buf-req=64000",
        "packetization-mode=2;sprop-interleaving-depth=8;sprop-deint-buf-req=4000001",
        "packetization-mode=2;sprop-interleaving-depth=1025;sprop-deint-buf-req=1",
        "packetization-mode=2;sprop-interleaving-depth=-1;sprop-deint-buf-req=1",
        "packetization-mode=2;sprop-interleaving-depth=8;sprop-deint-buf-req=many",
        "packetization-mode=2;sprop-interleaving-depth=8;sprop-deint-buf-req=1;sprop-max-don-diff=32768",
        "packetization-mode=3;sprop-interleaving-depth=8;sprop-deint-buf-req=1",
    ],
)
def test_promises_that_are_missing_or_too_large_are_not_taken(fmtp: str) -> None:
    assert names(settle(offer_of(Direction.SENDONLY, fmtp))[1]) == [(96, "VP8"), (97, "rtx")]


def test_mode_2_is_never_offered_by_us() -> None:
    """A later offer of ours leaves it out, and a peer that answers with it none the less gets none of it."""
    _, line = settle(offer_of(Direction.SENDONLY))
    again = LineOffer(
        kind="video", mid="0", direction=Direction.SENDRECV, codecs=["VP8"], sources=SOURCES, established=line
    )
    offer = create_offer([again], TRANSPORT, origin="- 1 2 IN IP4 0")
    assert [item.payload_type for item in offer.media[0].payloads] == [96, 97]
    forced = offer_of(Direction.SENDONLY)
    (settled,) = apply_answer(offer, forced)
    assert names(settled) == [(96, "VP8"), (97, "rtx")]
    assert [item.payload_type for item in settled.send] == [96, 97]


def test_promises_are_read() -> None:
    assert parse_interleaving(MODE_2) == Interleaving(depth=8, max_don_diff=30)
    assert parse_interleaving("sprop-interleaving-depth=0;sprop-deint-buf-req=0") == Interleaving(depth=0)


@given(st.text(alphabet="sprop-interleaving=0123456789;de tbufq٣", max_size=80), st.text(max_size=12))
def test_any_parameters_are_read_or_not(text: str, number: str) -> None:
    parse_interleaving(text)
    read = parse_interleaving(f"sprop-interleaving-depth={number};sprop-deint-buf-req={number}")
    assert read is None or 0 <= read.depth <= 1024
    assert "sprop-" not in answered_parameters(f"sprop-interleaving-depth={number};{text.replace('sprop-', '')}")
