"""Digits sent as telephone events."""

from __future__ import annotations

import pytest

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtp import parse_header
from tests.webrtc.sender_bench import Bench

from .link import EVENT, Link, opus_frame


@pytest.mark.parametrize("digit_s", [0.1, 2.0])
def test_digits_arrive_by_telephone_events_in_place_of_sound(digit_s: float) -> None:
    link = Link(Codec.OPUS)
    digits: list[str] = []
    link.receiver.on_digit = digits.append
    start = link.now
    count = round(50 + 4 * (digit_s + 0.07) / 0.02)
    for index in range(count):
        if index == 10:
            link.sender.send_digits("4#", digit_s=digit_s)
        if index == 12:
            link.sender.send_digits("d9", digit_s=digit_s)
        link.sender.push(opus_frame(index, time=link.now))
        link.run(start + (index + 1) * 0.02)
    link.run(link.now + 1)
    assert digits == ["4", "#", "D", "9"]
    assert not link.tap.gaps
    replaced = count - len(link.tap.frames)
    assert 4 * digit_s / 0.02 - 4 <= replaced <= 4 * digit_s / 0.02 + 4
    events = [packet for packet in link.sent if parse_header(packet).payload_type == EVENT]
    assert sum(parse_header(packet).marker for packet in events) == 4
    assert sum(packet[13] >> 7 for packet in events) == 12  # three end packets each
    assert len({parse_header(packet).ssrc for packet in link.sent}) == 1
    assert link.tap.frames[-1].rtp_time - link.tap.frames[0].rtp_time == (count - 1) * 960


def test_digits_do_not_pile_up() -> None:
    """Digits asked for faster than they are played were kept without a bound."""
    bench = Bench(Codec.OPUS, event_payload_type=EVENT)
    for _ in range(5):
        bench.sender.send_digits(256 * "1")
    with pytest.raises(LocalProtocolError, match="too many"):
        bench.sender.send_digits("1")


def test_what_is_no_digit_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Bench(Codec.OPUS, event_payload_type=101).sender.send_digits("12x")
    with pytest.raises(LocalProtocolError):
        Bench(Codec.OPUS).sender.send_digits("1")
