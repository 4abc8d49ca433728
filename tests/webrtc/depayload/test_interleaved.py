"""NAL units back into decoding order: real streams from an interleaver, and whatever bytes a peer may send."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import RemoteProtocolError
from pexrtc_py.protocol.interleaving import BUFFER_BYTES, Interleaving
from pexrtc_py.webrtc.depayload.interleaved import Deinterleaver, unit_heads
from tests.webrtc.interleaver import Interleaver, Picture, Sent, x264_pictures


def flat(pictures: Iterable[Picture]) -> list[tuple[int, bytes]]:
    return [(picture.timestamp, unit) for picture in pictures for unit in picture.units]


def through(form: Interleaving, packets: Sequence[Sent]) -> list[tuple[int, bytes, bool]]:
    deinterleaver = Deinterleaver(form)
    units = []
    for sent in packets:
        packet = b"headerheader" + sent.payload + b"padding"
        units += deinterleaver.add(packet, 12, 12 + len(sent.payload), sent.timestamp)
    return [*map(tuple, units), *map(tuple, deinterleaver.flush())]  # type: ignore[list-item]  # named tuples as plain


def stap(number: int, *units: bytes) -> bytes:
    return struct.pack("!BH", 25, number & 0xFFFF) + b"".join(struct.pack("!H", len(unit)) + unit for unit in units)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("spread", [1, 5, 24])
def test_units_come_out_in_decoding_order(spread: int, b_frames: int) -> None:
    """Of every structure, over the wrap of DON and of the timestamp; with B pictures times go back as well."""
    pictures = x264_pictures(b_frames=b_frames)
    sender = Interleaver(pictures, spread=spread)
    kinds = {sent.payload[0] & 0x1F for sent in sender.packets}
    assert kinds == {25, 26, 27, 28, 29}
    assert (sender.form.depth > 0) is (spread > 1)
    assert 65_500 + len(flat(pictures)) > 65_536
    assert max(picture.timestamp for picture in pictures) - min(picture.timestamp for picture in pictures) > 1 << 31

    units = through(sender.form, sender.packets)

    assert [(timestamp, data) for timestamp, data, _ in units] == flat(pictures)
    assert all(follows for _, _, follows in units)


def test_no_more_waits_than_was_promised() -> None:
    """A unit is given out as soon as the depth allows, so nothing is later than its sender makes it."""
    pictures = x264_pictures()
    sender = Interleaver(pictures)
    deinterleaver = Deinterleaver(sender.form)
    came = given_out = 0
    for sent in sender.packets:
        heads = unit_heads(sent.payload, 0, len(sent.payload))
        units = deinterleaver.add(sent.payload, 0, len(sent.payload), sent.timestamp)
        came += sum(head[0] & 0x1F <= 5 for head in heads)
        given_out += sum(unit.data[0] & 0x1F <= 5 for unit in units)
        assert came - given_out <= sender.form.depth + 1  # one of them may be in fragments
    assert given_out == came - sender.form.depth


def test_numbers_that_lie_far_enough_back_need_not_wait_for_the_depth() -> None:
    pictures = x264_pictures()
    sender = Interleaver(pictures)
    loose = Interleaving(depth=1000, max_don_diff=sender.max_don_diff)
    deinterleaver = Deinterleaver(loose)
    units = []
    for sent in sender.packets:
        units += deinterleaver.add(sent.payload, 0, len(sent.payload), sent.timestamp)
    assert len(flat(pictures)) - len(units) <= sender.max_don_diff + 1
    assert [(unit.timestamp, unit.data) for unit in units] == flat(pictures)[: len(units)]


def test_a_number_left_out_is_told() -> None:
    deinterleaver = Deinterleaver(Interleaving(depth=0))
    told = [
        deinterleaver.add(packet, 0, len(packet), 7) for packet in (stap(65_535, b"\x41a", b"\x41b"), stap(2, b"\x41c"))
    ]
    assert told == [[(7, b"\x41a", True), (7, b"\x41b", True)], [(7, b"\x41c", False)]]


def test_units_of_one_number_stay_as_they_came() -> None:
    deinterleaver = Deinterleaver(Interleaving(depth=0))
    told = [
        unit.data for packet in (stap(9, b"\x41z"), stap(9, b"\x41a")) for unit in deinterleaver.add(packet, 0, 7, 0)
    ]
    assert told == [b"\x41z", b"\x41a"]


def test_after_a_reset_everything_begins_anew() -> None:
    """Numbers may go back, and the rest of a fragment whose start was lost is passed over."""
    deinterleaver = Deinterleaver(Interleaving(depth=1))
    deinterleaver.add(stap(500, b"\x41old"), 0, 9, 0)
    deinterleaver.add(b"\x7d\x81\x01\xffx", 0, 5, 0)
    deinterleaver.reset()
    assert deinterleaver.add(b"\x7c\x41end", 0, 5, 0) == []
    assert deinterleaver.add(stap(3, b"\x41new"), 0, 9, 0) == []
    assert deinterleaver.flush() == [(0, b"\x41new", True)]


_A = stap(10, b"\x41a")


@pytest.mark.parametrize(
    ("payloads", "reason"),
    [
        ([b"\x41slice"], "structure 1 is not of packetisation mode 2"),
        ([b"\x18\0\2\x41a"], "structure 24 is not"),
        ([b"\x19\0"], "aggregation packet is damaged"),
        ([b"\x19\0\0\0\5\x41a"], "aggregation packet is damaged"),
        ([b"\x19\0\0\0\0"], "aggregation packet is damaged"),
        ([b"\x19\0\0\0\1\x19"], "aggregation packet is damaged"),  # one inside another
        ([b"\x1a\0\0\0\2\0\0"], "aggregation packet is damaged"),
        ([b"\x1b\0\0\0\1\0\0\0"], "aggregation packet is damaged"),
        ([b"\x7d\x81\0\0"], "fragment is cut short"),
        ([b"\x7d\x01\0\0x"], "is no start of a NAL unit"),
        ([b"\x7d\xc1\0\0x"], "is no start of a NAL unit"),
        ([b"\x7d\x98\0\0x"], "is no start of a NAL unit"),
        ([b"\x7c\x41"], "fragment is cut short"),
        ([b"\x7c\x81x"], "starts without its decoding order number"),
        ([_A, b"\x7c\x41x"], "fragment without a start"),
        ([b"\x7d\x81\0\0x", _A], "fragment without an end"),
        ([b"\x7d\x81\0\0x", b"\x7c\x45x"], "belongs to another NAL unit"),
        ([_A, stap(9, b"\x41b")], "later than its sender promised"),
    ],
)
def test_what_is_damaged_is_refused(payloads: list[bytes], reason: str) -> None:
    deinterleaver = Deinterleaver(Interleaving(depth=0))
    for payload in payloads[:-1]:
        deinterleaver.add(payload, 0, len(payload), 0)
    with pytest.raises(RemoteProtocolError, match=reason):
        deinterleaver.add(payloads[-1], 0, len(payloads[-1]), 0)


def refused_at(deinterleaver: Deinterleaver, payloads: Iterable[bytes]) -> tuple[int, str]:
    """Return how many payloads were taken before one was refused, and why it was."""
    taken = 0
    try:
        for payload in payloads:
            deinterleaver.add(payload, 0, len(payload), 0)
            taken += 1
    except RemoteProtocolError as exc:
        return taken, str(exc)
    raise AssertionError("nothing was refused")


def test_what_waits_is_bounded() -> None:
    """Neither units without slices, nor large ones, nor a fragment without an end fill the memory."""
    settings = (stap(number, b"\x06" + bytes(100)) for number in range(10_000))
    assert refused_at(Deinterleaver(Interleaving(depth=0)), settings) == (
        8192,
        "8193 H.264 NAL units wait for their turn",
    )
    large = [stap(0, b"\x41" + bytes(59_999))] * 1024
    taken, reason = refused_at(Deinterleaver(Interleaving(depth=1024)), large)
    assert "wait for their turn" in reason
    assert taken == BUFFER_BYTES // 60_000
    endless = [b"\x7d\x81\0\0x", *[b"\x7c\x01" + bytes(59_998)] * 1024]
    taken, reason = refused_at(Deinterleaver(Interleaving(depth=0)), endless)
    assert "without an end" in reason
    assert taken == 1 + BUFFER_BYTES // 60_000  # the start, and what fits


@given(
    payloads=st.lists(
        st.tuples(st.sampled_from([0, 25, 26, 27, 28, 29]), st.binary(max_size=40), st.integers(0, 0xFFFFFFFF)),
        max_size=12,
    ),
    depth=st.integers(0, 4),
    difference=st.none() | st.integers(0, 50),
)
def test_any_payload_is_taken_or_refused(
    payloads: list[tuple[int, bytes, int]], depth: int, difference: int | None
) -> None:
    deinterleaver = Deinterleaver(Interleaving(depth=depth, max_don_diff=difference))
    for kind, rest, timestamp in payloads:
        payload = bytes((kind,)) + rest
        assert all(1 <= len(head) <= 2 for head in unit_heads(payload, 0, len(payload)))
        try:
            units = deinterleaver.add(payload, 0, len(payload), timestamp)
        except RemoteProtocolError:
            deinterleaver.reset()
        else:
            assert all(1 <= unit.data[0] & 0x1F <= 23 and 0 <= unit.timestamp < 1 << 32 for unit in units)
    assert sum(unit.data[0] & 0x1F <= 5 for unit in deinterleaver.flush()) <= depth


@given(st.data())
def test_real_payloads_that_are_bent_are_taken_or_refused(data: st.DataObject) -> None:
    """Bits turned, ends cut, packets left out, repeated and swapped."""
    sender = Interleaver(x264_pictures(12), seed=data.draw(st.integers(0, 3)))
    packets = list(sender.packets)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(packets) - 1))
        sent = packets[at]
        how = data.draw(st.sampled_from(["turn", "cut", "lose", "repeat", "swap"]))
        if how == "turn":
            place = data.draw(st.integers(0, min(11, len(sent.payload) - 1)))
            bent = bytearray(sent.payload)
            bent[place] ^= 1 << data.draw(st.integers(0, 7))
            packets[at] = sent._replace(payload=bytes(bent))
        elif how == "cut":
            packets[at] = sent._replace(payload=sent.payload[: data.draw(st.integers(1, len(sent.payload)))])
        elif how == "lose" and len(packets) > 1:
            del packets[at]
        elif how == "repeat":
            packets.insert(at, sent)
        else:
            other = data.draw(st.integers(0, len(packets) - 1))
            packets[at], packets[other] = packets[other], sent
    deinterleaver = Deinterleaver(sender.form)
    for sent in packets:
        try:
            deinterleaver.add(sent.payload, 0, len(sent.payload), sent.timestamp)
        except RemoteProtocolError:
            deinterleaver.reset()
    assert sum(unit.data[0] & 0x1F <= 5 for unit in deinterleaver.flush()) <= sender.form.depth
