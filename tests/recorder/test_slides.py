"""Receiving a presentation for as long as it is shown, whatever the node does with its calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pexrtc_py.endpoint.conference import connect
from pexrtc_py.media.frames import Codec
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.slides import SlidesReceiver
from pexrtc_py.tasks import task_owner
from pexrtc_py.webrtc.peer import PeerConfig
from tests.support.waiting import until


async def stills() -> AsyncIterator[bytes]:
    """One picture, shown for ever."""
    yield b"\xff\xd8\xff\xe0picture\xff\xd9"
    await asyncio.Event().wait()


@pytest.mark.slow
async def test_a_node_that_ends_each_call_is_not_called_without_a_pause(tmp_path: Path) -> None:
    """It was called again in the same moment, some forty times a second and bot."""
    calls: set[str] = set()
    async with (
        Node(NodeConfig(open=True)) as node,
        task_owner() as tasks,
        connect(node.url, "meet.a", display_name="Ann") as ann,
        connect(node.url, "meet.a", display_name="Recorder") as bot,
        Recording(RecordingConfig(path=tmp_path / "talk.mkv")) as recording,
        SlidesReceiver(recording, bot, codecs=[Codec.VP8], peer=PeerConfig()) as slides,
    ):
        showing = tasks.start(ann.present_pictures(stills()), name="presentation")
        await bot.session.wait_for(lambda _: bot.presentation is not None)
        conference = node.state.conferences["meet.a"]

        async def end_each() -> None:
            while True:
                for call in [c for c in bot._calls if c.uuid and c.uuid not in calls]:
                    await call.connected()
                    calls.add(call.uuid)
                    conference.end_call(bot.participant_uuid, call.uuid, reason="not now")
                await asyncio.sleep(0.005)

        ending = tasks.start(end_each(), name="end each")
        slides.start()
        await until(lambda: len(calls) >= 2)
        await asyncio.sleep(1)  # the time that is measured
        ending.cancel()
        showing.cancel()
    assert 2 <= len(calls) <= 4, "after a quarter of a second at least, then half, then one"
