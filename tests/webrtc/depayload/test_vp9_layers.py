"""VP9 in several spatial layers, as Chromium sends it: each picture is shown once, in its highest layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.depayload.vp9 import Vp9Depayloader
from pexrtc_py.webrtc.depayload.vp9_layers import MOST_FRAMES, hidden, own_size, superframe
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import Feedback, MediaFormat, ReceiverConfig
from pexrtc_py.webrtc.rtp import parse_header, payload_bounds
from tests.webrtc.link import Recorder

DATA = Path(__file__).parents[2] / "data" / "rtp"
CAPTURES = ["l3t3-key", "l3t3", "l2t1"]
VP9 = 98


def packets(name: str) -> Iterator[bytes]:
    stream = (DATA / f"chromium-156-vp9-{name}.rtp").read_bytes()
    while stream:
        size = int.from_bytes(stream[:2], "big")
        yield stream[2 : 2 + size]
        stream = stream[2 + size :]


def received(name: str) -> list[EncodedFrame]:
    """Let our receiver take a capture."""
    config = ReceiverConfig(
        kind=Kind.VIDEO,
        formats={VP9: MediaFormat(codec=Codec.VP9)},
        local_ssrc=1,
        feedback=Feedback(nack=True, pli=True, reduced_size=True),
    )
    receiver, tap = Receiver(config, lambda packet: None, CallClock()), Recorder()
    receiver.add_tap(tap)
    for number, packet in enumerate(packets(name)):
        receiver.handle_rtp(packet, parse_header(packet), 10.0 + number / 100)
    receiver.close()
    assert not tap.gaps
    return tap.frames


def layers(name: str) -> dict[int, list[bytes]]:
    """Return the frames of each picture by timestamp, as they are in the packets."""
    found: dict[int, list[bytes]] = {}
    depayloader = Vp9Depayloader()
    for packet in packets(name):
        header = parse_header(packet)
        start, end = payload_bounds(packet, header.first)
        frames = found.setdefault(header.timestamp, [])
        if packet[start] & 0x08:
            frames.append(b"")
        depayloader.add(packet, start, end)  # takes the descriptor off
        picture = depayloader.finish()
        assert picture is not None
        frames[-1] += picture[0]
    return found


def decoder_of(name: str) -> av.VideoCodecContext:
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    return decoder


def shown(decoder: av.VideoCodecContext, data: bytes) -> list[av.VideoFrame]:
    return decoder.decode(av.Packet(data))


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("decoder", ["vp9", "libvpx-vp9"])
def test_each_picture_is_shown_once_in_its_highest_layer(name: str, decoder: str) -> None:
    """Layers were put behind each other without an index: FFmpeg decoded the lowest and nothing else."""
    frames = received(name)
    sent = layers(name)
    assert len(frames) == len(sent)
    ours, plain = decoder_of(decoder), decoder_of("vp9")
    highest = set()
    for frame, parts in zip(frames, sent.values(), strict=True):
        (picture,) = shown(ours, frame.data)
        alone = [shown(plain, part)[-1] for part in parts]
        assert picture.to_ndarray().tobytes() == alone[-1].to_ndarray().tobytes()
        highest.add((picture.width, picture.height))
    assert highest == {(480, 270), (960, 540)}


def test_a_key_frame_tells_the_size_of_its_highest_layer() -> None:
    frames = received("l3t3-key")
    assert [(frame.width, frame.height) for frame in frames] == [(480, 270)] * 5 + [(960, 540)] * 11
    assert [number for number, frame in enumerate(frames) if frame.key] == [0, 5]


def test_an_index_tells_where_frames_end() -> None:
    """Annex B.2: a marker, the sizes in little endian, and the marker again."""
    assert superframe([b"a" * 300, b"b"]) == b"a" * 300 + b"b" + bytes([0xC9, 44, 1, 1, 0, 0xC9])
    assert superframe([b"a", b"b", b"c"])[3:] == bytes([0xC2, 1, 1, 1, 0xC2])


def test_more_layers_than_an_index_can_hold_are_refused() -> None:
    depayloader = Vp9Depayloader()
    for _ in range(MOST_FRAMES):
        depayloader.add(b"\x08\x87", 0, 2)
    with pytest.raises(RemoteProtocolError, match="layers"):
        depayloader.add(b"\x08\x87", 0, 2)
    depayloader.drop()
    depayloader.add(b"\x08\x87", 0, 2)
    assert depayloader.finish() == (b"\x87", False)


@given(st.binary(max_size=60), st.integers(0, 70_000))
def test_whatever_a_frame_holds_it_comes_back(frame: bytes, width: int) -> None:
    """Shorter by nothing and longer by a byte at most; what is cut short is left alone."""
    size = own_size(frame)
    assert size is None or min(size) > 0
    assert len(frame) <= len(hidden(frame, width)) <= len(frame) + 1


@given(st.lists(st.binary(min_size=3, max_size=40).map(lambda body: b"\x08" + body), min_size=2, max_size=8))
def test_whatever_layers_hold_a_picture_comes_of_them(payloads: list[bytes]) -> None:
    depayloader = Vp9Depayloader()
    for payload in payloads:
        depayloader.add(payload, 0, len(payload))
    picture = depayloader.finish()
    assert picture is not None
    assert picture[0][-1] == 0xC0 | len(payloads) - 1
