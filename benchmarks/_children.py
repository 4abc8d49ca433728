"""Child processes of benchmarks: started, spoken to in lines of JSON, measured from outside, and ended."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = [
    "Child",
    "MissingPeerError",
    "Usage",
    "Window",
    "add_peers",
    "memory_mb",
    "python_peer",
    "read_commands",
    "say",
    "system_peer",
    "tree",
]

PEERS = Path(__file__).parent / "peers"
_PATIENCE_S = 40.0


class MissingPeerError(Exception):
    """A peer to compare with is not installed; the message names the package."""


def add_peers(parser: argparse.ArgumentParser, names: Mapping[str, str]) -> None:
    """Take `--peers ours,...`, all of them by default; an unknown one ends the program with one line that lists them.

    Args:
        parser: of the benchmark.
        names: of the peers as given, and as the table has them.
    """

    def read(text: str) -> list[str]:
        peers = text.split(",")
        for peer in peers:
            if peer not in names:
                raise argparse.ArgumentTypeError(f"no peer {peer!r}; there are: {', '.join(names)}")
        return peers

    told = ", ".join(f"{name} ({title})" for name, title in names.items())
    parser.add_argument("--peers", type=read, default=list(names), help=f"parted by commas: {told}")


def python_peer(name: str, *args: object) -> list[str]:
    """Command line of a peer in our own interpreter."""
    return [sys.executable, "-m", f"benchmarks.peers.{name}", *map(str, args)]


def system_peer(name: str, *args: object) -> list[str]:
    """Command line of a peer in Debian's own interpreter, which has the bindings of GStreamer."""
    return ["/usr/bin/python3", "-m", f"benchmarks.peers.{name}", *map(str, args)]


class Child:
    """A process that speaks JSON lines.

    Args:
        command: its command line.
        missing: what to say when it ends before it spoke: the packages it needs.
        quiet: whether its stderr is dropped.
    """

    def __init__(self, command: list[str], *, missing: str = "", quiet: bool = True) -> None:
        self._command = command
        self._missing = missing
        self._quiet = quiet and "BENCH_LOUD" not in os.environ
        self._process: asyncio.subprocess.Process | None = None
        self.root = 0
        """Process whose tree is measured."""

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL if self._quiet else None,
            cwd=PEERS.parent.parent,
            limit=1 << 26,
        )
        self.root = self._process.pid
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(10 if kind is None else 2):
                await process.wait()
        except TimeoutError:
            for pid in reversed(tree(process.pid)):
                _kill(pid)
            await process.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    def tell(self, **what: object) -> None:
        """Send a line."""
        stdin = self._running.stdin
        assert stdin is not None
        stdin.write(json.dumps(what).encode() + b"\n")

    async def hear(self, key: str) -> dict[str, object]:
        """Return the next line that has `key`; others are dropped."""
        stdout = self._running.stdout
        assert stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            while line := await stdout.readline():
                said: dict[str, object] = json.loads(line)
                if "missing" in said:
                    raise MissingPeerError(str(said["missing"]))
                if key in said:
                    return said
        raise MissingPeerError(f"{' '.join(self._command[:3])} ended early. {self._missing}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process tree used in a window."""

    cpu: float
    """Per cent of one core."""
    memory_mb: float
    """PSS at the end of it."""
    wake_ups: float
    """How often a second its threads went to sleep of their own will, and so were woken: what most of the CPU is."""


class Window:
    """Measures a process tree from its making until `end`: CPU of all threads, wake-ups of those that are there."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._began = time.monotonic()
        self._before = _cpu_times(root)
        self._slept = _wake_ups(root)

    def end(self) -> Usage:
        """Return what was used since the beginning."""
        now = _cpu_times(self._root)
        passed = time.monotonic() - self._began
        used = sum(seconds - self._before.get(pid, 0.0) for pid, seconds in now.items())
        woken = sum(count - self._slept.get(thread, 0) for thread, count in _wake_ups(self._root).items())
        return Usage(cpu=100 * used / passed, memory_mb=memory_mb(self._root), wake_ups=woken / passed)


def tree(root: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def memory_mb(root: int) -> float:
    """Return the proportional set size of a process tree, MB."""
    total = 0
    for pid in tree(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1000


def _cpu_times(root: int) -> dict[int, float]:
    """CPU seconds of each process, user and system: what /proc/PID/stat has, to the nanosecond."""
    times: dict[int, float] = {}
    for pid in tree(root):
        try:
            times[pid] = time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED of a process, see clock_getcpuclockid(3)
        except OSError:
            continue
    return times


def _wake_ups(root: int) -> dict[str, int]:
    """Voluntary context switches of each thread."""
    counts: dict[str, int] = {}
    for pid in tree(root):
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                continue
            counts[status.parent.name] = next(
                (int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")), 0
            )
    return counts


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


# The children's side


def say(**what: object) -> None:
    """Send a line to the benchmark."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def read_commands() -> AsyncIterator[asyncio.StreamReader]:
    """Open standard input as a stream; ends with the benchmark."""
    reader = asyncio.StreamReader(limit=1 << 26)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        yield reader
    finally:
        transport.close()


async def read_answers(reader: asyncio.StreamReader, calls: Iterable[int]) -> dict[int, str]:
    """Read one answer a call."""
    answers: dict[int, str] = {}
    for _ in calls:
        said = json.loads(await reader.readline())
        answers[said["call"]] = said["answer"]
    return answers
