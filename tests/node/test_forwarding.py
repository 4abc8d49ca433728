"""Forwarding: changes at key frames, one timeline, sound and picture on one line."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.node.forwarding import Feed, Outlet, Timeline


@dataclass
class Subscriber:
    """A tap that keeps what it is given."""

    frames: list[EncodedFrame] = field(default_factory=list)

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame), "a sender is never given a gap"
        self.frames.append(item)

    def end(self) -> None:
        raise AssertionError("a subscriber's sender outlives its feeds")


class Publisher:
    """A feed with a hand crank: 30 pictures a second on its own RTP clock."""

    def __init__(self, name: bytes, rtp_start: int, *, codec: Codec = Codec.VP8, began: float = 100.0) -> None:
        self.name, self.codec, self.rtp_start, self.began = name, codec, rtp_start, began
        self.asked = 0
        self.feed = Feed(self._ask)
        self._number = 0

    def _ask(self) -> None:
        self.asked += 1

    def send(self, *, key: bool = False) -> EncodedFrame:
        frame = EncodedFrame(
            codec=self.codec,
            data=self.name,
            rtp_time=self.rtp_start + 3000 * self._number,
            time=self.began + self._number / 30,
            key=key,
        )
        self._number += 1
        self.feed.push(frame)
        return frame

    def lose(self) -> None:
        self.feed.push(Gap(codec=self.codec, rtp_time=0, time=self.began + self._number / 30, duration=0, packets=1))
        self._number += 1


def outlet(*codecs: Codec) -> tuple[Outlet, Subscriber]:
    """An outlet and what it sends to."""
    subscriber = Subscriber()
    return Outlet(subscriber, codecs=codecs or (Codec.VP8,), name="subscriber"), subscriber


def test_the_first_forwarded_picture_is_a_key_frame_and_is_asked_for() -> None:
    """Pictures before the key frame are not sent."""
    ada, (line, seen) = Publisher(b"ada", 10**6), outlet()
    line.show(ada.feed)
    assert ada.asked == 1
    ada.send()
    ada.send(key=True)
    ada.send()
    assert [(frame.key, frame.rtp_time) for frame in seen.frames] == [(True, 0), (False, 3000)]


def test_a_change_waits_for_the_key_frame_of_the_other_and_keeps_the_timeline() -> None:
    """The old picture goes on until then; RTP time follows real time through the change, whatever the clocks say."""
    ada, ben, (line, seen) = Publisher(b"ada", 10**6), Publisher(b"ben", 5, began=100.5), outlet()
    line.show(ada.feed)
    for number in range(20):
        ada.send(key=number == 0)
        if number == 15:
            line.show(ben.feed)
        if number >= 15:
            ben.send(key=number == 18)
    assert ben.asked == 1
    assert [frame.data for frame in seen.frames] == [b"ada"] * 19 + [b"ben"] * 2
    assert seen.frames[19].key
    # Ben's fourth picture is of 100.6 s, when Ada's timeline, begun at 100 s, stands at 0.6 s.
    assert seen.frames[19].rtp_time == max(54000, seen.frames[18].rtp_time + 90)
    assert seen.frames[20].rtp_time - seen.frames[19].rtp_time == 3000
    assert ada.feed.is_idle


def test_going_back_before_the_key_frame_changes_nothing() -> None:
    """A change taken back leaves the picture as it was, without a new key frame asked for."""
    ada, ben, (line, seen) = Publisher(b"ada", 0), Publisher(b"ben", 0), outlet()
    line.show(ada.feed)
    ada.send(key=True)
    line.show(ben.feed)
    line.show(ada.feed)
    ben.send(key=True)
    ada.send()
    assert [frame.data for frame in seen.frames] == [b"ada"] * 2
    assert ada.asked == 1
    assert ben.feed.is_idle


def test_after_a_gap_nothing_is_sent_before_a_key_frame() -> None:
    """The subscriber sees no loss in our numbers, so it must not get what it cannot decode; one is asked for."""
    ada, (line, seen) = Publisher(b"ada", 0), outlet()
    line.show(ada.feed)
    ada.send(key=True)
    ada.lose()
    ada.send()
    ada.lose()
    assert ada.asked == 2
    ada.send(key=True)
    assert [(frame.key, frame.rtp_time) for frame in seen.frames] == [(True, 0), (True, 12000)]


def test_requests_of_the_subscriber_reach_who_is_shown() -> None:
    """PLI goes to the picture that is seen, or to the one that is waited for."""
    ada, (line, _) = Publisher(b"ada", 0), outlet()
    line.request_key_frame()
    line.show(ada.feed)
    line.request_key_frame()
    assert ada.asked == 2
    ada.send(key=True)
    line.request_key_frame()
    assert ada.asked == 3


def test_a_feed_that_ends_is_forgotten() -> None:
    """Shown or waited for; another can be shown after it, on the same timeline."""
    ada, ben, cleo = Publisher(b"ada", 7), Publisher(b"ben", 7), Publisher(b"cleo", 7, began=103.0)
    line, seen = outlet()
    line.show(ada.feed)
    ada.send(key=True)
    line.show(ben.feed)
    ben.feed.end()
    ada.feed.end()
    assert (line.shown, line.awaited) == (None, None)
    line.show(cleo.feed)
    cleo.send(key=True)
    assert [frame.rtp_time for frame in seen.frames] == [0, 270000]
    line.close()
    cleo.send(key=True)
    assert len(seen.frames) == 2


def test_a_codec_the_subscriber_does_not_have_is_not_sent() -> None:
    """Whoever chooses feeds is told of the change of codec, and the outlet keeps still meanwhile."""
    ada, (line, seen) = Publisher(b"ada", 0, codec=Codec.H264), outlet(Codec.VP8)
    told: list[Codec | None] = []
    ada.feed = Feed(ada._ask, lambda: told.append(ada.feed.codec))
    line.show(ada.feed)
    ada.send(key=True)
    ada.codec = Codec.VP8
    ada.send(key=True)
    assert told == [Codec.H264, Codec.VP8]
    assert [frame.codec for frame in seen.frames] == [Codec.VP8]


def test_pictures_move_to_where_their_sound_is() -> None:
    """The delay of the mix is in time and RTP time alike: more of it at once, less of it within a second."""
    ada, (line, seen) = Publisher(b"ada", 0), outlet()
    line.show(ada.feed)
    sent = [ada.send(key=True)]
    assert seen.frames[0].time - sent[0].time == pytest.approx(0.07)
    ada.feed.delay_s = 0.13
    sent += [ada.send() for _ in range(30)]
    ada.feed.delay_s = 0.09
    sent += [ada.send() for _ in range(60)]
    added = [out.time - frame.time for frame, out in zip(sent, seen.frames, strict=True)]
    assert added[1:31] == pytest.approx([0.13] * 30, abs=1e-4)
    assert all(-0.0034 < step <= 1e-9 for step in np.diff(added[31:]))
    assert added[60] == pytest.approx(0.09, abs=0.01)
    assert added[-1] == pytest.approx(0.09, abs=0.003)
    origin = seen.frames[0]
    for frame in seen.frames:
        assert frame.time - origin.time == pytest.approx((frame.rtp_time - origin.rtp_time) / 90000, abs=1e-6)


def test_a_large_delay_is_given_up_at_once() -> None:
    """Two seconds that sound was late for a moment: pictures stand still so long, and are where they were before.

    They used to come back by 2 ms a picture, for a minute.
    """
    ada, (line, seen) = Publisher(b"ada", 0), outlet()
    line.show(ada.feed)
    ada.feed.delay_s = 0.1
    sent = [ada.send(key=True) for _ in range(5)]
    ada.feed.delay_s = 2.1
    sent += [ada.send() for _ in range(5)]
    ada.feed.delay_s = 0.1
    sent += [ada.send() for _ in range(90)]
    added = [out.time - frame.time for frame, out in zip(sent, seen.frames, strict=True)]
    assert added[9] == pytest.approx(2.1, abs=0.001)
    assert added[10 + 67 :] == pytest.approx([0.1] * 23, abs=0.004), "two seconds of pictures have gone"
    assert all(b.rtp_time - a.rtp_time >= 90 for a, b in itertools.pairwise(seen.frames))
    assert all(b.time > a.time for a, b in itertools.pairwise(seen.frames))


def test_pictures_made_of_others_are_not_moved_again() -> None:
    """A transcoder's and a compositor's pictures have had the delay of the sound before they were made."""
    source, made = Feed(lambda: None), Feed(lambda: None, delay_s=0.0)
    source.add_tap(made)
    line, seen = outlet()
    line.show(made)
    source.push(EncodedFrame(codec=Codec.VP8, data=b"x", rtp_time=0, time=5.0))
    assert seen.frames[0].time == pytest.approx(5.07)


@given(st.lists(st.tuples(st.booleans(), st.integers(-(10**6), 10**6), st.floats(0, 2)), max_size=50))
def test_the_timeline_never_runs_backwards(steps: list[tuple[bool, int, float]]) -> None:
    """Whatever times come, in whatever order, what goes out increases."""
    timeline, rtp, time, last = Timeline(), 0, 50.0, -1
    for restart, ticks, seconds in steps:
        if restart:
            timeline.restart()
        rtp, time = rtp + ticks, time + seconds
        out = timeline.place(rtp, time)
        assert out > last
        last = out


def test_a_clock_that_is_a_little_fast_is_followed_for_an_hour() -> None:
    """100 ppm of drift are made up for in steps of 2 ms; RTP time is never more than 3 ms from the time it tells of."""
    timeline = Timeline()
    times = [10 + number / 30 * 0.9999 for number in range(108000)]
    placed = [timeline.place(3000 * number, time) for number, time in enumerate(times)]
    steps = {later - earlier for earlier, later in itertools.pairwise(placed)}
    assert min(steps) >= 3000 - 180
    assert max(steps) == 3000
    assert max(abs(timeline.time_of(out) - time) for out, time in zip(placed, times, strict=True)) < 0.0031


def test_jitter_of_times_does_not_reach_rtp() -> None:
    """Times that tremble by 2 ms leave a picture 3000 ticks after the one before."""
    timeline = Timeline()
    placed = [timeline.place(3000 * number, 10 + number / 30 + 0.002 * (number % 2)) for number in range(300)]
    assert {later - earlier for earlier, later in itertools.pairwise(placed)} == {3000}


class Failing:
    """A tap with a bug in it."""

    def __init__(self) -> None:
        self.pushed = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        self.pushed += 1
        raise RuntimeError("a bug")

    def end(self) -> None:
        pass


def test_who_fails_fails_alone() -> None:
    """A tap or a subscriber that raises is dropped; the publisher and the others do not notice.

    One exception used to end the receiver's task of the publisher, and with it everybody's picture.
    """
    camera = Publisher(b"a", 0)
    bad_tap, bad_sender, good_tap = Failing(), Failing(), Subscriber()
    broken = Outlet(bad_sender, codecs=(Codec.VP8,), name="broken")
    line, seen = outlet(Codec.VP8)
    camera.feed.add_tap(bad_tap)
    camera.feed.add_tap(good_tap)
    broken.show(camera.feed)
    line.show(camera.feed)
    for number in range(5):
        camera.send(key=number == 0)
    assert (bad_tap.pushed, bad_sender.pushed) == (1, 1)
    assert len(good_tap.frames) == len(seen.frames) == 5
