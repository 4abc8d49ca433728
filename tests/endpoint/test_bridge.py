"""Two nodes, one dialled by the other: who is in one is heard in the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, RecordingConfig, RecordJob, SessionConfig
from pexrtc_py.cli.dialling import dial
from pexrtc_py.media.clip_comparison import compare_with_clip
from pexrtc_py.protocol.models import DialRequest, Role

CLIP = pexrtc_py.clip_path("motion.mkv")


@pytest.mark.slow
async def test_a_dialled_conference_hears_and_sees_the_other(tmp_path: Path) -> None:
    """A clip played in the dialling conference is recorded, whole, in the dialled one on another node."""
    joined, over = asyncio.Event(), asyncio.Event()
    async with Node(dial=dial) as near, Node() as far, asyncio.TaskGroup() as group:
        job = RecordJob(
            session=SessionConfig(node_url=far.url, alias="far.room", display_name="Recorder"),
            recording=RecordingConfig(path=tmp_path / "far.mkv"),
        )
        recording = group.create_task(
            pexrtc_py.record(job, stopping=over.wait, on_recording=lambda recording, conference: joined.set())
        )
        await joined.wait()
        async with pexrtc_py.connect(near.url, "near.room", display_name="Host") as host:
            request = DialRequest(role=Role.GUEST, destination=f"{far.url}/far.room", protocol="auto")
            [called] = await host.client.dial(request)
            await host.session.wait_for(
                lambda session: called in session.roster.participants and session.roster.participants[called].has_media
            )
            played = await pexrtc_py.play(host, pexrtc_py.announcement_of_files([CLIP], hold=False))
            await asyncio.sleep(0.5)  # what is still on its way through two mixes
        over.set()
    assert played.ended == "finished"
    result = recording.result().result
    assert result.file is not None
    came_out = await asyncio.to_thread(compare_with_clip, result.file, CLIP)
    assert came_out.sound is not None
    assert came_out.sound.heard == 1.0
    assert came_out.pictures.seen >= 60, "the first second may be gone until the key frame after the bridge"
    assert abs(came_out.av_offset_s) < 0.06
