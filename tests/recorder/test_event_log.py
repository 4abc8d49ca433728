"""Lines beside a recording, on disks that are slow, full, or gone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pexrtc_py.recorder.event_log import EventLog
from tests.support.held_disk import HeldDisk
from tests.support.waiting import until


async def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each event was once written in the event loop: three seconds of the disk were three of every call. Memory is
    bounded, and what is kept is in order."""
    path = tmp_path / "talk.events.jsonl"
    log = EventLog(path)
    line = b"x" * ((1 << 20) - 1) + b"\n"
    with HeldDisk() as disk:
        await disk.hold()
        for _ in range(20):
            log.write(line)
        assert log.dropped == 4
        assert caplog.text.count("events are left out") == 1
        assert path.stat().st_size == 0
    await until(lambda: log._taken_bytes >= 16 << 20)  # counted by a thread, after the file has grown
    assert path.stat().st_size == 16 << 20
    log.write(b"last\n")
    await log.aclose()
    log.write(b"too late\n")
    await log.aclose()
    assert path.read_bytes() == line * 16 + b"last\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_full_disk_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The recording goes on, and fails by itself; its log has ended."""
    log = EventLog(tmp_path / "talk.events.jsonl")
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123, ASYNC230 - a device
        os.dup2(full.fileno(), log._fd)
    for _ in range(3):
        log.write(b"line\n")
        await until(lambda: not log._lines)  # written by a thread
    await log.aclose()
    assert caplog.text.count("no space left on device") == 1
