"""`pexrtc run` as a process, watched the way an operator does: by its status over HTTP."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ..support.programs import line_with, program

__all__ = ["FleetProcess", "run_fleet_process"]


@dataclass
class FleetProcess:
    """A fleet that runs."""

    process: asyncio.subprocess.Process
    url: str

    async def get(self, path: str) -> httpx.Response:
        """Read one of its pages."""
        async with httpx.AsyncClient() as http:
            return await http.get(self.url + path)

    async def until(self, condition: Callable[[dict[str, Any]], object], *, within_s: float) -> dict[str, Any]:
        """Read the status again and again until it is as wanted."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within_s), httpx.AsyncClient() as http:
                while True:
                    status = (await http.get(self.url + "/status")).json()
                    if condition(status):
                        return status
                    await asyncio.sleep(0.1)
        except TimeoutError:
            counts = Counter((job["state"], job["reason"]) for job in status.get("jobs", ()))
            raise AssertionError(f"not within {within_s} s: {dict(counts)}") from None


@asynccontextmanager
async def run_fleet_process(jobs: Path, *arguments: str) -> AsyncIterator[FleetProcess]:
    """Start it, and kill it at the end if it still runs."""
    words = ("-c", "from pexrtc_py.cli import main; main()", "run", str(jobs), "--metrics", "127.0.0.1:0", *arguments)
    async with program(sys.executable, *words, stdin=None, stdout=None, stderr=PIPE) as process:
        url = (await line_with(process.stderr, r"(http://[\d.:]+)/metrics", within_s=20))[1]
        assert process.stderr is not None
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(_pass_on(process.stderr))
            try:
                yield FleetProcess(process, url)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
                draining.cancel()


async def _pass_on(stream: asyncio.StreamReader) -> None:
    """Show what it says in the test's output."""
    while line := await stream.readline():
        sys.stderr.write(line.decode())
