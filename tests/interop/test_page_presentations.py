"""Presentations on the node's web page: seen, shared, lost to another, and ended."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Direction, Present, VideoDecoder, clip_path
from pexrtc_py.node.server import Node
from pexrtc_py.tasks import task_owner
from tests.interop.visitor import Visit, alice_and_bob, watcher


@pytest.mark.timeout(120)
async def test_presentations_both_ways(node: Node, visit: Visit) -> None:
    """One person sees the slides of another, who loses the floor to a bot and sees what it presents."""
    async with asyncio.timeout(100):
        alice, bob = await alice_and_bob(visit)
        await alice.people("Alice", "Bob")
        await alice.press("Share")
        await bob.until("!document.querySelector('#slides-figure').hidden")
        await bob.until("document.querySelector('#presenter').textContent === 'Alice'")
        await bob.until("document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames > 3")
        slides = await asyncio.to_thread(pexrtc_py.presentation_of, clip_path("motion.mkv"))
        async with pexrtc_py.connect(node.url, "meet.alice", display_name="Slides") as bot, task_owner() as tasks:
            tasks.start(pexrtc_py.play(bot, slides), name="slides")
            for person in (alice, bob):
                await person.until("document.querySelector('#presenter').textContent === 'Slides'")
                await person.sees_marks("#slides-video")
                await person.fits()
            assert await alice.evaluate("document.querySelector('#share').ariaPressed") == "false"
        for person in (alice, bob):
            await person.until("document.querySelector('#slides-figure').hidden")


@pytest.mark.timeout(120)
async def test_sharing_begins_and_ends(node: Node, visit: Visit) -> None:
    """What a person shares is seen by another and by a bot until the button is pressed again, and again afterwards."""
    async with asyncio.timeout(100), watcher(node, "Watch") as (ours, _):
        alice, bob = await alice_and_bob(visit)
        await alice.people("Alice", "Bob", "Watch")
        for _ in range(2):
            await alice.press("Share")
            await alice.until("document.querySelector('#share').ariaPressed === 'true'")
            await ours.session.wait_for(lambda s: s.roster.presentation is not None)
            assert ours.presentation.presenter_name == "Alice"
            await bob.until("!document.querySelector('#slides-figure').hidden")
            assert await bob.evaluate("document.querySelector('#presenter').textContent") == "Alice"
            await bob.until("document.querySelector('#roster').textContent.includes('Presents')")
            slides = CallConfig(audio=Direction.INACTIVE, video=Direction.RECVONLY, present=Present.RECEIVE)
            async with ours.call(slides) as call:
                assert call.video is not None
                assert call.video.receiver is not None
                ask = call.video.receiver.request_key_frame
                async with VideoDecoder(request_key_frame=ask) as decoder:
                    call.video.receiver.add_tap(decoder)
                    picture = await anext(aiter(decoder.pictures()))
                    assert picture.frame.width >= 320
            shown = await bob.evaluate(
                "document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames"
            )
            await bob.until(
                f"document.querySelector('#slides-video').getVideoPlaybackQuality().totalVideoFrames > {shown} + 3"
            )
            await alice.press("Share")
            await bob.until("document.querySelector('#slides-figure').hidden")
            await ours.session.wait_for(lambda s: s.roster.presentation is None)
            assert await alice.evaluate("document.querySelector('#share').ariaPressed") == "false"
            await bob.until("!document.querySelector('#roster').textContent.includes('Presents')")
