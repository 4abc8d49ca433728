"""The page beside a recording of many files in Chromium: a day of minutes has one player, and opens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from pexrtc_py import Codec
from pexrtc_py.protocol.events import ParticipantCreate, Stage, StageEntry
from pexrtc_py.protocol.models_base import ParticipantUuid
from pexrtc_py.protocol.models_participant import Participant
from pexrtc_py.recorder.file_series import SegmentRules
from pexrtc_py.recorder.manifest import make_manifest
from pexrtc_py.recorder.page import make_page
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.sidecars import Sidecars, sidecar_path
from pexrtc_py.recorder.story import Story, Stretch
from tests.interop.browser import Browser, Tab
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene

ALICE = ParticipantUuid("a")
LENGTH_S = 8
DAY = 1440
"""Segments of a minute."""


async def segments(path: Path) -> RecordingResult:
    """Record some seconds in files of two, somebody speaking in the third."""
    config = RecordingConfig(path=path, segments=SegmentRules(duration_s=2.0))
    scene = Scene(path, config)
    async with Sidecars(scene.recording, path) as sidecars:
        async with scene.recording:
            scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.VP8)
            sound = opus_frames(LENGTH_S * 50, start=START, ntp_offset=1e9)
            pictures = vp8_frames(LENGTH_S * 30, start=START, ntp_offset=1e9, width=640, height=360, key_interval=30)
            sidecars.note(ParticipantCreate(participant=Participant(uuid=ALICE, display_name="Alice")))
            for before, at_s in ((0.0, 4.5), (4.5, 5.5), (5.5, float(LENGTH_S))):
                await scene.play(
                    audio=[one for one in sound if before <= one.time - START < at_s],
                    video=[one for one in pictures if before <= one.time - START < at_s],
                )
                stage = [StageEntry(participant_uuid=ALICE, vad=100)] if at_s == 4.5 else []
                sidecars.note(Stage(entries=stage))
        await sidecars.write(scene.recording.result)
    return scene.recording.result


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """Serve a folder."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        async with asyncio.timeout(10):
            await runner.cleanup()


async def until(tab: Tab, expression: str) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(25):
        while not await tab.evaluate(expression):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


@pytest.mark.timeout(120)
async def test_one_player_goes_through_the_files(browser: Browser, tmp_path: Path) -> None:
    """It opens the file that a moment is in, goes on with the next, and shows who speaks there."""
    path = tmp_path / "talk.mkv"
    result = await segments(path)
    assert len(result.files) == 4
    async with served(tmp_path) as base:
        tab = await browser.tab(f"{base}/{sidecar_path(path, 'html').name}")
        await until(tab, "players[0].videoWidth === 640")
        assert await tab.evaluate("players.length") == 1
        assert await tab.evaluate("[players[0].number, players[0].textTracks[0].cues.length]") == [0, 0]
        await tab.evaluate("seek(4.6)")
        await until(tab, "players[0].currentTime > 0.7 && players[0].src.endsWith('talk.003.mkv')")
        assert await tab.evaluate("players[0].textTracks[0].cues.length") == 1
        await until(tab, "players[0].src.endsWith('talk.004.mkv') && players[0].currentTime > 0.3")
        await until(tab, "parseFloat(document.querySelector('#timeline .now')?.style.left ?? '90') > 75")
        assert tab.refused == []


@pytest.mark.timeout(120)
async def test_the_page_of_a_day_opens(browser: Browser, tmp_path: Path) -> None:
    """It had a player a minute, each with the subtitles of all the day: a browser did not come to its end."""
    one = await segments(tmp_path / "talk.mkv")
    streams = [
        replace(stream, file=tmp_path / f"talk.{number:03d}.mkv", file_start_s=60.0 * number)
        for number in range(1, DAY + 1)
        for stream in one.streams[:2]
    ]
    result = replace(one, files=tuple(stream.file for stream in streams[::2]), streams=tuple(streams), duration_s=86400)
    story = Story()
    story._speeches = [
        Stretch(participant_uuid="a", name=f"Person {number % 20}", start_s=2.0 * number, end_s=2.0 * number + 1.5)
        for number in range(43200)
    ]
    manifest = make_manifest(result, story, began_at=None, chapters=[], sums={}, about={})
    page = make_page(manifest)
    assert len(page) < 10_000_000
    (tmp_path / "day.html").write_bytes(page)
    async with served(tmp_path) as base:
        tab = await browser.tab(f"{base}/day.html")
        await until(tab, "document.querySelectorAll('.speaker').length === 43200 && players.length === 1")
        await tab.evaluate("seek(120.5)")
        await until(tab, "players[0].src.endsWith('talk.002.mkv')")
        assert await tab.evaluate("players[0].textTracks[0].cues.length") == 30
