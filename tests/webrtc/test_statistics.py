"""Meters of frames, by the definitions of W3C webrtc-stats."""

from __future__ import annotations

import msgspec
import pytest

from pexrtc_py.webrtc.statistics import FrameMeter, PacketTotals, RemoteInboundRtp


def pictures(intervals: list[float]) -> FrameMeter:
    meter = FrameMeter()
    now = 10.0
    meter.picture(now, 0.0, key=True, width=640, height=360)
    for interval in intervals:
        now += interval
        meter.picture(now, 0.01, key=False, width=0, height=0)
    return meter


def test_a_freeze_is_three_times_the_mean_and_150_ms_more() -> None:
    steady = [1 / 30] * 40
    assert pictures([*steady, 0.18]).freezes == 0
    meter = pictures([*steady, 0.19, *steady])
    assert meter.freezes == 1
    assert meter.freezes_s == pytest.approx(0.19)
    assert pictures([*[0.2] * 40, 0.55]).freezes == 0  # less than three times
    assert pictures([*[0.2] * 40, 0.61]).freezes == 1


def test_the_mean_is_of_thirty_frames() -> None:
    assert pictures([*[1.0] * 40, *[0.033] * 20, 0.3]).freezes == 0
    assert pictures([*[1.0] * 40, *[0.033] * 31, 0.3]).freezes == 1


def test_a_pause_is_no_freeze() -> None:
    meter = pictures([*[0.033] * 40, 6.0, *[0.033] * 5])
    assert (meter.freezes, meter.pauses, meter.pauses_s) == (0, 1, 6.0)
    assert meter.inter_frame_s == pytest.approx(45 * 0.033 + 6.0)


def test_frames_per_second_and_delay() -> None:
    meter = pictures([0.04] * 99)
    assert meter.frames_per_second(10.0 + 99 * 0.04) == 25
    assert meter.held_s == pytest.approx(0.99)
    assert (meter.width, meter.height, meter.key_frames) == (640, 360, 1)


def test_totals_add_up() -> None:
    one = PacketTotals(received=1, lost=2, payload_bytes=3)
    assert one + one == PacketTotals(received=2, lost=4, payload_bytes=6)


def test_names_are_those_of_a_browser() -> None:
    block = RemoteInboundRtp(
        id="x",
        timestamp=1.0,
        kind="video",
        ssrc=1,
        packets_lost=1,
        fraction_lost=0.5,
        jitter=0.1,
        round_trip_time=None,
        total_round_trip_time=0.0,
        round_trip_time_measurements=0,
    )
    assert {"type", "fractionLost", "roundTripTimeMeasurements", "packetsLost"} <= set(msgspec.to_builtins(block))
