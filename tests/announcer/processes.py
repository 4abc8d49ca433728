"""A node and an announcer as processes of their own: `python -m tests.announcer.processes URL ALIAS CLIP LOOP [SLIDE]`.

What a recording shows of time is a measurement of whoever made it only when nobody holds the others up: in one event
loop each waits for what the others do. The announcer says `ready`, begins when it is told a line, says when it plays,
and at last what was played.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

import pexrtc_py
from pexrtc_py import Codec, Kind
from tests.support.programs import program

__all__ = ["AnnouncerProcess", "Outcome", "announcer_process", "node_process"]

_PEXRTC = "from pexrtc_py.cli.app import main; main()"
_START_S = 60.0
_PLAY_S = 60.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of an announcement."""

    ended: str
    codecs: dict[Kind, Codec]


class AnnouncerProcess:
    """An announcer that waits for `begin`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def begin(self) -> None:
        """Join and play; returns when it plays."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"begin\n")
        assert await self._line() == b"playing"

    async def finished(self) -> Outcome:
        """Wait until it has played; return what became of it."""
        return msgspec.json.decode(await self._line(), type=Outcome)

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(_PLAY_S):
            return (await self._process.stdout.readline()).strip()


@asynccontextmanager
async def node_process() -> AsyncIterator[str]:
    """Run `pexrtc node` until the block is left; yields its URL."""
    words = ("-c", _PEXRTC, "node", "--listen", "127.0.0.1:0", "--quiet")
    async with program(sys.executable, *words, stdout=PIPE, stderr=None) as process:
        assert process.stdout is not None
        async with asyncio.timeout(_START_S):
            yield (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def announcer_process(
    url: str, alias: str, clip: Path, *, loop: int = 1, slide: Path | None = None
) -> AsyncIterator[AnnouncerProcess]:
    """Run an announcer of a file, not held, with a slide as presentation if there is one."""
    words = (url, alias, str(clip), str(loop), *([str(slide)] if slide is not None else []))
    async with program(sys.executable, "-m", __name__, *words, stdin=PIPE, stdout=PIPE, stderr=None) as process:
        assert process.stdout is not None
        async with asyncio.timeout(_START_S):
            assert await process.stdout.readline() == b"ready\n"
        yield AnnouncerProcess(process)


async def _announce(url: str, alias: str, clip: str, loop: str, *slide: str) -> None:
    main = pexrtc_py.announcement_of_files([Path(clip)], loop=int(loop), hold=False)
    slides = pexrtc_py.presentation_of(Path(slide[0])) if slide else None
    _say(b"ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with pexrtc_py.connect(url, alias, display_name="Announcer") as conference:
        if slides is None:
            played = await pexrtc_py.play(conference, main, on_player=lambda player: _say(b"playing"))
        else:
            played = await pexrtc_py.play_with_slides(
                conference, main, slides, on_player=lambda player: _say(b"playing")
            )
        await asyncio.sleep(0.5)  # what is still on its way through the mix
    _say(msgspec.json.encode(Outcome(ended=played.ended, codecs=played.codecs)))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_announce(*sys.argv[1:]))
