"""What packets and frames say of themselves."""

from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import UsageError
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.writers.tracks import (
    TrackSpec,
    annexb_units,
    frame_duration,
    opus_channels,
    opus_duration,
    parameter_sets,
    picture_size,
)
from tests.support.frames import g711_frames, h264_frames, opus_frames, vp8_frames


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (b"\x00", 480),  # SILK, 10 ms
        (b"\x18", 2880),  # SILK, 60 ms
        (b"\x60", 480),  # hybrid, 10 ms
        (b"\x68", 960),
        (b"\x80", 120),  # CELT, 2.5 ms
        (b"\xf8", 960),
        (b"\xf9", 1920),  # two frames
        (b"\xfa\x01", 1920),
        (b"\xfb\x03", 2880),  # three, counted in the second byte
        (b"\xfb", 0),
    ],
)
def test_an_opus_packet_says_how_long_it_is(packet: bytes, samples: int) -> None:
    """By its first byte, RFC 6716 section 3.1."""
    assert opus_duration(packet) == samples


def test_frames_of_a_receiver_without_duration_tell_it_themselves() -> None:
    """Opus by its packet, G.711 by its bytes, pictures not at all."""
    assert frame_duration(EncodedFrame(codec=Codec.OPUS, data=b"\xfc", rtp_time=0, time=0.0)) == 960
    assert frame_duration(EncodedFrame(codec=Codec.PCMA, data=bytes(240), rtp_time=0, time=0.0)) == 240
    assert frame_duration(vp8_frames(1)[0]) == 0


@given(st.binary())
def test_no_bytes_break_the_readers(data: bytes) -> None:
    """Whatever came over the wire."""
    assert opus_duration(data) >= 0
    assert opus_channels(data) in (1, 2)
    assert isinstance(parameter_sets(data), bytes)
    assert all(annexb_units(data))
    assert len(picture_size(Codec.VP8, data)) == 2


def test_a_key_frame_describes_its_track() -> None:
    """VP8 by its own bytes, H.264 by its parameter sets, sound by its packet."""
    key = vp8_frames(1, width=640, height=360)[0]
    bare = EncodedFrame(codec=Codec.VP8, data=key.data, rtp_time=0, time=0.0)
    assert (TrackSpec.of(bare).width, TrackSpec.of(bare).height) == (640, 360)
    h264 = TrackSpec.of(h264_frames(1)[0], title="slides")
    assert [unit[0] & 31 for unit in annexb_units(h264.parameter_sets)] == [7, 8]
    assert h264.title == "slides"
    assert TrackSpec.of(opus_frames(1)[0]).channels == 2
    assert TrackSpec.of(g711_frames(1)[0]).sample_rate == 8000


def test_a_frame_that_describes_nothing_is_refused() -> None:
    """A picture in the middle of its group."""
    for frame in (h264_frames(2)[1], EncodedFrame(codec=Codec.VP9, data=b"", rtp_time=0, time=0.0)):
        with pytest.raises(UsageError, match="cannot be declared"):
            TrackSpec.of(frame)


def test_the_silence_put_into_holes_is_silence() -> None:
    """Both packets decode to 20 ms of zeros."""
    for packet in (b"\xf8\xff\xfe", b"\xfc\xff\xfe"):
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        frames = decoder.decode(av.Packet(packet))
        assert [frame.samples for frame in frames] == [960]
        assert not any(frame.to_ndarray().any() for frame in frames)
