"""What commands that look tell of a node that falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec.structs import replace

from pexrtc_py.cli.attending import arrived, tell_outages
from pexrtc_py.cli.screen import Screen
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.models import Participant
from pexrtc_py.signalling import SessionConfig, open_session
from pexrtc_py.tasks import task_owner

from ..support.silent_media import SilentMediaMaker


class Told(Screen):
    """A screen that keeps what it was told."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.notes: asyncio.Queue[str] = asyncio.Queue()

    def note(self, text: str) -> None:
        self.notes.put_nowait(text)


@asynccontextmanager
async def way_to(url: str, port: int = 0) -> AsyncIterator[int]:
    """Pass connections on to a node while the block lasts; leaving it cuts them all."""
    there, open_ones = urlsplit(url), list[asyncio.StreamWriter]()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        open_ones.extend((writer, far_writer))
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()


async def test_a_node_that_falls_silent_is_told_of() -> None:
    """For minutes after its node had died, `events` said nothing, as if nothing happened there."""
    screen = Told()
    async with (
        asyncio.timeout(15),
        Node(NodeConfig(), media=SilentMediaMaker()) as node,
        AsyncExitStack() as joined,
        task_owner() as tasks,
    ):
        async with way_to(node.url) as port:
            config = SessionConfig(node_url=f"http://127.0.0.1:{port}", alias="meet.a", display_name="Observer")
            session = await joined.enter_async_context(open_session(config))
            await session.wait_for(lambda one: one.roster.synced)
            tasks.start(tell_outages(session, screen, moment_s=0.05), name="test outages")
            await asyncio.sleep(0)
        assert await screen.notes.get() == f"meet.a: no events come from http://127.0.0.1:{port}, trying again"
        async with way_to(node.url, port):
            assert await screen.notes.get() == "meet.a: events come again"
            await joined.aclose()


@pytest.mark.parametrize("seconds", [0.0, 1e18, -1e18, 1e300, float("inf"), float("nan")])
def test_a_time_that_there_cannot_be_is_none(seconds: float) -> None:
    """A node with another idea of seconds ended `roster` with a traceback."""
    person = msgspec.convert({"uuid": "a", "display_name": "Eve", "start_time": seconds}, Participant)
    assert arrived(person) == ""
    assert len(arrived(replace(person, start_time=1.7e9))) == len("23:59:59")
