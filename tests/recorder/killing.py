"""Recorders as processes, and what a kill costs them, measured exactly.

The events beside a recording carry its clock and the wall clock, so of a file that was cut off it is known at which
second of it the kill came.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import av

from pexrtc_py import Conference
from pexrtc_py.media.writers.target import part_path
from tests.support.waiting import until

__all__ = ["Killed", "Process", "kill_when", "start_recorder"]


@dataclass
class Process:
    """A recorder that runs."""

    process: asyncio.subprocess.Process
    path: Path

    async def result(self) -> tuple[int, dict[str, object], list[str]]:
        """Wait for its end: exit code, what it printed for programs, and its errors."""
        out, err = await self.process.communicate()
        errors = [line for line in err.decode().splitlines() if line.startswith(("error:", "Traceback"))]
        return self.process.returncode or 0, json.loads(out or b"{}"), errors

    async def recorded(self, seconds: float) -> None:
        """Wait until its file is there and so long has gone."""
        part = part_path(self.path)
        await until(lambda: part.exists() and part.stat().st_size > 2000, within_s=100, every_s=0.05)
        await asyncio.sleep(seconds)


async def start_recorder(
    node_url: str, alias: str, path: Path, *options: str, file_limit: int | None = None
) -> Process:
    """Start `pexrtc record`.

    Args:
        node_url: where.
        alias: what.
        path: where to.
        options: more of them.
        file_limit: bytes that a file of the process may have.
    """

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    arguments = ["record", "--node", node_url, alias, "-o", str(path), "--json", *options]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from pexrtc_py.cli import main; main()",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "400"},
        preexec_fn=limit if file_limit is not None else None,
    )
    return Process(process, path)


@dataclass(frozen=True)
class Killed:
    """What a kill left."""

    path: Path
    """The file."""
    length_s: float
    """Second of the recording at which the kill came."""
    lost_s: dict[str, float]
    """Seconds that are missing at the end of each stream."""
    decoded: int
    """Frames that a player shows and plays."""
    heard_s: float
    """Seconds of sound among them."""


async def kill_when(recorder: Process, host: Conference, after_s: float) -> Killed:
    """Kill a recorder some time after its first frames; `host`, who is in its conference, says something before."""
    try:
        await recorder.recorded(0.2)
        await host.say("what time is it")
        await asyncio.sleep(after_s)
    finally:
        killed_at = time.time()
        recorder.process.kill()
        await recorder.process.communicate()
    return await asyncio.to_thread(_read, recorder.path, killed_at)


def _read(path: Path, killed_at: float) -> Killed:
    said = [
        event
        for line in path.with_name(f"{path.stem}.events.jsonl").read_text().splitlines()
        if (event := json.loads(line))["event"] == "message_received"
    ][-1]
    length_s = said["at_s"] + killed_at - datetime.fromisoformat(said["time"]).timestamp()
    left = part_path(path)
    ends: dict[str, float] = {}
    decoded, heard_s = 0, 0.0
    with av.open(left) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[packet.stream.type] = max(ends.get(packet.stream.type, 0.0), end)
                frames = packet.decode()
                decoded += len(frames)
                heard_s += sum(
                    frame.samples / frame.sample_rate for frame in frames if isinstance(frame, av.AudioFrame)
                )
    return Killed(left, length_s, {kind: length_s - end for kind, end in sorted(ends.items())}, decoded, heard_s)
