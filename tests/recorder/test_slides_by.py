"""How a presentation comes to a recorder: by a line of its call, or by a call of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest
from msgspec import structs

import pexrtc_py
from pexrtc_py import CallConfig, Codec, Direction, Node, Present, Role
from pexrtc_py.endpoint.presentation import PresentationWay, presentation_way
from pexrtc_py.node.config import NodeConfig
from tests.recorder.beacon import ALICE, beacon, job_of
from tests.support.frames import vp8_frames
from tests.support.running_recorder import Running, running
from tests.support.waiting import until


async def present(node: Node, one: Running, count: int) -> int:
    """Show so many pictures, each a key frame; return how many calls the recorder has meanwhile."""
    call_config = CallConfig(audio=Direction.INACTIVE, present=Present.SEND, video_codecs=(Codec.VP8,))
    async with pexrtc_py.connect(node.url, ALICE) as conference, conference.call(call_config) as call:
        await call.connected()
        assert call.video is not None
        assert call.video.sender is not None
        assert one.recording is not None
        [frame] = vp8_frames(1)
        for number in range(count):
            at = number / 20
            call.video.sender.push(structs.replace(frame, rtp_time=round(at * 90000), time=at))
            await asyncio.sleep(0.05)
        assert one.recording.watch.heard_at(Role.SLIDES) is not None
        assert one.conference is not None
        return len(one.conference._calls)


def picture_times(path: Path) -> list[float]:
    """When each picture of a file is shown."""
    with av.open(path) as container:
        return [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "calls"), [(PresentationWay.LINE, 1), (PresentationWay.CALL, 2)])
async def test_each_presentation_is_recorded(way: PresentationWay, calls: int, tmp_path: Path) -> None:
    """Two, one after the other, on the clock of the main recording; between them there is nothing."""
    async with Node() as node, beacon(node.url, ALICE):
        job = replace(job_of(node.url, tmp_path / "talk.mkv"), slides_by=way)
        async with running(job) as one:
            await one.played(0.3)
            assert one.conference is not None
            for _ in range(2):
                assert await present(node, one, 30) == calls
                await until(lambda: one.conference is not None and one.conference.presentation is None)
                await one.played(1.0)
                assert len(one.conference._calls) == 1
    assert one.recorded is not None
    assert one.recorded.interruptions == ()
    result = one.recorded.result
    assert result.files == (tmp_path / "talk.mkv", tmp_path / "talk.slides.mkv")
    times = picture_times(result.files[1])
    [change] = [n for n in range(1, len(times)) if times[n] - times[n - 1] > 0.9]
    first, second = times[:change], times[change:]
    assert 15 <= len(first) <= 30, "what is sent before the recorder has asked for it is not for it"
    assert 15 <= len(second) <= 30
    assert max(b - a for shown in (first, second) for a, b in pairwise(shown)) < 0.2
    assert second[-1] < result.duration_s


@pytest.mark.parametrize(
    ("version", "wanted", "way"),
    [
        ("37", PresentationWay.AUTO, PresentationWay.LINE),
        ("22", PresentationWay.AUTO, PresentationWay.CALL),
        ("37", PresentationWay.CALL, PresentationWay.CALL),
        ("22", PresentationWay.LINE, PresentationWay.LINE),
    ],
)
async def test_what_the_node_is_decides_unless_the_user_does(
    version: str, wanted: PresentationWay, way: PresentationWay
) -> None:
    """Releases from 23 on know `update`, by which a line is turned on."""
    async with Node(NodeConfig(version=version)) as node, pexrtc_py.connect(node.url, ALICE) as conference:
        assert presentation_way(conference.session, wanted) is way
