"""Signals that come early, late or twice, and standard streams that take nothing: none of them costs a recording."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node

PROGRAM = ("-c", "from pexrtc_py.cli import main; main()")


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node where nobody is."""
    async with Node(NodeConfig(open=True)) as node:
        yield node


async def start(
    *words: str, stdout: int = PIPE, stderr: int = PIPE, ignored: signal.Signals | None = None, tells: bool = True
) -> Process:
    """Start a command, that tells what it loads."""

    def ignore() -> None:
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    return await asyncio.create_subprocess_exec(
        *(sys.executable, *(("-X", "importtime") if tells else ()), *PROGRAM, *words),
        stdin=DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=ignore if ignored is not None else None,
    )


async def said(process: Process, text: str) -> list[str]:
    """Wait until a command has said so on stderr; return what it said before, without what it loaded."""
    assert process.stderr is not None
    lines: list[str] = []
    async with asyncio.timeout(20):
        while True:
            line = (await process.stderr.readline()).decode()
            assert line, f"it ended before it said {text!r}: {lines}"
            if not line.startswith("import time:"):
                lines.append(line.strip())
            if text in line:
                return lines


async def end_of(process: Process) -> tuple[int, list[str]]:
    """Wait for the end of a command; return its code and what it said last."""
    assert process.stderr is not None
    async with asyncio.timeout(15):
        err = (await process.stderr.read()).decode()
        return await process.wait(), [line for line in err.splitlines() if not line.startswith("import time:")]


async def test_pauses_that_come_before_it_is_loaded(node: Node, tmp_path: Path) -> None:
    """They ended the process; they are kept and obeyed in order, so the last one counts."""
    process = await start("record", "--node", node.url, "meet.a", "-o", str(tmp_path / "a.mkv"))
    await said(process, " pexrtc_py.cli.early_signals\n")
    await said(process, " typing\n")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        process.send_signal(number)
        await asyncio.sleep(0.05)  # the kernel keeps one of each
    assert (await said(process, "joined meet.a"))[-1].startswith("joined")
    process.send_signal(signal.SIGTERM)
    code, _ = await end_of(process)
    assert code == ExitCode.DONE


async def test_a_list_that_is_to_be_read_again_before_it_was_read(tmp_path: Path) -> None:
    """SIGHUP ended a fleet that was being loaded."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text("[fleet]\nworkers = 1\n")
    process = await start("run", str(jobs))
    await said(process, " typing\n")
    process.send_signal(signal.SIGHUP)
    assert "keeping 0 jobs going in 1 processes" in await said(process, "no job changed")
    process.send_signal(signal.SIGTERM)
    code, _ = await end_of(process)
    assert code == ExitCode.DONE


async def test_a_terminal_that_goes_away_ends_it_well(node: Node, tmp_path: Path) -> None:
    """Shell and kernel both say so, and a log-out may add SIGTERM: it ended by the signal, and now it leaves."""
    process = await start("record", "--node", node.url, "meet.a", "-o", str(tmp_path / "a.mkv"))
    await said(process, "joined meet.a")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    await said(process, "finishing")
    process.send_signal(signal.SIGHUP)
    code, told = await end_of(process)
    assert code == ExitCode.DONE
    assert [line for line in told if "(stopped)" in line] == told
    assert sum(len(one.room.participants) for one in node.state.conferences.values()) == 0
    assert node.state.conferences == {}


async def test_a_terminal_that_may_go_away(node: Node, tmp_path: Path) -> None:
    """What `nohup` started is not told of it."""
    words = ("record", "--node", node.url, "meet.a", "-o", str(tmp_path / "a.mkv"), "--duration", "0.5")
    process = await start(*words, ignored=signal.SIGHUP)
    await said(process, "joined meet.a")
    process.send_signal(signal.SIGHUP)
    code, told = await end_of(process)
    assert code == ExitCode.DONE
    assert "(duration)" in told[-1]


@pytest.mark.parametrize("gone", ["full", "closed"])
async def test_talk_that_nobody_takes(node: Node, tmp_path: Path, gone: str) -> None:
    """A full disk below the log, or a reader that went, ended the recording as a bug before it had begun."""
    if gone == "full":
        stderr = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stderr = os.pipe()
        os.close(reader)
    words = ("record", "--node", node.url, "meet.a", "-o", str(tmp_path / "a.mkv"), "--json")
    try:
        process = await start(*words, "--duration", "0.5", stderr=stderr, tells=False)
    finally:
        os.close(stderr)
    async with asyncio.timeout(15):
        out, _ = await process.communicate()
    assert process.returncode == ExitCode.DONE
    assert msgspec.json.decode(out)["ended"] == "duration"


async def test_a_result_that_cannot_be_written(node: Node, tmp_path: Path) -> None:
    """One line and the code of a full disk; it was a bug with its traceback."""
    stdout = os.open("/dev/full", os.O_WRONLY)
    words = ("record", "--node", node.url, "meet.a", "-o", str(tmp_path / "a.mkv"), "--json", "-q")
    try:
        process = await start(*words, "--duration", "0.5", stdout=stdout)
    finally:
        os.close(stdout)
    assert await end_of(process) == (ExitCode.FAILED, ["error: standard output: no space left on device"])
