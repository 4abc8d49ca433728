"""One timeline for all streams of a call: whatever starts first, drifts, pauses, steps or is late."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Kind
from pexrtc_py.webrtc.clock import CallClock, SendClock, SenderMemory, StreamClock

UNIX = 1_700_000_000.0


@dataclass
class Simulated:
    """A sender's stream: captured at true times, stamped by its own crystal, travelling for some time.

    True time is our monotonic clock; the sender's wall clock reads `UNIX + wall * true`.
    """

    clock: CallClock
    kind: Kind
    rate: int
    transit_s: float = 0.03
    jitter_s: float = 0.0
    media_drift: float = 0.0
    wall_drift: float = 0.0
    wall_step: float = 0.0
    first_rtp: int = 1_000_000
    dice: random.Random = field(default_factory=lambda: random.Random(3))

    def __post_init__(self) -> None:
        self.stream: StreamClock = self.clock.stream(self.kind, self.rate)

    def rtp(self, true: float) -> int:
        return self.first_rtp + round(true * self.rate * (1 + self.media_drift))

    def frame(self, true: float) -> float:
        """Return the time that a frame captured at a true time is given."""
        return self.stream.place(self.rtp(true), true + self.transit_s + self.dice.random() * self.jitter_s)

    def report(self, true: float) -> None:
        ntp = UNIX + true * (1 + self.wall_drift) + self.wall_step
        self.stream.sender_report(ntp, self.rtp(true), true + self.transit_s)


def run(
    streams: list[tuple[Simulated, float, float]], start: float, end: float, report_s: float = 1.0
) -> dict[int, list[tuple[float, float]]]:
    """Let streams run from their start, a frame each interval, and return (true time, time given) per stream."""
    out: dict[int, list[tuple[float, float]]] = {}
    events = []
    for number, (_, begins, interval) in enumerate(streams):
        begin = max(start, begins)
        events += [(begin + n * interval, 1, number) for n in range(int((end - begin) / interval))]
        events += [(begin + 0.3 * report_s + n * report_s, 0, number) for n in range(int((end - begin) / report_s))]
    for true, is_frame, number in sorted(events):
        stream = streams[number][0]
        if is_frame:
            out.setdefault(number, []).append((true, stream.frame(true)))
        else:
            stream.report(true)
    return out


def offset(audio: list[tuple[float, float]], video: list[tuple[float, float]]) -> float:
    """Return how much later than sound a picture of the same moment is placed, at the end."""
    return (video[-1][1] - video[-1][0]) - (audio[-1][1] - audio[-1][0])


@pytest.mark.parametrize("audio_starts", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("video_starts", [0.0, 1.0, 10.0])
def test_sound_and_picture_line_up_whichever_starts_first(audio_starts: float, video_starts: float) -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000, transit_s=0.02)
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.14, jitter_s=0.02)

    out = run([(audio, audio_starts, 0.02), (video, video_starts, 1 / 30)], 0.0, 20.0)

    assert offset(out[0], out[1]) == pytest.approx(0.0, abs=0.005)
    for times in out.values():
        assert all(b[1] >= a[1] for a, b in pairwise(times)), "time ran backwards"


def test_they_line_up_within_three_seconds_of_the_first_reports() -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000, transit_s=0.02)
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.12)
    out = run([(audio, 0.0, 0.02), (video, 0.0, 1 / 30)], 0.0, 3.5)
    assert abs(offset(out[0], out[1])) < 0.02


def test_before_any_report_arrival_decides() -> None:
    stream = Simulated(CallClock(), Kind.AUDIO, 48000, transit_s=0.02, jitter_s=0.05)
    times = [(n * 0.02, stream.frame(n * 0.02)) for n in range(500)]
    assert times[-1][1] - times[-1][0] == pytest.approx(0.02, abs=0.005)
    assert stream.stream.ntp_time(0) is None


@pytest.mark.parametrize("media", [100e-6, -100e-6])
@pytest.mark.parametrize("wall", [100e-6, -100e-6, 0.0])
def test_an_hour_of_drift(media: float, wall: float) -> None:
    """Sound by a crystal 100 ppm off, a wall clock 100 ppm off: still together, and still at our own clock's pace."""
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000, media_drift=media, wall_drift=wall, jitter_s=0.01)
    video = Simulated(call, Kind.VIDEO, 90000, wall_drift=wall, transit_s=0.06, jitter_s=0.01)

    out = run([(audio, 0.0, 0.2), (video, 0.0, 0.5)], 0.0, 3600.0, report_s=5.0)

    sound = {round(true, 3): given for true, given in out[0]}
    apart = [abs(given - sound[round(true, 3)]) for true, given in out[1] if round(true, 3) in sound and true > 10]
    assert len(apart) > 3500
    assert max(apart) < 0.02  # in all of the hour
    true, given = out[0][-1]
    assert given - true == pytest.approx(0.03, abs=0.02)
    late = out[0][len(out[0]) // 2 :]
    paces = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(late)]
    assert max(abs(pace - 1) for pace in paces) < 0.06, "a step"


def test_drift_without_any_report_follows_arrivals() -> None:
    stream = Simulated(CallClock(), Kind.AUDIO, 48000, media_drift=100e-6, jitter_s=0.01)
    times = [(n * 0.1, stream.frame(n * 0.1)) for n in range(36000)]
    assert times[-1][1] - times[-1][0] == pytest.approx(0.03, abs=0.02)


def test_mute_and_hold_leave_the_line_where_it_was() -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000, media_drift=50e-6)
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.1)
    run([(audio, 0.0, 0.02), (video, 0.0, 1 / 30)], 0.0, 10.0)
    run([(video, 0.0, 1 / 30)], 10.0, 130.0)  # two minutes of mute
    out = run([(audio, 0.0, 0.02), (video, 0.0, 1 / 30)], 130.0, 140.0)
    assert abs(offset(out[0], out[1])) < 0.005
    assert out[0][0][1] - out[0][0][0] == pytest.approx(0.03, abs=0.03)  # may lean towards the only one heard


def test_a_correction_is_no_step() -> None:
    """The first report moves sound by 100 ms: each packet by 5 % of its distance at most."""
    call = CallClock()
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.13)
    audio = Simulated(call, Kind.AUDIO, 48000, transit_s=0.03)
    out = run([(video, 0.0, 1 / 30), (audio, 2.0, 0.02)], 0.0, 10.0)
    steps = [b[1] - a[1] for a, b in pairwise(out[1])]
    assert min(steps) >= 0.0189
    assert max(steps) <= 0.0211
    assert abs(offset(out[1], out[0])) < 0.005


def test_a_wall_clock_that_steps_parts_nothing() -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000)
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.1)
    run([(audio, 0.0, 0.02), (video, 0.0, 1 / 30)], 0.0, 10.0)
    audio.wall_step = video.wall_step = 7200.0
    out = run([(audio, 0.0, 0.02), (video, 0.0, 1 / 30)], 10.0, 20.0)
    assert abs(offset(out[0], out[1])) < 0.01
    for times in out.values():
        assert all(0 <= b[1] - a[1] < 0.06 for a, b in pairwise(times))


def test_a_stream_of_another_sender_keeps_its_own_line() -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000)
    other = Simulated(call, Kind.VIDEO, 90000, wall_step=-3600.0)
    out = run([(audio, 0.0, 0.02), (other, 0.0, 0.2)], 0.0, 10.0)
    assert abs(offset(out[0], out[1])) < 0.03
    assert other.stream.ntp_time(other.rtp(5.0)) == pytest.approx(UNIX + 5.0 - 3600.0, abs=0.01)


def test_a_report_ahead_of_the_first_frame_counts_from_the_first_frame() -> None:
    call = CallClock()
    audio = Simulated(call, Kind.AUDIO, 48000, transit_s=0.02)
    audio.report(0.0)
    first = audio.frame(0.0)
    video = Simulated(call, Kind.VIDEO, 90000, transit_s=0.15)
    video.report(1.0)
    assert video.frame(1.0) - first == pytest.approx(1.0, abs=0.001)
    assert video.stream.ntp_time(0) is not None


def test_all_senders_of_a_peer_share_one_line() -> None:
    now = [50.0]
    clock = SendClock(lambda: now[0], UNIX)
    now[0] = 60.0
    assert clock.unix_time(60.0) == UNIX + 10.0
    assert clock.unix_time(61.5) - clock.unix_time(60.0) == pytest.approx(1.5)


def begin_again(wall_step: float, memory: SenderMemory | None) -> tuple[float, float]:
    """Let a call follow another, its first frames late by 80 and 120 ms; return how late both are placed at first."""
    first = CallClock(memory)
    run([(Simulated(first, Kind.AUDIO, 48000), 0.0, 0.02), (Simulated(first, Kind.VIDEO, 90000), 0.0, 0.04)], 0, 30)
    second = CallClock(memory)
    audio = Simulated(second, Kind.AUDIO, 48000, transit_s=0.11, first_rtp=7, wall_step=wall_step)
    video = Simulated(second, Kind.VIDEO, 90000, transit_s=0.15, first_rtp=77, wall_step=wall_step)
    late = []
    for stream in (audio, video):
        stream.report(40.0)  # our sender's comes ahead of its first packet
        late.append(stream.frame(40.0) - 40.0)
    return late[0], late[1]


def test_the_next_call_of_a_sender_goes_on_where_the_last_was() -> None:
    """30 ms of transit, as in the call before; what is late at first was placed late, and so was all of that call."""
    assert begin_again(0.0, None) == pytest.approx((0.11, 0.11), abs=0.001)
    assert begin_again(0.0, SenderMemory()) == pytest.approx((0.03, 0.03), abs=0.001)


@pytest.mark.parametrize("wall_step", [-600.0, -1.0, 1.0, 600.0])
def test_another_sender_of_the_next_call_has_a_clock_of_its_own(wall_step: float) -> None:
    """It is placed by its arrivals, sound and pictures alike, however its wall clock stands."""
    assert begin_again(wall_step, SenderMemory()) == pytest.approx((0.11, 0.11), abs=0.001)
