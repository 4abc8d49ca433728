"""Which RTP timestamps frames get, whatever the numbers of their sources do."""

from __future__ import annotations

from pexrtc_py.webrtc.sender_timeline import SendTimeline

from .link import opus_frame, vp8_frame

FRAME = 3000  # ticks of a picture, as `vp8_frame` has it


def test_frames_of_one_source_keep_their_distances_over_the_wrap() -> None:
    timeline = SendTimeline(2**32 - FRAME)
    stamps = [timeline.stamp(vp8_frame(n, key=n == 0, size=1, time=n / 30), n / 30) for n in range(3)]
    assert stamps == [2**32 - FRAME, 0, FRAME]


def test_another_source_goes_on_after_the_time_that_passed() -> None:
    """Its own numbers begin anew, 0.5 s after the last frame."""
    timeline = SendTimeline(0)
    last = timeline.stamp(opus_frame(500, time=10.0), 10.0)
    assert timeline.stamp(opus_frame(0, time=10.5), 10.5) == last + 24000


def test_a_loop_without_rebasing_does_not_stand_still() -> None:
    """Whatever comes at the same moment is a tick later: no two frames have one timestamp."""
    timeline = SendTimeline(0)
    last = timeline.stamp(opus_frame(500, time=10.0), 10.0)
    assert timeline.stamp(opus_frame(0, time=0.0), 10.0) == last + 1


def test_a_reading_moves_on_with_the_time() -> None:
    timeline = SendTimeline(7)
    assert timeline.reading(3.0, 48000) == (7, 3.0)
    timeline.stamp(opus_frame(10, time=20.0), 50.0)
    assert timeline.reading(50.25, 48000) == (7 + 9600 + 12000, 20.25)
    timeline.begin_anew()
    assert timeline.reading(51.0, 48000) == (7, 51.0)
