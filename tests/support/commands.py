"""Commands of ours, run to their end: in a process of their own, or here where that would say the same.

A process takes a second of its own to load. It is for what is about processes: signals, pipes, how they begin and end.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from pexrtc_py.cli.app import main

from .programs import program

__all__ = ["Outcome", "command", "error_lines", "pexrtc", "pexrtc_here", "running", "start"]

_PROGRAM = "from pexrtc_py.cli import main; main()"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def error_lines(outcome: Outcome) -> list[str]:
    """The lines that say what went wrong; a traceback would be one too."""
    return [line for line in outcome.err.splitlines() if line.startswith(("error:", "Traceback"))]


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


@asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command; it is killed when the block left it running."""
    words, pipe = (sys.executable, "-c", _PROGRAM, *arguments), asyncio.subprocess.PIPE
    async with program(*words, stdout=pipe, stderr=pipe, env={"COLUMNS": "200"}) as process:
        yield process


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command until the block ends; what it says to people is not kept, so that it may run for hours."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def pexrtc(*arguments: str, **environment: str) -> Outcome:
    """Run a command to its end in a process."""
    process = await start(*arguments, **environment)
    out, err = await process.communicate()
    return Outcome(code=process.returncode or 0, out=out.decode(), err=err.decode())


def pexrtc_here(*arguments: str, **environment: str) -> Outcome:
    """Run a command to its end in this process, as its arguments and its environment would have it.

    It runs a loop of its own, so the test has none: a node lives in `background`.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["pexrtc", *arguments])
        for name, value in {"COLUMNS": "200", **environment}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main()
    code = left.value.code
    return Outcome(
        code=code if isinstance(code, int) else int(code is not None), out=out.getvalue(), err=err.getvalue()
    )
