"""Programs beside a test: started, waited for, and gone when its block is left."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

__all__ = ["free_port", "line_with", "program", "until_answers"]


@asynccontextmanager
async def program(
    *words: str,
    stdin: int | None = DEVNULL,
    stdout: int | None = DEVNULL,
    stderr: int | None = DEVNULL,
    env: dict[str, str] | None = None,
) -> AsyncIterator[Process]:
    """Run a program; what still runs at the end of the block is killed.

    Args:
        words: the program and its arguments.
        stdin: as `asyncio.create_subprocess_exec` has it, like the next two.
        stdout: likewise.
        stderr: likewise.
        env: what its environment has besides ours.
    """
    process = await asyncio.create_subprocess_exec(
        *words, stdin=stdin, stdout=stdout, stderr=stderr, env={**os.environ, **(env or {})}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.communicate()


async def line_with(stream: asyncio.StreamReader | None, pattern: str, *, within_s: float = 30.0) -> re.Match[str]:
    """Wait until a program has said a line that has a pattern; return the match. It fails with what it said instead."""
    assert stream is not None
    said = ""
    async with asyncio.timeout(within_s):
        while True:
            line = (await stream.readline()).decode()
            assert line, f"it ended, without {pattern}: {said}"
            if match := re.search(pattern, line):
                return match
            said += line


def free_port() -> int:
    """Return a TCP port that is free just now, for programs that cannot be asked for one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_answers(port: int) -> None:
    """Wait until somebody listens on a port."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return
