"""The parent's end of a child that speaks RTMP (`media.rtmp_child`): started, talked to by pipes, ended.

Callbacks of asyncio's subprocess transport only, so no task has to be owned. The child ends when its standard input
does; `aclose` kills it, should it not have ended in two seconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from typing import cast

from ..media.frame_pipe import FramePipeReader, pack_item
from ..media.frames import EncodedFrame

__all__ = ["RtmpChild"]

logger = logging.getLogger(__name__)

# Bytes that wait for a child at most: seconds of a stream.
_MOST_WAITING = 2_000_000
_END_S = 2.0
_ERRORS_KEPT = 4000


class RtmpChild(asyncio.SubprocessProtocol):
    """One child. Use `start`, then `aclose`.

    Args:
        job: `listen` or `push`.
        url: where.
        detail: of the job, as the child has it.
        on_item: takes frames and messages of the child.
        on_end: told once that it has ended by itself, with what it said last; empty when it ended well.
    """

    def __init__(
        self,
        job: str,
        url: str,
        detail: str,
        *,
        on_item: Callable[[EncodedFrame | str], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._arguments = (job, detail)
        self._url = url
        self._on_item = on_item
        self._on_end = on_end
        self._reader = FramePipeReader()
        self._errors = b""
        self._process: asyncio.SubprocessTransport | None = None
        self._gone = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Start it. When cancelled it is killed.

        Raises:
            OSError: there is no room for another process.
        """
        loop = asyncio.get_running_loop()
        self._process, _ = await loop.subprocess_exec(
            lambda: self, sys.executable, "-m", "pexrtc_py.media.rtmp_child", *self._arguments
        )
        self.send(json.dumps(self._url).encode() + b"\n")  # not as an argument: the end of its path is a key

    def send(self, data: bytes) -> bool:
        """Write to its standard input; returns whether there was room for it."""
        pipe = (
            None
            if self._process is None
            else cast("asyncio.WriteTransport | None", self._process.get_pipe_transport(0))
        )
        if pipe is None or pipe.is_closing() or pipe.get_write_buffer_size() > _MOST_WAITING:
            return False
        pipe.write(data)
        return True

    def push(self, frame: EncodedFrame) -> bool:
        """Give it a frame; returns whether there was room for it."""
        return self.send(pack_item(frame))

    async def aclose(self) -> None:
        """End it and wait for that. Idempotent; when cancelled it is killed."""
        self._closing = True
        process = self._process
        if process is None:
            return
        try:
            if not self._gone.is_set():
                if pipe := process.get_pipe_transport(0):
                    pipe.close()
                try:
                    async with asyncio.timeout(_END_S):
                        await self._gone.wait()
                except TimeoutError:
                    process.kill()
                    await self._gone.wait()
        finally:
            process.close()  # kills what still lives

    # What the transport calls

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take what the child wrote."""
        if fd == 2:
            self._errors = (self._errors + data)[-_ERRORS_KEPT:]
        elif not self._closing:
            try:
                for item in self._reader.feed(data):
                    self._on_item(item)
            except ValueError:  # msgspec's errors are these too
                logger.exception("! rtmp child writes nonsense")
                if self._process is not None:
                    self._process.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the child has ended and all its pipes are closed."""
        self._gone.set()
        if self._closing or self._process is None:
            return
        status = self._process.get_returncode()
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        logger.debug("x rtmp child ended with %s: %s", status, lines)
        self._on_end("" if status == 0 else lines[-1] if lines else f"died with status {status}")
