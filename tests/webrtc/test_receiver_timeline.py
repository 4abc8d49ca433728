"""Sound and picture of one call on one timeline, from the senders' frames to the receivers' taps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.receiver_timeline import Timeline
from pexrtc_py.webrtc.rtcp import ntp_from_unix

from .link import Link, at_random, opus_frame, vp8_frame


@pytest.mark.parametrize("audio_late_s", [-10.0, -1.0, 0.0, 1.0, 10.0])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_offset_within_20_ms_whichever_starts_first(audio_late_s: float, loss: float) -> None:
    clock = CallClock()
    audio = Link(Codec.OPUS, round_trip_s=0.02, lose=at_random(loss, 1), clock=clock)
    video = Link(Codec.VP8, round_trip_s=0.25, lose=at_random(loss, 2), clock=clock)
    start = 1000.0
    audio_from, video_from = max(0.0, audio_late_s), max(0.0, -audio_late_s)
    events = [(audio_from + n * 0.02, n, True) for n in range(1000)]
    events += [(video_from + n / 30, n, False) for n in range(600)]
    for at, number, is_audio in sorted(events):
        audio.run(start + at)
        video.run(start + at)
        if is_audio:
            index = number + round(audio_from * 50)
            audio.sender.push(opus_frame(index, time=audio.now))
        else:
            index = number + round(video_from * 30)
            video.sender.push(vp8_frame(index, key=number % 60 == 0, size=3000, time=video.now))
    audio.run(start + 35)
    video.run(start + 35)

    offsets = []
    for link, began in ((audio, audio_from), (video, video_from)):
        frames, rate = link.tap.frames, link.tap.frames[0].codec.clock_rate
        first_sent = 0xFFFFF000 + round(began * rate) & 0xFFFFFFFF  # on the wire; where `rtp_time` begins
        captured = began + (frames[-1].rtp_time - first_sent) / rate
        offsets.append(frames[-1].time - start - captured)
        assert all(b.time >= a.time for a, b in pairwise(frames))
        assert frames[-1].ntp_time == pytest.approx(1_700_000_000.0 + captured, abs=0.005)
    assert abs(offsets[0] - offsets[1]) < 0.02


def test_a_new_run_of_timestamps_goes_on_where_the_old_one_was() -> None:
    timeline = Timeline(CallClock(), Kind.AUDIO)
    timeline.begin(48000)
    for number in range(100):
        timeline.place((4_294_960_000 + number * 960) & 0xFFFFFFFF, 10 + number * 0.02)
    last_rtp, last = timeline.rtp_time, timeline.time
    timeline.begin(48000, (ntp_from_unix(500.0), 17, 12.0))
    rtp_time, time, ntp_time = timeline.place(17, 12.0)
    assert time - last == pytest.approx(0.02, abs=1e-3)
    assert rtp_time - last_rtp == pytest.approx((time - last) * 48000, abs=1)
    assert ntp_time == pytest.approx(500.0)


def test_timestamps_over_the_wrap_and_back() -> None:
    timeline = Timeline(CallClock(), Kind.VIDEO)
    timeline.begin(90000)
    stamps = [2**32 - 3000, 0, 2**32 - 1500, 3000]  # the third is shown before the second (B frames)
    placed = [timeline.place(stamp, 5.0)[0] for stamp in stamps]
    assert [b - placed[0] for b in placed] == [0, 3000, 1500, 6000]


def test_a_reset_of_timestamps_does_not_take_time_along() -> None:
    """aiortc adds 13 hours."""
    timeline = Timeline(CallClock(), Kind.VIDEO)
    timeline.begin(90000)
    timeline.place(1_000_000, 5.0)
    rtp_time, time, _ = timeline.place(3_500_000_000, 5.04)
    assert time == pytest.approx(5.04)
    assert rtp_time - 1_000_000 == pytest.approx(0.04 * 90000, abs=1)


def test_a_report_without_wall_clock_is_void() -> None:
    timeline = Timeline(CallClock(), Kind.VIDEO)
    timeline.begin(90000)
    timeline.place(0, 5.0)
    timeline.sender_report(0, 0, 5.0)
    assert timeline.place(3000, 5.03)[2] is None
