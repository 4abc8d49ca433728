"""Payloads as another implementation reads them: aiortc's depayloaders for VP8 and H.264; VP9's bits by hand."""

from __future__ import annotations

import pytest
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import VpxPayloadDescriptor, vp8_depayload
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.payload.h264 import nal_units
from pexrtc_py.webrtc.payload.vp8 import Vp8Payloader
from pexrtc_py.webrtc.payload.vp9 import Vp9Payloader


def frame(codec: Codec, data: bytes, *, key: bool = True) -> EncodedFrame:
    return EncodedFrame(codec=codec, data=data, rtp_time=0, time=0, key=key)


@given(st.binary(min_size=1, max_size=5000))
def test_aiortc_reads_our_vp8(data: bytes) -> None:
    cutter = Vp8Payloader(0x7FFF)
    for picture_id in (0x7FFF, 0):  # 15 bits, and they wrap
        payloads = cutter.split(frame(Codec.VP8, data), 1156)
        assert b"".join(vp8_depayload(payload) for payload in payloads) == data
        descriptors = [VpxPayloadDescriptor.parse(payload)[0] for payload in payloads]
        assert [d.partition_start for d in descriptors] == [1] + [0] * (len(payloads) - 1)
        assert {d.picture_id for d in descriptors} == {picture_id}
        assert max(map(len, payloads)) - min(map(len, payloads)) <= len(payloads)


@given(
    st.lists(
        st.binary(min_size=2, max_size=3000).map(lambda body: b"\x41" + body.replace(b"\0", b"\1")),
        min_size=1,
        max_size=6,
    )
)
def test_aiortc_reads_our_h264(units: list[bytes]) -> None:
    data = b"".join(b"\0\0\0\1" + unit for unit in units)
    payloads = payloader(Codec.H264).split(frame(Codec.H264, data), 1156)
    assert b"".join(h264_depayload(payload) for payload in payloads) == data


def test_small_units_share_a_packet_and_delimiters_stay_behind() -> None:
    data = b"\0\0\0\1\x09\xf0\0\0\0\1\x67sps\0\0\1\x68pps\0\0\0\1\x65idr"
    (payload,) = payloader(Codec.H264).split(frame(Codec.H264, data), 1156)
    assert payload == b"\x78\0\4\x67sps\0\4\x68pps\0\4\x65idr"


def test_mode_0_sends_each_unit_by_itself() -> None:
    data = b"\0\0\0\1\x67sps\0\0\0\1\x68pps\0\0\0\1\x65idr"
    assert payloader(Codec.H264, packetization_mode=0).split(frame(Codec.H264, data), 1156) == [
        b"\x67sps",
        b"\x68pps",
        b"\x65idr",
    ]


@pytest.mark.parametrize(
    ("data", "units"),
    [
        (b"", []),
        (b"rubbish", []),
        (b"\0\0\1", []),
        (b"\0\0\1\x65a\0\0", [b"\x65a"]),
        (b"\0\0\1a\0\0\0\1b", [b"a", b"b"]),
    ],
)
def test_start_codes_of_three_and_four_bytes(data: bytes, units: list[bytes]) -> None:
    assert nal_units(data) == units


def test_vp9_in_the_flexible_mode() -> None:
    """I, F and B and E; P and a difference of one to the picture before, unless it is a key frame (RFC 9628)."""
    cutter = Vp9Payloader(5)
    first, last = cutter.split(frame(Codec.VP9, b"k" * 100), 60)
    assert (first[:3], last[:3]) == (b"\x98\x80\x05", b"\x94\x80\x05")
    (only,) = cutter.split(frame(Codec.VP9, b"p" * 10, key=False), 60)
    assert only[:4] == b"\xdc\x80\x06\x02"


@pytest.mark.parametrize("codec", list(Codec))
def test_nothing_to_send_is_no_packet(codec: Codec) -> None:
    assert payloader(codec).split(frame(codec, b""), 1156) == []
