"""Peers of interop tests that are processes: each prints its offer, reads the answer, and tells what comes.

A line of JSON each way: `{"sdp": offer}` out, `{"sdp": answer}` in, then whatever it decodes. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pexrtc_py import SessionConfig
from pexrtc_py.protocol.models import CallKind, CallRequest
from pexrtc_py.signalling import open_session

__all__ = ["ChildPeer", "child_peer"]

_ROOT = Path(__file__).parents[2]
_LONGEST_LINE = 8 * 1024 * 1024


class ChildPeer:
    """A running peer."""

    def __init__(self, write: asyncio.StreamWriter, read: asyncio.StreamReader, what_it_needs: str) -> None:
        self._write = write
        self._read = read
        self._what_it_needs = what_it_needs

    async def tells(self, key: str) -> Any:
        """Return the value of the next line that has a key."""
        while line := await self._read.readline():
            said = json.loads(line)
            if key in said:
                return said[key]
        pytest.fail(f"the peer has ended; is it installed? It needs {self._what_it_needs}")

    def answer(self, sdp: str) -> None:
        """Give it the answer."""
        self._write.write(json.dumps({"sdp": sdp}).encode() + b"\n")

    @asynccontextmanager
    async def joined(self, node_url: str, alias: str, name: str) -> AsyncIterator[str]:
        """Be a participant of a conference on its behalf until the block is left; yields its offer."""
        config = SessionConfig(node_url=node_url, alias=alias, display_name=name)
        async with open_session(config) as session:
            offer: str = await self.tells("sdp")
            me = session.participant_uuid
            call = await session.client.participant_calls(me, CallRequest(call_type=CallKind.WEBRTC, sdp=offer))
            assert isinstance(call.sdp, str)
            self.answer(call.sdp)
            await session.client.call_ack(me, call.call_uuid)
            yield offer


@asynccontextmanager
async def child_peer(*command: str, needs: str) -> AsyncIterator[ChildPeer]:
    """Run a peer until the block is left; `needs` says what to install when it does not run."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT,
        limit=_LONGEST_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield ChildPeer(process.stdin, process.stdout, needs)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                while await process.stdout.read(1 << 16):
                    pass
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
