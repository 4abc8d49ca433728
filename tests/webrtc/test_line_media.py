"""What two descriptions agreed on reaches receivers and senders."""

from __future__ import annotations

import base64
from pathlib import Path

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.negotiation import Sources, create_answer, transport_parameters
from pexrtc_py.protocol.sdp import parse_sdp
from pexrtc_py.webrtc.line_media import receiver_config, sender_config
from pexrtc_py.webrtc.peer import AnswerPolicy
from pexrtc_py.webrtc.receiver_config import MediaFormat
from tests.support.peers import POLICY, call

OFFER = (Path(__file__).parent.parent / "data" / "sdp" / "made-h264-mode-0-offer.sdp").read_text()


async def test_a_sender_begins_with_what_the_peer_allows() -> None:
    """`b=TIAS` of an answer, and of an offer, is the most that is sent; sound has no rate to follow."""
    async with call() as (client, node):
        assert POLICY.bitrate_bps == 1_500_000
        assert [line.sender.rate.bitrate_bps for line in client.lines if line.sender] == [None, 1_500_000]
        assert [line.sender.rate.bitrate_bps for line in node.lines if line.sender] == [None, None]


def test_a_sender_keeps_to_what_the_peer_can_take() -> None:
    """H.264 in packets of one unit each where mode 1 was not agreed; digits by the clock of the sound beside them."""
    events = "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:0 PCMU/8000"
    text = OFFER.replace("\r\n", "\n").replace("\n", "\r\n")
    text = text.replace("SAVPF 111 0", "SAVPF 111 0 101 110").replace("a=rtpmap:0 PCMU/8000", events)
    offer = parse_sdp(text)
    policy = AnswerPolicy(codecs={Kind.VIDEO: [Codec.H264], Kind.AUDIO: [Codec.OPUS, Codec.PCMU]})
    sources = Sources(ssrc=1, rtx_ssrc=2, cname="us", track_id="track")
    _, (sound, picture) = create_answer(
        offer, policy, transport_parameters(offer), lambda _: sources, origin="- 1 1 IN IP4 0"
    )
    assert sender_config(picture, sources).packetization_mode == 0
    assert sender_config(sound, sources).event_payload_type == 110
    assert sender_config(sound, sources, codec=Codec.PCMU).event_payload_type == 101


def test_parameter_sets_of_the_description_reach_the_receiver() -> None:
    """SPS and PPS that stand in the peer's offer only come before each of its key frames (RFC 6184 section 8.1)."""
    sps, pps = b"\x67\x42\xc0\x1e\xda\x02\x80\xbf", b"\x68\xce\x3c\x80"
    sets = ",".join(base64.b64encode(unit).decode() for unit in (sps, pps))
    text = OFFER.replace("profile-level-id=42e01f", f"profile-level-id=42e01f;sprop-parameter-sets={sets}")
    offer = parse_sdp(text)
    policy = AnswerPolicy(codecs={Kind.VIDEO: [Codec.H264], Kind.AUDIO: [Codec.OPUS]})
    sources = Sources(ssrc=1, rtx_ssrc=2, cname="us", track_id="track")
    _, (_, line) = create_answer(offer, policy, transport_parameters(offer), lambda _: sources, origin="- 1 1 IN IP4 0")
    form = receiver_config(line, sources).formats[98]
    assert isinstance(form, MediaFormat)
    assert form.parameter_sets == b"\0\0\0\1" + sps + b"\0\0\0\1" + pps
