"""`pexrtc record` as a process: killed, out of disk, robbed of its file, paused; and what verify and repair say."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pexrtc_py
from pexrtc_py import Node
from pexrtc_py.cli.app import make_app
from pexrtc_py.cli.exits import ExitCode, exit_code_of
from pexrtc_py.cli.record import _record_all, _Running
from pexrtc_py.cli.record_wishes import next_moment
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.screen import Screen
from pexrtc_py.errors import UsageError
from pexrtc_py.media.writers.target import part_path
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.stopping import StopRules
from pexrtc_py.tasks import task_owner
from tests.recorder.beacon import beacon, job_of, read_marks
from tests.recorder.killing import kill_when, start_recorder
from tests.support.waiting import until

ALICE = "meet.alice"
SLOW_MACHINE = pytest.mark.timeout(150)  # processes of ours begin in a second, or in half a minute


@pytest.fixture
async def node_url() -> AsyncIterator[str]:
    """A node with a beacon in it."""
    async with Node() as node, beacon(node.url, ALICE):
        yield node.url


@pytest.mark.slow
@SLOW_MACHINE
async def test_a_kill_costs_less_than_a_second(node_url: str, tmp_path: Path) -> None:
    """What is left plays up to less than a second before the kill."""
    async with pexrtc_py.connect(node_url, ALICE, display_name="Host") as host, asyncio.TaskGroup() as group:
        kills = []
        for name, after_s in (("talk.mkv", 1.3), ("other.mp4", 1.7)):
            recorder = await start_recorder(node_url, ALICE, tmp_path / name)
            kills.append(group.create_task(kill_when(recorder, host, after_s)))
    for kill in kills:
        killed = kill.result()
        assert set(killed.lost_s) == {"audio", "video"}
        # A loaded node queues sound, and dates pictures that much later to go with it.
        assert all(-0.6 < lost_s < 1.0 for lost_s in killed.lost_s.values()), killed
        assert killed.length_s > 1.3
        assert killed.decoded > 30


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Make `folder` a disk of this size; say whether that was possible."""
    folder.mkdir()
    mount = shutil.which("mount")
    made = os.geteuid() == 0 and mount is not None
    if made:
        made = not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@SLOW_MACHINE
async def test_disks_that_fail(node_url: str, tmp_path: Path) -> None:
    """Full, or the file deleted: one clear line, and what was written is kept and plays."""
    size = 60_000
    with small_disk(tmp_path / "small", size) as is_small:
        full = await start_recorder(
            node_url,
            ALICE,
            tmp_path / "small" / "full.mkv",
            "--min-free",
            "0",
            "--no-sidecars",
            file_limit=None if is_small else size,
        )
        robbed = await start_recorder(node_url, ALICE, tmp_path / "robbed.mkv")
        await robbed.recorded(1.0)
        part_path(robbed.path).unlink()
        code, result, errors = await robbed.result()
        assert code == ExitCode.FAILED
        assert errors == [f"error: {robbed.path}: deleted during the recording; what was written is kept"]
        assert result["file"] == str(robbed.path)
        assert len(read_marks(robbed.path).numbers) >= 10
        assert (tmp_path / "robbed.manifest.json").exists()
        code, result, errors = await full.result()
        assert code == ExitCode.FAILED
        [line] = errors
        assert ("no space left on device" if is_small else "file too large") in line
        assert f"what was written is kept in {part_path(full.path)}" in line
        assert result["file"] == str(part_path(full.path))
        assert read_marks(part_path(full.path)).missing == []


@SLOW_MACHINE
@pytest.mark.slow
async def test_signals_pause_and_resume(node_url: str, tmp_path: Path) -> None:
    """SIGUSR1 pauses, SIGUSR2 resumes, SIGTERM ends; the result names every file."""
    path = tmp_path / "talk.mkv"
    recorder = await start_recorder(node_url, ALICE, path, "--no-slides", "--notice", "on air")
    await recorder.recorded(0.5)
    recorder.process.send_signal(signal.SIGUSR1)
    await asyncio.sleep(1.2)  # the length of the pause
    recorder.process.send_signal(signal.SIGUSR2)
    await asyncio.sleep(1.0)  # what is recorded after
    recorder.process.send_signal(signal.SIGTERM)
    code, result, errors = await recorder.result()
    assert (code, errors) == (ExitCode.DONE, [])
    sidecars = result["sidecars"]
    assert isinstance(sidecars, list)
    assert [Path(name).name for name in sidecars] == [
        "talk.roster.json",
        "talk.speakers.vtt",
        "talk.chat.vtt",
        "talk.manifest.json",
        "talk.html",
    ]
    seen = read_marks(path)
    assert len(seen.missing) >= 10
    steps = [after - before for before, after in zip(seen.times, seen.times[1:], strict=False)]
    assert max(steps) < 1.0, "the clock stood still"


@pytest.mark.slow
def test_verify_and_repair(tmp_path: Path) -> None:
    """A file cut off is told with exit code 1 and mended whole; a file that is not there is an error of its own."""
    cut, runner = tmp_path / "talk.mkv", CliRunner()
    clip = pexrtc_py.clip_path("motion.mkv").read_bytes()
    cut.write_bytes(clip[: len(clip) * 2 // 3])
    outcome = runner.invoke(make_app(), ["verify", str(cut), "--json"])
    assert outcome.exit_code == ExitCode.THRESHOLD_MISSED
    assert "truncated" in json.loads(outcome.stdout)["problems"]
    said = {"at_s": 0.5, "event": "message_received", "data": {"origin": "Alice", "uuid": "a", "payload": "hello"}}
    (tmp_path / "talk.events.jsonl").write_text(json.dumps(said) + "\n")
    outcome = runner.invoke(make_app(), ["repair", str(cut), "--json"])
    assert outcome.exit_code == ExitCode.DONE
    mended = json.loads(outcome.stdout)["file"]
    beside = [Path(path).name for path in json.loads(outcome.stdout)["sidecars"]]
    assert beside == ["talk.roster.json", "talk.speakers.vtt", "talk.chat.vtt"]
    assert "<v Alice>hello" in (tmp_path / "talk.chat.vtt").read_text()
    assert mended == str(tmp_path / "talk.repaired.mkv")
    outcome = runner.invoke(make_app(), ["verify", mended, str(tmp_path / "no.mkv"), "--json"])
    assert outcome.exit_code == ExitCode.USAGE
    whole, missing = json.loads(outcome.stdout)["files"]
    assert whole["problems"] == []
    assert "no such file" in missing["error"]


def test_time_of_day() -> None:
    """The next such moment, today or tomorrow."""
    now = datetime(2026, 11, 22, 16, 30).astimezone()
    assert next_moment("17:05", now).isoformat()[:16] == "2026-11-22T17:05"
    assert next_moment("16:30", now).isoformat()[:16] == "2026-11-23T16:30"
    with pytest.raises(UsageError, match="a time of day"):
        next_moment("25:00", now)


def test_time_of_day_over_a_change_of_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half past five once was half past six, on the morning of summer time and the evening before."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for now in (datetime(2026, 3, 28, 18, 0), datetime(2026, 3, 29, 1, 0)):
            assert next_moment("17:30", now.astimezone()).isoformat() == "2026-03-29T17:30:00+02:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.slow
async def test_a_bug_in_one_recording_ends_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was no error of ours once ended all of them, without what lies beside."""
    async with Node() as node, pexrtc_py.connect(node.url, ALICE, call_tag=""):
        good = job_of(node.url, tmp_path / "good.mkv", sidecars=True)
        good = replace(good, recording=replace(good.recording, stop=StopRules(deserted_s=0.5)))
        broken = replace(good, recording=RecordingConfig(path=tmp_path / "broken.mkv"), stay=None)  # type: ignore[arg-type]  # the bug
        stopping = Stopping()

        async def stop() -> None:
            await until(lambda: running.recordings and running.recordings[0].has_started, within_s=20)
            await asyncio.sleep(0.3)  # what is recorded
            stopping.event.set()

        running = _Running()
        async with task_owner() as tasks:
            tasks.start(stop(), name="stop")
            outcomes = await _record_all([good, broken], running, stopping, Screen(json=False, quiet=True))
    first, second = outcomes
    assert isinstance(first, pexrtc_py.Recorded)
    assert first.result.file == tmp_path / "good.mkv"
    assert (tmp_path / "good.manifest.json").exists()
    assert isinstance(second, AttributeError)
    assert "bug in the recording of meet.alice" in caplog.text
    assert exit_code_of(second) is ExitCode.BUG
