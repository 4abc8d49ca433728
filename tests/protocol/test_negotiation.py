"""Offer and answer as functions: what is taken of every offer real peers are known to send, and what stays put."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import CodecMismatch, PexrtcError, SdpError
from pexrtc_py.protocol.negotiation import (
    MID,
    TRANSPORT_CC,
    AnswerPolicy,
    LineOffer,
    NegotiatedLine,
    Sources,
    TransportParameters,
    answer_setup,
    apply_answer,
    create_answer,
    create_offer,
    transport_parameters,
)
from pexrtc_py.protocol.sdp import (
    Candidate,
    Content,
    Direction,
    Fingerprint,
    SessionDescription,
    Setup,
    parse_sdp,
    serialize_sdp,
)

DATA = Path(__file__).parent.parent / "data" / "sdp"
OFFERS = sorted(path.stem for path in DATA.glob("*-offer.sdp"))
POLICY = AnswerPolicy(
    codecs={"audio": ["opus", "G722", "PCMU", "PCMA"], "video": ["VP8", "H264", "VP9"]}, bitrate_bps=2_000_000
)
OURS = TransportParameters(
    ufrag="ours",
    password="secretsecretsecretsecret",
    fingerprints=(Fingerprint(algorithm="sha-256", value="AA:BB"),),
    setup=Setup.ACTIVE,
    candidates=(
        Candidate(foundation="1", component=1, transport="udp", priority=9, host="127.0.0.1", port=5000, type="host"),
    ),
    end_of_candidates=True,
)
THEIRS = replace(OURS, ufrag="they", setup=Setup.ACTPASS)


def sources(index: int) -> Sources:
    """What the line of an index sends as, without dice."""
    return Sources(ssrc=10 + index, rtx_ssrc=20 + index, cname="cname", track_id=f"t{index}")


def read(name: str) -> SessionDescription:
    """A description of the collection."""
    return parse_sdp((DATA / f"{name}.sdp").read_bytes().decode())


def answer(
    offer: SessionDescription, policy: AnswerPolicy = POLICY
) -> tuple[SessionDescription, tuple[NegotiatedLine, ...]]:
    """Answer an offer; the answer is what comes out of its text."""
    made, lines = create_answer(offer, policy, OURS, sources, origin="- 1 1 IN IP4 127.0.0.1")
    assert parse_sdp(serialize_sdp(made)) == made
    return made, lines


def offer_of(*lines: LineOffer) -> SessionDescription:
    """Our offer of some lines."""
    return create_offer(lines, THEIRS, origin="- 2 1 IN IP4 127.0.0.1")


def line(
    kind: str, index: int, codecs: list[str], direction: Direction = Direction.SENDRECV, content: Content | None = None
) -> LineOffer:
    """A line of an offer."""
    return LineOffer(
        kind=kind, mid=str(index), direction=direction, codecs=codecs, sources=sources(index), content=content
    )


@pytest.mark.parametrize("name", [name for name in OFFERS if "unknown-codecs" not in name])
def test_every_known_offer_is_answered(name: str) -> None:
    """Each offer that breaks aiortc, or that a real client sends, gets an answer with as many lines, the first live."""
    offer = read(name)
    made, lines = answer(offer)
    assert [media.media for media in made.media] == [media.media for media in offer.media]
    assert [media.mid for media in made.media] == [media.mid for media in offer.media]
    assert [media.content for media in made.media] == [media.content for media in offer.media]
    assert not made.media[0].rejected
    for offered, answered, settled in zip(offer.media, made.media, lines, strict=True):
        assert answered.rejected is settled.rejected
        if answered.rejected:
            assert answered.formats == offered.formats
            assert not answered.ice_ufrag
        else:
            assert answered.direction is offered.direction.reversed
            assert {item.payload_type for item in answered.payloads} <= {item.payload_type for item in offered.payloads}
            assert {ext.id for ext in answered.extensions} <= {ext.id for ext in offered.extensions}
    remote = transport_parameters(offer)
    assert remote.ufrag
    assert remote.fingerprints


@pytest.mark.parametrize(
    ("name", "live"),
    [
        ("chromium-156-infinity-three-lines-offer", [True, True, True]),
        ("chromium-156-max-bundle-offer", [True, True, True]),
        ("gstreamer-1.22-bundle-only-offer", [True, True]),
        ("made-bfcp-and-data-offer", [True, True, False, False]),
        ("made-h264-high-offer", [True, True]),
        ("made-h264-mode-0-offer", [True, True]),
        ("made-no-mid-offer", [True, True]),
        ("made-no-rtcp-mux-offer", [True, True]),
        ("made-odd-attributes-offer", [True, True]),
        ("made-rejected-bare-offer", [True, False]),
        ("made-rejected-full-offer", [True, False]),
        ("made-savpf-offer", [True, True]),
        ("made-session-level-transport-offer", [True, True]),
        ("made-static-types-offer", [True, True]),
        ("made-unknown-video-codec-offer", [True, False]),
        ("pexrtc-2018-orphan-fmtp-offer", [True, True]),
    ],
)
def test_the_lines_that_can_be_done_are_done(name: str, live: list[bool]) -> None:
    """One line that cannot be done costs only itself."""
    _, lines = answer(read(name))
    assert [not settled.rejected for settled in lines] == live


def test_nothing_in_common_is_an_error() -> None:
    """Only when no line is left the whole is refused."""
    with pytest.raises(CodecMismatch):
        answer(read("made-unknown-codecs-offer"))


def test_the_policy_orders_codecs_and_limits_directions() -> None:
    """Our order goes before the peer's; a line does at most what the policy lets it."""
    offer = read("chromium-156-infinity-three-lines-offer")
    policy = replace(
        POLICY,
        codecs={"audio": ["PCMA", "opus"], "video": ["VP8"]},
        direction=lambda media: Direction.RECVONLY if media.content is Content.MAIN else Direction.SENDRECV,
    )
    made, (audio, main, slides) = answer(offer, policy)
    assert [item.name for item in made.media[0].payloads][:2] == ["PCMA", "opus"]
    assert (audio.codec, main.codec) == ("PCMA", "VP8")
    assert [item.name for item in main.send] == ["VP8", "rtx"]
    assert (audio.direction, main.direction, slides.direction) == ("recvonly", "recvonly", "inactive")
    assert (made.media[1].direction, made.media[1].bitrate_bps) == (Direction.RECVONLY, 2_000_000)


def test_h264_is_taken_in_both_modes_and_any_profile() -> None:
    """Baseline goes first; what only sends takes baseline only."""
    offer = read("chromium-156-max-bundle-offer")
    _, (_, main, _) = answer(offer, replace(POLICY, codecs={"audio": ["opus"], "video": ["H264"]}))
    profiles = [item.parameters for item in main.send if item.name == "H264"]
    assert "42" in profiles[0]
    assert any("packetization-mode=0" in item for item in profiles)
    assert any("profile-level-id=4d" in item or "profile-level-id=64" in item for item in profiles)
    high = read("made-h264-high-offer")
    _, lines = answer(high, replace(POLICY, direction=lambda _: Direction.SENDONLY))
    assert [settled.rejected for settled in lines] == [False, True]


def test_unbundled_lines_are_refused() -> None:
    """There is one transport: a line outside the bundle, or with other credentials, is answered with port 0."""
    offer = read("made-savpf-offer")
    apart = replace(offer, groups=(replace(offer.groups[0], mids=("0",)),))
    assert [settled.rejected for settled in answer(apart)[1]] == [False, True]
    no_mid = read("made-no-mid-offer")
    other = replace(no_mid, media=(no_mid.media[0], replace(no_mid.media[1], ice_ufrag="else")))
    assert [settled.rejected for settled in answer(other)[1]] == [False, True]
    assert not answer(no_mid)[0].groups


def test_our_offer_and_our_answer_fit() -> None:
    """Both sides see the same codecs, extensions and directions, each from its own side."""
    offer = offer_of(
        line("audio", 0, ["opus", "PCMU"]),
        line("video", 1, ["VP8", "H264"], Direction.SENDONLY, Content.MAIN),
        line("video", 2, ["VP8"], Direction.INACTIVE, Content.SLIDES),
    )
    made, theirs = answer(offer)
    ours = apply_answer(offer, made)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.direction is other.direction.reversed
        assert (mine.codec, mine.content, mine.mid) == (other.codec, other.content, other.mid)
        assert mine.extensions == other.extensions
        assert [item.payload_type for item in mine.send] == [item.payload_type for item in other.send]
    assert ours[1].remote_bitrate_bps == 2_000_000
    assert ours[0].extensions[MID] == 1
    assert TRANSPORT_CC in ours[1].extensions
    assert ours[1].remote_ssrcs == ()  # they only receive it
    assert theirs[1].remote_ssrcs == (11, 21)
    assert "transport-cc" in ours[1].send[0].feedback
    assert [item.name for item in ours[0].receive] == ["opus", "PCMU", "telephone-event", "telephone-event"]


def test_a_node_answer_settles_our_offer() -> None:
    """The answer of a real node: its order of lines is ours, its wildcard feedback counts, its bandwidth is known."""
    answered = read("pexip-2022-node-answer")
    offer = offer_of(
        line("video", 0, ["VP9", "VP8"], Direction.INACTIVE, Content.SLIDES),
        line("video", 1, ["VP9", "VP8"], Direction.SENDRECV, Content.MAIN),
        line("audio", 2, ["opus", "G722", "PCMU", "PCMA"]),
    )
    slides, main, audio = apply_answer(offer, answered)
    assert (slides.direction, main.direction, audio.direction) == ("inactive", "sendrecv", "sendrecv")
    assert (main.codec, audio.codec) == ("VP9", "opus")
    assert main.send[0].parameters == "max-fs=8160;max-fr=30"
    assert main.remote_bitrate_bps == 3_732_480
    assert main.remote_ssrcs == (21, 22)
    assert {"nack", "nack pli", "transport-cc"} <= main.send[0].feedback
    assert [(item.payload_type, item.clock_rate) for item in audio.send if item.name == "telephone-event"] == [
        (101, 48000),
        (102, 8000),
    ]
    remote = transport_parameters(answered)
    assert (remote.setup, len(remote.candidates), remote.end_of_candidates, remote.trickle) == (
        Setup.ACTIVE,
        3,
        False,
        False,
    )


def test_answers_with_other_numbers_are_understood() -> None:
    """A peer may answer with numbers of its own: we receive by ours and send by its (RFC 3264 section 6.1)."""
    offer = offer_of(line("video", 0, ["VP8"]))
    made, _ = answer(offer)
    text = serialize_sdp(made).replace(":96", ":120").replace(" 96 97", " 120 121").replace(":97", ":121")
    (settled,) = apply_answer(offer, parse_sdp(text.replace("apt=96", "apt=120")))
    assert [item.payload_type for item in settled.receive] == [96, 97]
    assert [(item.payload_type, item.apt) for item in settled.send] == [(120, None), (121, 120)]


def test_feedback_is_what_both_sides_said() -> None:
    """We took our own words for the answer: peers without transport-cc, aiortc for one, got no feedback at all."""
    offer = offer_of(line("video", 0, ["VP8"]))
    made, _ = answer(offer)
    text = "".join(row for row in serialize_sdp(made).splitlines(keepends=True) if "transport" not in row)
    (settled,) = apply_answer(offer, parse_sdp(text))
    assert settled.receive[0].feedback == {"goog-remb", "ccm fir", "nack", "nack pli"}
    assert TRANSPORT_CC not in settled.extensions


def test_an_extension_takes_no_place_of_another() -> None:
    """Two extensions under one number, or a mid that no extension holds, made every packet sent raise."""
    offered = serialize_sdp(offer_of(line("audio", 0, ["opus"])))
    _, (settled,) = answer(parse_sdp(offered.replace("extmap:3 ", "extmap:2 ")))
    assert len(set(settled.extensions.values())) == len(settled.extensions) == 3
    _, (settled,) = answer(
        parse_sdp(offered.replace("mid:0", "mid:" + 17 * "x").replace("BUNDLE 0", "BUNDLE " + 17 * "x"))
    )
    assert MID not in settled.extensions


def test_answers_that_do_not_fit_are_refused() -> None:
    """The number, the kinds and the mids of the lines must be those of the offer."""
    offer = offer_of(line("audio", 0, ["opus"]), line("video", 1, ["VP8"]))
    made, _ = answer(offer)
    audio, video = made.media
    for wrong in ((audio,), (video, audio), (audio, replace(video, mid="9")), (audio, replace(audio, mid="1"))):
        with pytest.raises(SdpError):
            apply_answer(offer, replace(made, media=wrong))
    refused = tuple(replace(media, port=0) for media in made.media)
    with pytest.raises(CodecMismatch):
        apply_answer(offer, replace(made, media=refused))
    assert [item.rejected for item in apply_answer(offer, replace(made, media=(audio, refused[1])))] == [False, True]


def test_a_second_offer_keeps_the_numbers() -> None:
    """After answering an offer with the numbers of the peer, our own offer keeps payload types and extensions."""
    made, lines = answer(read("chromium-156-infinity-three-lines-offer"))
    again = offer_of(
        *(replace(line(settled.kind, settled.index, ["opus", "VP8", "H264"]), established=settled) for settled in lines)
    )
    for before, after in zip(made.media, again.media, strict=True):
        assert after.payloads == before.payloads
        assert after.extensions == before.extensions


def test_stopped_lines_keep_their_place() -> None:
    """A line that is gone is offered with port 0 and is not in the bundle."""
    offer = offer_of(line("audio", 0, ["opus"]), replace(line("video", 1, ["VP8"]), stopped=True))
    assert offer.bundle == ("0",)
    assert offer.media[1].rejected
    assert [settled.rejected for settled in answer(offer)[1]] == [False, True]


@pytest.mark.parametrize(
    ("offered", "ours"),
    [(Setup.ACTPASS, "active"), (Setup.PASSIVE, "active"), (Setup.ACTIVE, "passive"), (Setup.HOLDCONN, "active")],
)
def test_we_open_the_handshake_where_we_may(offered: Setup, ours: str) -> None:
    """As real nodes do (RFC 8842 section 5.3)."""
    assert answer_setup(offered) == ours


def test_a_description_without_a_transport_is_refused() -> None:
    """No ICE credentials or no fingerprint: there is nowhere to send to."""
    offer = read("made-savpf-offer")
    bare = replace(offer, media=tuple(replace(media, fingerprints=()) for media in offer.media))
    with pytest.raises(SdpError):
        transport_parameters(bare)


_TEXTS = [(DATA / f"{name}.sdp").read_bytes().decode() for name in OFFERS]


@given(st.sampled_from(_TEXTS), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["drop", "twice", "swap"]))))
def test_damaged_offers_are_answered_or_refused(text: str, damages: list[tuple[int, str]]) -> None:
    """Lines lost, doubled and exchanged: an answer with as many lines comes out, or an error of ours."""
    lines = text.split("\r\n")
    for place, damage in damages:
        at = place % len(lines)
        if damage == "drop" and len(lines) > 1:
            del lines[at]
        elif damage == "twice":
            lines.insert(at, lines[at])
        else:
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
    try:
        offer = parse_sdp("\r\n".join(lines))
        transport_parameters(offer)
        made, _ = answer(offer)
    except PexrtcError:
        return
    assert len(made.media) == len(offer.media)
