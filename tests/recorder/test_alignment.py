"""When a recording begins and what its 0 is."""

from __future__ import annotations

from msgspec.structs import replace

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.recorder.alignment import Alignment
from pexrtc_py.recorder.roles import Role

BOTH = (Role.AUDIO, Role.VIDEO)


def sound(n: int, *, ntp: float | None = None, time: float | None = None) -> EncodedFrame:
    """The n-th packet of 20 ms."""
    at = 10 + n * 0.02 if time is None else time
    return EncodedFrame(codec=Codec.OPUS, data=b"\xfc", rtp_time=5000 + n * 960, time=at, ntp_time=ntp)


def picture(n: int, *, key: bool = False, ntp: float | None = None) -> EncodedFrame:
    """The n-th picture at 25 a second."""
    return EncodedFrame(
        codec=Codec.VP8,
        data=b"",
        rtp_time=n * 3600,
        time=10 + n * 0.04,
        ntp_time=ntp,
        key=key,
        width=320 if key else 0,
        height=180 if key else 0,
    )


def test_it_waits_for_both_and_begins_with_the_earlier() -> None:
    """Sound alone does not begin a recording whose picture is expected; the origin is the earliest kept frame."""
    alignment = Alignment(2.0)
    assert alignment.start(BOTH, 10.0) is None
    assert alignment.next_timer() is None
    alignment.add(Role.AUDIO, sound(0, ntp=1.0), 10.0)
    assert alignment.start(BOTH, 10.0) is None
    assert not alignment.add(Role.VIDEO, picture(1), 10.1), "a key frame is to be asked for"
    alignment.add(Role.VIDEO, picture(5, key=True, ntp=1.2), 10.2)
    start = alignment.start(BOTH, 10.2)
    assert start is not None
    assert start.origin == 10.0
    assert [(role, item.time) for role, item in start.held] == [(Role.AUDIO, 10.0), (Role.VIDEO, 10.2)]


def test_the_budget_ends_the_wait() -> None:
    """What has not come by then is late; without any frame there is nothing to begin."""
    alignment = Alignment(2.0)
    alignment.add(Role.AUDIO, sound(0), 10.0)
    assert alignment.next_timer() == 12.0
    assert alignment.start(BOTH, 11.9) is None
    start = alignment.start(BOTH, 12.0)
    assert start is not None
    assert set(start.first) == {Role.AUDIO}


def test_frames_from_before_the_first_report_are_placed_by_it() -> None:
    """A guess by arrival of 90 ms too late is mended by the RTP timestamps, so lips and words agree from the start."""
    alignment = Alignment(2.0)
    for n in range(5):
        alignment.add(Role.AUDIO, replace(sound(n), time=10 + n * 0.02 + 0.09), 10.0)
    alignment.add(Role.VIDEO, picture(0, key=True, ntp=0.5), 10.0)
    assert alignment.start(BOTH, 10.1) is None, "sound has no report yet"
    alignment.add(Role.AUDIO, sound(5, ntp=0.6), 10.1)
    start = alignment.start(BOTH, 10.1)
    assert start is not None
    times = [round(item.time, 6) for role, item in start.held if role is Role.AUDIO]
    assert times == [10.0, 10.02, 10.04, 10.06, 10.08, 10.1]


def test_gaps_are_held_in_their_place() -> None:
    """A loss before the start is still told to the file."""
    alignment = Alignment(0.0)
    gap = Gap(codec=Codec.OPUS, rtp_time=5960, time=10.02, duration=960, packets=1)
    alignment.add(Role.AUDIO, sound(0), 10.0)
    alignment.add(Role.AUDIO, gap, 10.0)
    start = alignment.start([Role.AUDIO], 10.0)
    assert start is not None
    assert [item for _, item in start.held] == [sound(0), gap]
