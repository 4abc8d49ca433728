"""A sender that follows transport-wide feedback stays below what the way carries, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.clock import SendClock
from pexrtc_py.webrtc.feedback import LossRate, TransportFeedbackRecorder, TransportSequence
from pexrtc_py.webrtc.feedback_follower import FeedbackFollower
from pexrtc_py.webrtc.impairment import ImpairedLink, Impairment
from pexrtc_py.webrtc.rtcp import ReportBlock, TransportFeedback, parse_compound
from pexrtc_py.webrtc.rtcp_transport import TICKS_PER_SECOND
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig

from .link import vp8_frame

MOST_BPS = 2_000_000
_OVERHEAD = 38  # of IP, UDP and SRTP


class Encoding:
    """A sender with an encoder that keeps to its rate, a bad way, and a peer that reports; a second of it is a row."""

    def __init__(
        self,
        impairment: Impairment,
        *,
        content_bps: int = MOST_BPS,
        way: ImpairedLink[tuple[float, bytes]] | None = None,
    ) -> None:
        self.now = 1000.0
        self.rate = MOST_BPS
        self.rows: list[tuple[int, int, int]] = []
        """Of each second: rate at its end, packets sent, packets lost."""
        self.queue_s: list[float] = []
        """Of each second: the longest that a packet took."""
        self._dice = random.Random(3)
        self._ticks = self._count = 0
        self._content = content_bps
        self.way = ImpairedLink[tuple[float, bytes]](impairment) if way is None else way
        self._back: ImpairedLink[bytes] = ImpairedLink(Impairment(delay_s=impairment.delay_s))
        numbers = TransportSequence()
        self.sender = Sender(
            SenderConfig(
                codec=Codec.VP8,
                payload_type=96,
                cname="us",
                ssrc=5,
                transport_sequence_id=1,
                max_bitrate_bps=MOST_BPS,
            ),
            self._send,
            lambda data: None,
            SendClock(lambda: self.now, 0.0),
            transport_sequence=numbers,
        )
        self.sender.on_bitrate = self._follow
        self._follower = numbers.follower = FeedbackFollower(
            lambda bps, now, is_full: self.sender.rate.handle_queue(bps, now, is_full=is_full),
            on_room=lambda bps, now, is_crowded: self.sender.rate.handle_room(bps, now, is_crowded=is_crowded),
        )
        self._recorder = TransportFeedbackRecorder(1, 7, lambda data: self._back.push(data, len(data), self.now))

    def _send(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self.way.push((self.now, packet), len(packet) + _OVERHEAD, self.now)

    def _follow(self, bitrate_bps: int) -> None:
        self.rate = bitrate_bps

    def run(self, seconds: int) -> None:
        """Let time go by, a millisecond at a time."""
        dice, count = self._dice, self._count
        sent, lost = self.sender.counts.packets, self.way.lost
        slowest = 0.0
        for tick in range(self._ticks, self._ticks + seconds * 1000):
            self.now = 1000.0 + tick / 1000
            if tick % 33 == 0:
                size = round(min(self.rate, self._content) * 0.033 / 8 * dice.uniform(0.7, 1.3))
                self.sender.push(vp8_frame(count, key=count == 0, size=max(size, 20), time=self.now))
                count += 1
            for left, packet in self.way.pull(self.now):
                slowest = max(slowest, self.now - left)
                self._recorder.handle_packet(packet, packet[0], 5, self.now)
            if (due := self._recorder.next_timer()) is not None and due <= self.now:
                self._recorder.handle_timer(self.now)
            for data in self._back.pull(self.now):
                for report in parse_compound(data):
                    assert isinstance(report, TransportFeedback)
                    self._follower.handle_feedback(report, self.now)
            if tick % 1000 == 999:
                new_sent, new_lost = self.sender.counts.packets - sent, self.way.lost - lost
                sent, lost = self.sender.counts.packets, self.way.lost
                self.rows.append((self.rate, new_sent, new_lost))
                self.queue_s.append(slowest)
                slowest = 0.0
                self.sender.handle_report_block(
                    ReportBlock(
                        ssrc=5,
                        fraction_lost=min(255, 256 * new_lost // max(1, new_sent)),
                        packets_lost=lost,
                        highest_sequence=0,
                        jitter=0,
                        last_report=0,
                        delay=0,
                    )
                )
        self._ticks += seconds * 1000
        self._count = count


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("limit_bps", [300_000, 500_000, 1_200_000])
def test_settles_under_the_limit_of_the_way(limit_bps: int, delay_s: float) -> None:
    """From 2 Mb/s on: within ten seconds under the limit, then most of it used, hardly a packet lost, no long queue."""
    call = Encoding(Impairment(rate_bps=limit_bps, delay_s=delay_s))
    call.run(60)
    settled = call.rows[10:]
    mean = sum(rate for rate, _, _ in settled) / len(settled)
    assert 0.6 * limit_bps < mean < limit_bps
    assert max(rate for rate, _, _ in settled) < 1.1 * limit_bps
    assert sum(lost for _, _, lost in settled) < 0.005 * sum(sent for _, sent, _ in settled)
    assert sorted(call.queue_s[10:])[len(settled) // 2] < delay_s + 0.15


def test_a_wide_way_is_used_and_jitter_is_no_queue() -> None:
    """Where there is room the rate stays at what the call allows, whatever the way does to single packets."""
    call = Encoding(Impairment(rate_bps=8_000_000, delay_s=0.02, jitter_s=0.02, loss=0.01))
    call.run(30)
    assert min(rate for rate, _, _ in call.rows[5:]) > 0.9 * MOST_BPS


def test_little_to_send_does_not_hold_the_rate_down() -> None:
    """A still slide for half a minute: the rate that the next picture may take is the call's."""
    call = Encoding(Impairment(rate_bps=5_000_000, delay_s=0.02), content_bps=40_000)
    call.run(30)
    assert call.rows[-1][0] == MOST_BPS


def test_absurd_feedback_is_taken_as_it_comes() -> None:
    """Arrivals that jump by days, run backwards, or are of packets never sent: no exception, no long computation."""
    told: list[int] = []
    follower = FeedbackFollower(lambda bps, now, is_full: told.append(bps))
    dice = random.Random(5)
    for number in range(3000):
        follower.note_sent(number * 3 & 0xFFFF, [1000, 1000, 5], number * 0.01)
        clock = 0
        arrivals: list[int | None] = []
        for _ in range(dice.randrange(40)):
            clock += dice.randrange(-0x8000, 0x8000)
            arrivals.append(dice.choice([None, clock]))
        feedback = TransportFeedback(
            sender_ssrc=1,
            media_ssrc=2,
            base_sequence=(number * 3 - dice.randrange(60)) & 0xFFFF,
            count=number & 0xFF,
            reference=dice.choice([number // 6, dice.randrange(-(1 << 23), 1 << 23)]),
            arrivals=tuple(arrivals),
        )
        follower.handle_feedback(feedback, number * 0.01)
    assert all(0 <= bps < 200_000_000 for bps in told)


def test_rate_near_what_got_through_grows_gently() -> None:
    """After a queue: 85 % of what got through, then a per cent a second; far beyond that it is forgotten."""
    rate = LossRate(800_000, least_bps=64_000, most_bps=2_000_000)
    rate.handle_queue(500_000, 0.0)
    assert rate.bitrate_bps == 425_000
    for second in range(1, 11):
        rate.handle_loss(0.0, second)
    assert rate.bitrate_bps == pytest.approx(425_000 * 1.08 * 1.01**9, rel=0.08)
    for second in range(11, 100):
        rate.handle_loss(0.0, second)
    assert rate.bitrate_bps == 2_000_000


def test_a_full_queue_tells_what_the_way_carries() -> None:
    """More was sent than gets through: the rate falls below that at once, and soon is back near it, if it was lower."""
    rate = LossRate(1_500_000, least_bps=64_000, most_bps=1_500_000)
    rate.handle_queue(400_000, 0.4, is_full=True)
    assert rate.bitrate_bps == 280_000
    rate.handle_loss(0.6, 0.6)  # of what was sent before
    assert rate.bitrate_bps == 280_000
    rate.handle_loss(0.2, 1.6)
    assert rate.bitrate_bps == 252_000
    for second in range(2, 6):
        rate.handle_loss(0.0, second + 0.6)
    assert 340_000 <= rate.bitrate_bps < 350_000
    for second in range(6, 16):
        rate.handle_loss(0.0, second + 0.6)
    assert 380_000 < rate.bitrate_bps < 390_000


def test_chance_that_loses_a_third_is_no_full_queue() -> None:
    """Whatever is lost while the rest comes as soon as ever tells nothing of a queue; nor does a queue without loss."""
    told: list[bool] = []
    follower = FeedbackFollower(lambda bps, now, is_full: told.append(is_full))
    dice = random.Random(7)

    def report(number: int, delay_s: float, loss: float) -> None:
        now = number * 0.1
        for place in range(10):
            follower.note_sent(number * 10 + place & 0xFFFF, [1000], now + place / 100)
        arrivals = tuple(
            None if dice.random() < loss else round((now + place / 100 + delay_s) * TICKS_PER_SECOND)
            for place in range(10)
        )
        follower.handle_feedback(
            TransportFeedback(
                sender_ssrc=1,
                media_ssrc=2,
                base_sequence=number * 10 & 0xFFFF,
                count=number & 0xFF,
                reference=0,
                arrivals=arrivals,
            ),
            now + 0.1 + delay_s,
        )

    for number in range(100):
        report(number, 0.02, 0.3)
    assert told == []
    assert not follower.is_crowded(10.0)
    for number in range(100, 110):
        report(number, 0.02 if number < 105 else 0.1, 0.0)
    assert True not in told
    for number in range(110, 117):
        report(number, 0.1, 0.3)
    assert True in told
    assert follower.is_crowded(11.8)
    assert not follower.is_crowded(13.7)


def test_a_queue_halves_the_rate_at_most() -> None:
    """Who sent little for a moment got little through: the way may carry far more."""
    rate = LossRate(2_000_000, least_bps=64_000, most_bps=2_000_000)
    for times in range(1, 4):
        rate.handle_queue(10_000, times * 1.0)
        assert rate.bitrate_bps == 2_000_000 // 2**times
