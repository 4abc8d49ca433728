"""The door to the queue, where it meets requests that nobody means well."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from pexrtc_py.service.queue_door import QueueDoor, QueueRequest, QueueStatus


class NoQueue:
    """A queue that takes nothing."""

    def add(self, request: QueueRequest) -> list[str]:
        raise AssertionError(f"{request} was never sent whole")

    def status(self) -> QueueStatus:
        return QueueStatus(playing=[], waiting=[])

    def remove(self, item_id: str) -> bool:
        del item_id
        return False

    def skip(self) -> bool:
        return False

    def stop(self) -> None:
        pass


async def test_a_request_that_stalls_does_not_hold_the_end() -> None:
    """One whose body never comes once held Ctrl-C for a minute."""
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(QueueDoor(NoQueue(), token="secret"))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
        head = b"POST /announcements HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: 9\r\n"
        writer.write(head + b"Expect: 100-continue\r\n\r\n")
        async with asyncio.timeout(5):
            assert b"100" in await reader.readline(), "the handler waits for the body"
            await stack.aclose()
        writer.close()
