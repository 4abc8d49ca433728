"""`pexrtc verify` and `pexrtc repair`: what they look up beside a file, and that they end when they are told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pexrtc_py.cli.app import make_app
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.media.clips import clip_path

from ..support.programs import program
from ..support.waiting import until

CLIP = clip_path("motion.mkv").read_bytes()
START_S = 60.0
"""Processes of ours begin in a second, or in half a minute."""
pytestmark = pytest.mark.timeout(150)


@asynccontextmanager
async def working(command: str, path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run a command; yields it, and its child's id once that has the file open."""
    words = ("-c", "from pexrtc_py.cli import main; main()", command, str(path), "-q")
    async with program(sys.executable, *words, stdout=None, stderr=None) as process:
        await until(lambda: any(has_open(child, path) for child in children(process.pid)), within_s=START_S)
        [child] = children(process.pid)
        yield process, child


def endless(path: Path) -> Path:
    """Make a file that takes long to be read: a beginning, and a terabyte of nothing, which needs no room."""
    path.write_bytes(CLIP[: len(CLIP) * 2 // 3])
    os.truncate(path, 1 << 40)
    return path


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has opened a file."""
    with suppress(OSError):  # it is gone by now
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if fd.readlink() == path:
                    return True
    return False


def children(pid: int) -> list[int]:
    """Tell the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_file_that_is_not_what_was_recorded(tmp_path: Path) -> None:
    """Its hash is looked up in the manifest of the recording that it is a segment of; another file's does not count."""
    digest = hashlib.sha256(CLIP).hexdigest()
    for name in ("talk.001.mkv", "talk.002.mkv"):
        (tmp_path / name).write_bytes(CLIP)
    files = [{"name": "talk.001.mkv", "sha256": digest}, {"name": "talk.002.mkv", "sha256": "0" * 64}]
    (tmp_path / "talk.manifest.json").write_text(json.dumps({"files": files}))
    outcome = CliRunner().invoke(
        make_app(), ["verify", str(tmp_path / "talk.001.mkv"), str(tmp_path / "talk.002.mkv"), "--json"]
    )
    assert outcome.exit_code == ExitCode.THRESHOLD_MISSED
    same, other = json.loads(outcome.stdout)["files"]
    assert same["problems"] == []
    assert other["problems"] == ["not what the manifest beside it says was recorded"]


@pytest.mark.slow
async def test_verify_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """It once read on to its deadline of ten minutes. What was not read to its end is not called whole."""
    async with working("verify", endless(tmp_path / "talk.mkv")) as (process, child):
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == ExitCode.INTERRUPTED
        assert not is_running(child)


@pytest.mark.slow
async def test_repair_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """It leaves nothing half, so that it can be tried again."""
    async with working("repair", endless(tmp_path / "talk.mkv")) as (process, child):
        await until((tmp_path / "talk.repaired.repairing.mkv").exists, within_s=START_S)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == ExitCode.INTERRUPTED
        assert not is_running(child)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mkv"]


@pytest.mark.slow
async def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that was killed once left it reading."""
    async with working("verify", endless(tmp_path / "talk.mkv")) as (process, child):
        process.kill()
        await process.wait()
        await until(lambda: not is_running(child), within_s=START_S)
