"""Whether there is room: readings and limits in, the reason out; and the readings of this machine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pexrtc_py.fleet.capacity import Readings, refusal
from pexrtc_py.fleet.jobs import LimitsTable
from pexrtc_py.fleet.readings import CpuMeter, disk_free, memory_free, read_machine

ROOM = Readings(cpu=0.5, cores=2, memory_free_bytes=2 * 10**9, disk_free_bytes=10**10)
LIMITS = LimitsTable(cpu=0.85, memory_free_bytes=10**9, disk_free_bytes=5 * 10**9, jobs=50)


def test_room() -> None:
    """Nothing is refused when there is room, nor when nothing could be measured."""
    assert refusal(ROOM, LIMITS, running=49) is None
    assert refusal(Readings(), LIMITS, running=0) is None


@pytest.mark.parametrize(
    ("readings", "running", "reason"),
    [
        (Readings(cpu=0.86, cores=2), 0, "CPU at 86% of 2 cores, the limit is 85%"),
        (Readings(memory_free_bytes=10**9 - 1), 0, "memory: 1000 MB left, 1.0 GB must be"),
        (Readings(disk_free_bytes=10**9), 0, "disk: 1.0 GB left in /srv, 5.0 GB must be"),
        (ROOM, 50, "50 jobs run already, the limit is 50"),
    ],
)
def test_the_reason_has_figures(readings: Readings, running: int, reason: str) -> None:
    """What was measured, and what must be."""
    assert refusal(readings, LIMITS, running=running, folder="/srv") == reason


def test_what_was_lost_in_a_crash_comes_back() -> None:
    """Its share of the cores was its own; a disk that is full is full for it as well."""
    busy = Readings(cpu=1.0, disk_free_bytes=10**10)
    assert refusal(busy, LIMITS, running=50, returns=True) is None
    assert refusal(Readings(cpu=1.0), LimitsTable(cpu=1.0), running=0) is None, "a limit of all cores is none"
    assert refusal(Readings(disk_free_bytes=0), LIMITS, running=0, returns=True) is not None


def test_share_of_cores(tmp_path: Path) -> None:
    """Busy ticks of all ticks between two looks, at least three seconds apart; waiting for a disk is not busy."""
    stat, now = tmp_path / "stat", 0.0
    stat.write_text("cpu  100 0 100 800 50 0 0 0 0 0\ncpu0 1 1 1 1\n")
    meter = CpuMeter(clock=lambda: now, stat=stat)
    assert meter.share() is None
    stat.write_text("cpu  130 0 120 840 60 0 0 0 0 0\n")
    now = 2.9
    assert meter.share() is None
    now = 3.0
    assert meter.share() == pytest.approx(0.5)
    stat.write_text("nonsense")
    now = 6.0
    assert meter.share() == pytest.approx(0.5), "the last that is known"


def test_this_machine(tmp_path: Path) -> None:
    """It has memory and room; the room of a folder that is not made yet is that of where it will be."""
    readings = read_machine(CpuMeter(), tmp_path / "not" / "yet")
    assert readings.memory_free_bytes is not None
    assert readings.memory_free_bytes > 10**6
    assert readings.disk_free_bytes is not None
    there = disk_free(tmp_path)
    assert there is not None
    assert math.isclose(readings.disk_free_bytes, there, rel_tol=0.1)
    assert memory_free(tmp_path / "nothing") is None
