"""What the machine has left: /proc and the file system. Linux; elsewhere what is not known is None."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .capacity import Readings

__all__ = ["CpuMeter", "disk_free", "memory_free", "read_machine"]

_WINDOW_S = 3.0
"""The least time between two readings of a share: in a shorter one every join is a peak."""


class CpuMeter:
    """The share of all cores that was in use between two looks."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, stat: Path = Path("/proc/stat")) -> None:
        """Look for the first time."""
        self._clock = clock
        self._stat = stat
        self._looked_at = clock()
        self._before = self._read()
        self._share: float | None = None

    def share(self) -> float | None:
        """Return the share lately, 0 to 1; None until three seconds have passed, or where it is not known."""
        now = self._clock()
        if now - self._looked_at >= _WINDOW_S and self._before is not None:
            after = self._read()
            if after is not None and after[1] > self._before[1]:
                self._share = (after[0] - self._before[0]) / (after[1] - self._before[1])
            self._looked_at, self._before = now, after
        return self._share

    def _read(self) -> tuple[int, int] | None:
        """Return busy and all ticks (proc(5), /proc/stat: user nice system idle iowait irq softirq steal)."""
        try:
            line = self._stat.read_text().split("\n", 1)[0]
            ticks = [int(word) for word in line.split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def memory_free(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the bytes that can be had without swapping; None where it is not known."""
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def disk_free(folder: Path) -> int | None:
    """Return the bytes that are left where `folder` is, or would be made; None where it cannot be asked."""
    for place in (folder.absolute(), *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def read_machine(meter: CpuMeter, folder: Path | None) -> Readings:
    """Measure what a job that writes to `folder` would find."""
    return Readings(
        cpu=meter.share(),
        cores=os.cpu_count() or 1,
        memory_free_bytes=memory_free(),
        disk_free_bytes=disk_free(folder) if folder is not None else None,
    )
