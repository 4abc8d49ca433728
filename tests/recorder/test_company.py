"""People tell a recorder what to do, and are answered: a node that takes its time for answers delays nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

import pexrtc_py
from pexrtc_py import Conference, Node, Recorded, Recording
from pexrtc_py.node.node_state import NodeState
from tests.recorder.beacon import beacon, job_of

ALICE = "meet.alice"


class Hold:
    """Holds what a recorder says as a node that is busy would, until told."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.held = asyncio.Event()
        self.said: list[str] = []

    def add(self, app: web.Application, state: NodeState) -> None:
        """See `Node`: `add_pages`."""

        @web.middleware
        async def hold(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if request.path.endswith("/message"):
                text = (await request.json())["payload"]
                if not text.startswith("!"):
                    self.said.append(text)
                    self.held.set()
                    await self.over.wait()
            return await handler(request)

        app.middlewares.append(hold)


@pytest.mark.parametrize("notice", [None, "This meeting is recorded"], ids=["answers", "notice"])
async def test_a_node_that_is_slow_to_take_answers(tmp_path: Path, notice: str | None) -> None:
    """What a Host says next is obeyed at once: it was read when the node had taken the answer to what was said before,
    a minute later perhaps, and nobody looked after the call while the notice was being given."""
    hold, began = Hold(), asyncio.Event()
    recordings: list[Recording] = []
    done: list[Recorded] = []

    def note(recording: Recording, conference: Conference) -> None:
        recordings.append(recording)
        began.set()

    async def record(node: Node) -> None:
        job = job_of(node.url, tmp_path / "talk.mkv", chat_control=True, notice=notice)
        done.append(await pexrtc_py.record(job, on_recording=note))

    async with (
        asyncio.timeout(20),
        Node(add_pages=hold.add) as node,
        beacon(node.url, ALICE),
        pexrtc_py.connect(node.url, ALICE, display_name="Host") as host,
        asyncio.TaskGroup() as group,
    ):
        try:
            recording = group.create_task(record(node))
            await began.wait()
            while not recordings[0].position() > 0.3:  # noqa: ASYNC110 - nobody tells of each frame
                await asyncio.sleep(0.02)
            await host.say("!pause")
            await hold.held.wait()
            await host.say("!resume")
            await host.say("!stop")
            async with asyncio.timeout(3):
                await recording
        finally:
            hold.over.set()
    assert done[0].result.ended == "stopped"
    assert hold.said[0] == (notice or "Recording: pause")


async def test_answers_come_in_order(tmp_path: Path) -> None:
    """Each command has its answer, one after the other."""
    hold, began = Hold(), asyncio.Event()
    hold.over.set()

    def note(recording: Recording, conference: Conference) -> None:
        began.set()

    async with (
        asyncio.timeout(20),
        Node(add_pages=hold.add) as node,
        beacon(node.url, ALICE),
        pexrtc_py.connect(node.url, ALICE, display_name="Host") as host,
        asyncio.TaskGroup() as group,
    ):
        job = job_of(node.url, tmp_path / "talk.mkv", chat_control=True)
        recording = group.create_task(pexrtc_py.record(job, on_recording=note))
        await began.wait()
        for command in ("!pause", "!resume", "!pause", "!resume", "!stop"):
            await host.say(command)
        await recording
    assert hold.said == [f"Recording: {word}" for word in ("pause", "resume", "pause", "resume", "stop")]
