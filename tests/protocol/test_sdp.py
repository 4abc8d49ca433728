"""Reading and writing session descriptions: captures of real peers, known faults, and anything at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import SdpError
from pexrtc_py.protocol.sdp import (
    Attribute,
    Candidate,
    Content,
    Direction,
    Feedback,
    Setup,
    parse_candidate,
    parse_parameters,
    parse_sdp,
    serialize_candidate,
    serialize_sdp,
)

DATA = Path(__file__).parent.parent / "data" / "sdp"
CAPTURES = sorted(DATA.glob("*.sdp"))


def read(name: str) -> str:
    """The text of a capture."""
    return (DATA / f"{name}.sdp").read_bytes().decode()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_captures_survive_writing_and_reading(path: Path) -> None:
    """What was read, written and read again is the same; lines end with CRLF."""
    description = parse_sdp(path.read_bytes().decode())
    text = serialize_sdp(description)
    assert description.media
    assert parse_sdp(text) == description
    assert text.count("\n") == text.count("\r\n") > 4


def test_a_chromium_offer_is_understood() -> None:
    """Everything negotiation needs is found in the offer of @pexip/infinity."""
    offer = parse_sdp(read("chromium-156-infinity-three-lines-offer"))
    audio, main, slides = offer.media
    assert offer.bundle == ("0", "1", "2")
    assert [line.content for line in offer.media] == [Content.MAIN, Content.MAIN, Content.SLIDES]
    assert [line.direction for line in offer.media] == [Direction.SENDRECV, Direction.SENDRECV, Direction.INACTIVE]
    assert (main.setup, main.ice_ufrag, main.ice_options) == (Setup.ACTPASS, "3dFe", ("trickle",))
    assert main.bitrate_bps == 1_264_000
    assert main.payloads[0].name == "H264"
    assert "packetization-mode=1" in main.payloads[0].parameters
    assert "nack pli" in main.feedback_of(main.payloads[0].payload_type)
    assert {ext.uri.rpartition(":")[2] for ext in audio.extensions} >= {"mid", "ssrc-audio-level"}
    assert main.ssrc_groups[0].ssrcs == tuple(source.ssrc for source in main.ssrcs)
    assert slides.rtcp_mux
    assert not slides.ssrcs


def test_a_node_answer_is_understood() -> None:
    """Wildcard feedback holds for every payload type; TCP candidates are kept; TIAS goes before AS."""
    slides, main, audio = parse_sdp(read("pexip-2022-node-answer")).media
    assert main.feedback_of(96) == {"nack", "nack pli", "goog-remb", "transport-cc"}
    assert (main.bitrate_bps, audio.bitrate_bps) == (3_732_480, 64_000)
    assert [candidate.transport for candidate in slides.candidates] == ["udp", "tcp", "tcp"]
    assert slides.candidates[1].extensions == (("tcptype", "passive"),)
    assert (main.label, slides.label, slides.content) == ("11", "12", Content.SLIDES)
    assert main.setup is Setup.ACTIVE


def test_orphan_formats_are_left_out() -> None:
    """Payload types without an rtpmap stay in m= and are not described; their fmtp and feedback are dropped."""
    audio, video = parse_sdp(read("pexrtc-2018-orphan-fmtp-offer")).media
    assert [payload.payload_type for payload in video.payloads] == [96, 97]
    assert video.formats == ("96", "98", "100", "102", "127", "97")
    assert {item.payload_type for item in video.feedback} == {None, 96}
    assert video.direction is Direction.SENDRECV  # the last of two
    assert audio.payloads[-1].name == "telephone-event"


def test_static_payload_types_need_no_rtpmap() -> None:
    """RFC 3551 says what 0, 8 and 9 are."""
    audio = parse_sdp(read("made-static-types-offer")).media[0]
    assert [(payload.name, payload.clock_rate) for payload in audio.payloads] == [
        ("G722", 8000),
        ("PCMU", 8000),
        ("PCMA", 8000),
    ]


def test_odd_attributes_do_no_harm() -> None:
    """Sources without a value are known, what cannot be read is left out, what is unknown is kept."""
    audio, video = parse_sdp(read("made-odd-attributes-offer")).media
    assert audio.extensions[0].parameters == "vad=on"
    assert audio.ssrcs[0].attributes == ()
    assert [(source.ssrc, source.attributes) for source in video.ssrcs] == [
        (1235, ()),
        (1236, (Attribute(name="cname"),)),
    ]
    assert Feedback(payload_type=None, value="ccm fir") in video.feedback
    assert not video.candidates
    assert not video.extensions
    assert Attribute(name="simulcast", value="send h") in video.attributes


def test_what_holds_for_the_session_is_found_on_its_lines() -> None:
    """ICE credentials, fingerprint and setup before the first line hold for all."""
    offer = parse_sdp(read("made-session-level-transport-offer"))
    assert offer.ice_lite
    for line in offer.media:
        assert (line.ice_ufrag, line.setup, len(line.fingerprints)) == ("3dFe", Setup.ACTPASS, 1)


def test_bundle_only_lines_are_live() -> None:
    """Port 0 means rejected, unless the line says bundle-only."""
    audio, video = parse_sdp(read("gstreamer-1.22-bundle-only-offer")).media
    assert (audio.rejected, video.port, video.rejected) == (False, 0, False)
    assert parse_sdp(read("made-rejected-bare-offer")).media[1].rejected
    assert parse_sdp(read("made-rejected-full-offer")).media[1].rejected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("\r\n\r\n", 0),
        ("v=0\r\nnonsense", 2),
        ("v=0\nm=audio", 2),
        ("v=0\nm=audio x RTP/AVP 0", 2),
        ("v=0\nm=audio 70000 RTP/AVP 0", 2),
        ("v=0\nm=audio -1 RTP/AVP 0", 2),
    ],
)
def test_what_has_no_meaning_is_refused(text: str, line: int) -> None:
    """The error names the line."""
    with pytest.raises(SdpError) as caught:
        parse_sdp(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text", ["v=0\n" + 33 * "m=audio 9 X 0\n", "v=0\n" + 4000 * "a=x\n"], ids=["media lines", "lines"]
)
def test_endless_descriptions_are_refused(text: str) -> None:
    """One request of 400 kB held a node for 40 seconds: every media line is looked through with all of the session."""
    with pytest.raises(SdpError, match="more than"):
        parse_sdp(text)
    assert parse_sdp("v=0\n" + 32 * "m=audio 9 X 0\n" + 3900 * "a=x\n").media[31].port == 9


def test_errors_show_no_control_characters() -> None:
    """What the peer wrote is shown short and escaped."""
    with pytest.raises(SdpError) as caught:
        parse_sdp("\x1b[2J" + "x" * 1000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_passwords_are_not_shown() -> None:
    """The representation of a description tells no ICE password."""
    assert "zchEYSnnvNeFziqpYqmKvPJz" not in repr(parse_sdp(read("made-savpf-offer")))


def test_candidates_are_read_with_and_without_prefix() -> None:
    """Clients trickle `candidate:...`, `a=candidate:...` or the bare value."""
    text = "1 1 udp 2130706431 192.0.2.7 40000 typ srflx raddr 10.0.0.1 rport 5 generation 0 ufrag x"
    candidate = parse_candidate(text)
    assert candidate == parse_candidate(f"candidate:{text}") == parse_candidate(f"a=candidate:{text}\r\n")
    assert (candidate.related_address, candidate.related_port) == ("10.0.0.1", 5)
    assert serialize_candidate(candidate) == f"candidate:{text}"
    assert isinstance(candidate, Candidate)
    for broken in ("", "candidate:1 1 udp", text.replace("typ", "tip"), text.replace("40000", "99999")):
        with pytest.raises(SdpError):
            parse_candidate(broken)


def test_parameters_are_read_without_case() -> None:
    """Names of fmtp parameters have no case; flags have an empty value."""
    assert parse_parameters("Profile-Level-Id=42e01f; x ;y=1=2;;") == {
        "profile-level-id": "42e01f",
        "x": "",
        "y": "1=2",
    }


@pytest.mark.parametrize("one", Direction)
def test_directions_reverse_and_meet(one: Direction) -> None:
    """Reversing twice changes nothing, and two directions allow what both allow."""
    assert one.reversed.reversed is one
    assert one & Direction.SENDRECV is one
    assert one & Direction.INACTIVE is Direction.INACTIVE
    assert one & one.reversed in (one, Direction.INACTIVE)


_WORDS = st.sampled_from(
    [
        "0",
        "1",
        "96",
        "97",
        "111",
        "127",
        "255",
        "70000",
        "audio",
        "video",
        "*",
        "udp",
        "typ",
        "host",
        "nack",
        "pli",
        "sendonly",
        "VP8/90000",
        "opus/48000/2",
        "apt=96",
        "FID",
        "BUNDLE",
        "UDP/TLS/RTP/SAVPF",
        "active",
        "trickle",
        "é",
    ]
)
_NAMES = st.sampled_from(
    [
        "mid",
        "rtpmap",
        "fmtp",
        "rtcp-fb",
        "extmap",
        "ssrc",
        "ssrc-group",
        "candidate",
        "fingerprint",
        "setup",
        "content",
        "ice-ufrag",
        "ice-options",
        "group",
        "bundle-only",
        "end-of-candidates",
        "inactive",
        "label",
        "msid",
        "x-other",
    ]
)
_VALUES = st.lists(_WORDS, max_size=9).map(" ".join)
_LINES = st.one_of(
    st.tuples(_NAMES, st.sampled_from(["", ":"]), _VALUES).map(lambda parts: f"a={parts[0]}{parts[1]}{parts[2]}"),
    st.tuples(st.sampled_from("mmcbsot"), _VALUES).map(lambda parts: f"{parts[0]}={parts[1]}"),
    st.sampled_from(["m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "m=video 0 RTP/SAVPF 96 97", "b=TIAS:500000", "b=AS: 5"]),
)


@given(st.one_of(st.text(), st.lists(_LINES).map("\n".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but `SdpError` comes out of reading, and what was read survives writing."""
    try:
        description = parse_sdp(text)
    except SdpError:
        return
    assert parse_sdp(serialize_sdp(description)) == description
