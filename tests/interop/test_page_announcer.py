"""What an announcer presents beside its announcement, on the node's web page."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py import clip_path
from pexrtc_py.endpoint.presentation import PresentationWay
from pexrtc_py.node.server import Node
from pexrtc_py.tasks import task_owner
from tests.interop.visitor import Visit, alice_and_bob


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", [PresentationWay.LINE, PresentationWay.CALL])
async def test_slides_of_an_announcer_are_seen_and_end(node: Node, visit: Visit, way: PresentationWay) -> None:
    """Two people see what is presented by a line of the announcer's call, or by a call; with the words it ends."""
    async with asyncio.timeout(100):
        people = await alice_and_bob(visit)
        main = await asyncio.to_thread(pexrtc_py.announcement_of_files, [clip_path("motion.mkv")], loop=None)
        slides = await asyncio.to_thread(pexrtc_py.presentation_of, clip_path("motion.mkv"))
        async with pexrtc_py.connect(node.url, "meet.alice", display_name="Slides") as bot, task_owner() as tasks:
            tasks.start(pexrtc_py.play_with_slides(bot, main, slides, present_by=way), name="slides")
            for person in people:
                await person.until("document.querySelector('#presenter').textContent === 'Slides'")
                await person.sees_marks("#slides-video")
        for person in people:
            await person.until("document.querySelector('#slides-figure').hidden")
