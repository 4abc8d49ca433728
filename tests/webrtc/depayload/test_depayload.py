"""Frames cut into payloads and put together again; real encoders, and whatever bytes a peer may send."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.webrtc.depayload import Depayloader, packet_duration, video_depayloader
from pexrtc_py.webrtc.depayload.h264_sps import picture_size
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.payload.h264 import nal_units

VIDEO = [Codec.VP8, Codec.VP9, Codec.H264]
ENCODERS = {Codec.VP8: "libvpx", Codec.VP9: "libvpx-vp9", Codec.H264: "libx264"}
OPTIONS = {
    Codec.VP8: {"deadline": "realtime", "lag-in-frames": "0"},
    Codec.VP9: {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"},
    Codec.H264: {"preset": "ultrafast", "tune": "zerolatency"},
}


def encode(codec: Codec, width: int, height: int, count: int = 4) -> list[tuple[bytes, bool]]:
    """Return pictures of noise, encoded; the first is a key frame."""
    encoder = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = 30  # type: ignore[assignment, unused-ignore]  # any rational is taken, whatever the release says
    encoder.bit_rate = 800_000
    encoder.options = OPTIONS[codec]
    dice = np.random.default_rng(1)
    packets: list[tuple[bytes, bool]] = []
    frames: list[av.VideoFrame | None] = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(dice.integers(0, 255, (height, width, 3), dtype=np.uint8), format="rgb24")
        frame.pts = number
        frames.append(frame)
    for picture in [*frames, None]:
        packets += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(picture)]
    return packets


def rebuild(depayloader: Depayloader, payloads: Sequence[bytes]) -> tuple[bytes, bool] | None:
    for payload in payloads:
        packet = b"headerheader" + payload + b"padding"
        depayloader.add(packet, 12, 12 + len(payload))
    return depayloader.finish()


@pytest.mark.parametrize("codec", VIDEO)
@pytest.mark.parametrize(("width", "height"), [(320, 180), (642, 358)])
def test_what_an_encoder_makes_comes_through(codec: Codec, width: int, height: int) -> None:
    cutter = payloader(codec)
    depayloader = video_depayloader(codec)
    encoded = encode(codec, width, height)
    assert [key for _, key in encoded] == [True, False, False, False]
    for number, (data, key) in enumerate(encoded):
        frame = EncodedFrame(codec=codec, data=data, rtp_time=number * 3000, time=number / 30, key=key)
        payloads = cutter.split(frame, 1156)
        assert max(map(len, payloads)) <= 1156
        assert len(payloads) > 1
        assert depayloader.is_frame_start(payloads[0], 0, len(payloads[0]))
        assert depayloader.is_key_start(payloads[0], 0, len(payloads[0])) is key
        assert not depayloader.is_key_start(payloads[-1], 0, len(payloads[-1]))

        picture = rebuild(depayloader, payloads)

        assert picture is not None
        if codec is Codec.H264:
            assert nal_units(picture[0]) == [unit for unit in nal_units(data) if unit[0] & 0x1F != 9]
        else:
            assert picture[0] == data
        assert picture[1] is key
        assert (depayloader.width, depayloader.height) == (width, height)


@pytest.mark.parametrize("codec", VIDEO)
@given(payloads=st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_any_payload_is_taken_or_refused(codec: Codec, payloads: list[bytes]) -> None:
    depayloader = video_depayloader(codec)
    for payload in payloads:
        depayloader.is_frame_start(payload, 0, len(payload))
        depayloader.is_key_start(payload, 0, len(payload))
        try:
            depayloader.add(payload, 0, len(payload))
        except RemoteProtocolError:
            depayloader.drop()
    picture = depayloader.finish()
    assert picture is None or picture[0]


@given(st.binary(max_size=4000), st.booleans())
def test_vp8_of_any_length_survives(data: bytes, key: bool) -> None:
    frame = EncodedFrame(codec=Codec.VP8, data=data, rtp_time=0, time=0, key=key)
    payloads = payloader(Codec.VP8).split(frame, 200)
    assert all(len(payload) <= 200 for payload in payloads)
    picture = rebuild(video_depayloader(Codec.VP8), payloads)
    assert (picture[0] if picture else b"") == data


@given(
    st.lists(
        st.binary(min_size=1, max_size=900).map(lambda b: b"\x65" + b.replace(b"\0", b"\1")), min_size=1, max_size=5
    ),
    st.integers(0, 1),
)
def test_h264_units_of_any_length_survive(units: list[bytes], mode: int) -> None:
    data = b"".join(b"\0\0\0\1" + unit for unit in units)
    frame = EncodedFrame(codec=Codec.H264, data=data, rtp_time=0, time=0)
    payloads = payloader(Codec.H264, packetization_mode=mode).split(frame, 300)
    if mode == 1:
        assert all(len(payload) <= 300 for payload in payloads)
    picture = rebuild(video_depayloader(Codec.H264), payloads)
    assert picture == (data, True)


def parameter_sets(width: int, height: int) -> tuple[bytes, bytes, bytes]:
    """Return SPS, PPS and IDR slice of an x264 key frame."""
    units = {unit[0] & 0x1F: unit for unit in nal_units(encode(Codec.H264, width, height, 1)[0][0])}
    return units[7], units[8], units[5]


@pytest.mark.parametrize("size", [(1920, 1080), (640, 360), (322, 182), (16, 16)])
def test_size_of_an_h264_picture_with_cropping(size: tuple[int, int]) -> None:
    sps, _, _ = parameter_sets(*size)
    assert picture_size(sps) == size


@given(st.binary(max_size=60))
def test_a_damaged_sps_has_no_size(data: bytes) -> None:
    size = picture_size(b"\x67" + data)
    assert size is None or min(size) > 0


def test_h264_key_frame_gets_parameter_sets_from_the_session_description() -> None:
    sps, pps, idr = parameter_sets(320, 180)
    sets = b"\0\0\0\1" + sps + b"\0\0\0\1" + pps
    depayloader = video_depayloader(Codec.H264, sets)
    assert (depayloader.width, depayloader.height) == (320, 180)

    picture = rebuild(depayloader, [idr])

    assert picture == (sets + b"\0\0\0\1" + idr, True)


def test_h264_key_frame_gets_the_parameter_sets_sent_before() -> None:
    sps, pps, idr = parameter_sets(320, 180)
    depayloader = video_depayloader(Codec.H264)
    assert rebuild(depayloader, [sps, pps]) == (b"\0\0\0\1" + sps + b"\0\0\0\1" + pps, False)

    picture = rebuild(depayloader, [idr])

    assert picture is not None
    assert nal_units(picture[0]) == [sps, pps, idr]


def test_vp8_descriptor_of_libwebrtc_with_temporal_layers() -> None:
    """X, I, L, T and K as Chromium writes them (RFC 7741 section 4.2)."""
    picture = rebuild(video_depayloader(Codec.VP8), [bytes((0x90, 0xE0, 0x81, 0x23, 0x05, 0x20)) + b"\x11rest"])
    assert picture == (b"\x11rest", False)


def test_a_vp8_packet_of_descriptor_alone_adds_nothing() -> None:
    depayloader = video_depayloader(Codec.VP8)
    assert rebuild(depayloader, [b"\x90\x80\x12"]) is None
    assert rebuild(depayloader, [b"\x10\x11rest"]) == (b"\x11rest", False)


@pytest.mark.parametrize(
    ("payload", "ticks"),
    [
        (b"\xf8x", 960),  # CELT 20 ms
        (b"\x08x", 960),  # SILK 20 ms
        (b"\x18x", 2880),  # SILK 60 ms
        (b"\xe1x", 240),  # CELT 2.5 ms, two of them
        (b"\xfb\x03x", 2880),  # CELT 20 ms, three of them
        (b"\xfb\x3fx", 0),  # 63 of them: beyond 120 ms
        (b"\xfb", 0),
        (b"", 0),
    ],
)
def test_opus_durations(payload: bytes, ticks: int) -> None:
    assert packet_duration(Codec.OPUS, payload) == ticks


@pytest.mark.parametrize("codec", [Codec.G722, Codec.PCMA, Codec.PCMU])
def test_g7xx_durations(codec: Codec) -> None:
    assert packet_duration(codec, bytes(160)) == 160  # 20 ms at 8000
