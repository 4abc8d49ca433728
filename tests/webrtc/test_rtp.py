"""RTP headers and header extensions."""

from __future__ import annotations

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.webrtc.rtp import (
    parse_header,
    payload_bounds,
    read_extensions,
    serialize_extensions,
    signed_difference,
    unwrap,
)


def test_header_agrees_with_aiortc() -> None:
    packet = RtpPacket(payload_type=96, marker=1, sequence_number=65535, timestamp=2**32 - 1, ssrc=7, payload=b"abc")
    packet.csrc = [1, 2]
    packet.padding_size = 4
    data = packet.serialize()

    header = parse_header(data)

    assert (header.marker, header.payload_type, header.sequence) == (True, 96, 65535)
    assert (header.timestamp, header.ssrc) == (2**32 - 1, 7)
    start, end = payload_bounds(data, header.first)
    assert data[start:end] == b"abc"


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x40" + bytes(11)])
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_header(data)


@given(st.binary(min_size=12, max_size=80))
def test_bounds_stay_inside_of_any_packet(data: bytes) -> None:
    try:
        start, end = payload_bounds(data, data[0])
    except RemoteProtocolError:
        return
    assert 12 <= start <= end <= len(data)


@given(st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=5))
def test_one_byte_extensions_survive(extensions: dict[int, bytes]) -> None:
    block = serialize_extensions(extensions)
    packet = bytes((0x90 if block else 0x80,)) + bytes(11) + block + b"payload"

    assert read_extensions(packet, packet[0], range(256)) == extensions
    start, _ = payload_bounds(packet, packet[0])
    assert packet[start:] == b"payload"


@given(st.dictionaries(st.integers(1, 255), st.binary(max_size=40), min_size=1, max_size=4))
def test_two_byte_extensions_survive(extensions: dict[int, bytes]) -> None:
    packet = b"\x90" + bytes(11) + serialize_extensions({**extensions, 255: bytes(17)})

    assert read_extensions(packet, 0x90, extensions) == {
        n: bytes(17) if n == 255 else value for n, value in extensions.items()
    }


def test_only_what_is_asked_for_is_read() -> None:
    packet = b"\x90" + bytes(11) + serialize_extensions({1: b"a", 2: b"bb", 3: b"ccc"})
    assert read_extensions(packet, 0x90, {2}) == {2: b"bb"}


@given(st.binary(min_size=12, max_size=60))
def test_damaged_extensions_never_raise(data: bytes) -> None:
    for value in read_extensions(data, data[0], range(256)).values():
        assert value in data


@given(st.integers(0, 2**40), st.integers(-(2**31) + 1, 2**31 - 1))
def test_unwrapping_finds_the_nearest(reference: int, step: int) -> None:
    assert unwrap((reference + step) & 0xFFFFFFFF, reference, 32) == reference + step


def test_a_step_back_over_the_wrap_is_small() -> None:
    """aiortc takes any backward step for a wrap: 13 hours are added to a recording."""
    assert signed_difference(65535, 0, 16) == -1
    assert unwrap(3999, 4000, 32) == 3999
