"""Presentations by a line of the main call and by a call of their own, both ways, at one node."""

from __future__ import annotations

import asyncio

import pytest

import pexrtc_py
from pexrtc_py import CallConfig, Codec, Direction, Node, Present
from pexrtc_py.endpoint.presentation import receive_presentation, send_presentation
from tests.support.peers import KEY_FRAME, video
from tests.support.taps import Collector

MAIN = CallConfig(
    audio=Direction.SENDRECV, video=Direction.SENDRECV, slides=Direction.INACTIVE, video_codecs=(Codec.VP8,)
)


def own(present: Present) -> CallConfig:
    """The configuration of a call that is a presentation."""
    way = Direction.SENDONLY if present is Present.SEND else Direction.RECVONLY
    return CallConfig(audio=Direction.INACTIVE, video=way, present=present, video_codecs=(Codec.VP8,))


@pytest.mark.parametrize("sends_by_line", [True, False])
@pytest.mark.parametrize("receives_by_line", [True, False])
async def test_each_way_reaches_each_other(sends_by_line: bool, receives_by_line: bool) -> None:
    """What is presented by a line is seen by a line and by a call, and the reverse; twice, and nothing after it."""
    async with (
        Node() as node,
        pexrtc_py.connect(node.url, "meet.alice", display_name="Ann") as ann,
        pexrtc_py.connect(node.url, "meet.alice", display_name="Ben") as ben,
        ann.call(MAIN) as anns,
        ben.call(MAIN) as bens,
        asyncio.timeout(20),
    ):
        await anns.connected()
        await bens.connected()
        for first in (0, 100):
            async with send_presentation(ann, anns if sends_by_line else None, own(Present.SEND)) as sending:
                await sending.connected()
                await ben.session.wait_for(lambda _: ben.presentation is not None)
                main = bens if receives_by_line else None
                async with receive_presentation(ben, main, own(Present.RECEIVE)) as receiving:
                    await receiving.connected()
                    assert receiving.slides is not None
                    assert receiving.slides.receiver is not None
                    assert sending.slides is not None
                    assert sending.slides.sender is not None
                    seen = Collector()
                    receiving.slides.receiver.add_tap(seen)
                    number = first
                    while not seen.frames:
                        sending.slides.sender.push(video(number))
                        number += 1
                        await asyncio.sleep(1 / 30)
                    assert seen.frames[0].data == KEY_FRAME
                    receiving.slides.receiver.remove_tap(seen)
            await ben.session.wait_for(lambda _: ben.presentation is None)
            assert (anns.ended_reason, bens.ended_reason) == (None, None)
            assert anns.slides is not None
            assert bens.slides is not None
            assert anns.slides.direction is bens.slides.direction is Direction.INACTIVE
            assert len(ann._calls) == len(ben._calls) == 1
