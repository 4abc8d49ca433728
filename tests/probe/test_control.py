"""What is measured while something is presented, at our own node."""

from __future__ import annotations

import pytest

from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.media.marks_source import ReferenceConfig
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.running import RunConfig, probe_pair
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.peer import PeerConfig


@pytest.mark.slow
async def test_a_presentation_is_looked_at() -> None:
    """Slides have a rate, a size, a delay and a quality of their own, and the camera keeps its figures."""
    async with Node(NodeConfig()) as node:
        first, second = (
            EndConfig(
                session=SessionConfig(node_url=node.url, alias="meet.alice", display_name=name, call_tag=BOT_TAG),
                peer=PeerConfig(addresses=("127.0.0.1",)),
                reference=ReferenceConfig(width=320, height=180),
            )
            for name in ("Ann", "Bob")
        )
        result = await probe_pair(first, second, RunConfig(duration_s=1, control=True, media_timeout_s=5))
    assert result.error == ""
    slides = {s.metric: s.values for s in result.series if s.stream == "Ann → Bob presentation"}
    assert max(slides["presentation.height_px"]) == 360
    assert min(slides["presentation.psnr_db"]) > 30
    assert max(slides["presentation.fps"]) == pytest.approx(10, abs=2)
    assert 0 < max(slides["presentation.delay_ms"]) < 2000
    assert sum(slides["presentation.frames_lost"]) <= 3
    camera = next(s.values for s in result.series if (s.metric, s.stream) == ("video.height_px", "Ann → Bob"))
    assert set(camera) == {180}
