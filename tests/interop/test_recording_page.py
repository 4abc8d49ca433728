"""The page beside a recording in Chromium: it plays, it names who speaks, and the names of strangers stay text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from pexrtc_py import Codec
from pexrtc_py.protocol.events import Event, MessageReceived, ParticipantCreate, PresentationStart, Stage, StageEntry
from pexrtc_py.protocol.models import ParticipantRole
from pexrtc_py.protocol.models_base import ParticipantUuid
from pexrtc_py.protocol.models_participant import Participant
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.sidecars import Sidecars, sidecar_path
from tests.interop.browser import Browser, Tab
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene

ALICE, MALLORY = ParticipantUuid("a"), ParticipantUuid("m")
HOSTILE = "</script><img src=x onerror=window.broken=1><b>Mallory</b> --> & \u202eevil"
LENGTH_S = 6
EVENTS: list[tuple[float, Event]] = [
    (0.1, ParticipantCreate(participant=Participant(uuid=ALICE, display_name="Alice", role=ParticipantRole.CHAIR))),
    (0.2, ParticipantCreate(participant=Participant(uuid=MALLORY, display_name=HOSTILE, role=ParticipantRole.GUEST))),
    (0.5, Stage(entries=[StageEntry(participant_uuid=MALLORY, vad=100)])),
    (2.5, Stage(entries=[StageEntry(participant_uuid=ALICE, vad=100)])),
    (3.0, MessageReceived(origin=HOSTILE, uuid=MALLORY, payload="<script>window.broken=2</script>\n\nhello")),
    (4.0, PresentationStart(presenter_name=HOSTILE, presenter_uri="sip:m@example.com", presenter_uuid=MALLORY)),
]
TRACK = """
<!DOCTYPE html><link rel="icon" href="data:,"><video src="talk.mkv" preload="auto">
<track kind="subtitles" src="talk.speakers.vtt" default><track kind="subtitles" src="talk.chat.vtt"></video>
"""


async def make_recording(path: Path) -> None:
    """Record sound and picture with what happened beside."""
    scene = Scene(path)
    async with Sidecars(scene.recording, path) as sidecars:
        async with scene.recording:
            scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.VP8)
            sound = opus_frames(LENGTH_S * 50, start=START, ntp_offset=1e9)
            pictures = vp8_frames(LENGTH_S * 30, start=START, ntp_offset=1e9, width=640, height=360, key_interval=30)
            before = 0.0
            for at_s, event in [*EVENTS, (float(LENGTH_S), None)]:
                await scene.play(
                    audio=[one for one in sound if before <= one.time - START < at_s],
                    video=[one for one in pictures if before <= one.time - START < at_s],
                )
                before = at_s
                if event is not None:
                    sidecars.note(event)
        await sidecars.write(scene.recording.result, {"alias": f"meet.alice {HOSTILE}"})


@pytest.mark.timeout(120)
async def test_the_page_plays_and_tells(browser: Browser, tmp_path: Path) -> None:
    """Video plays, speakers are subtitles, timeline and chapters lead to their moments, nothing is complained of."""
    path = tmp_path / "talk.mkv"
    await make_recording(path)
    app = web.Application()
    app.router.add_get("/track.html", _track_page)
    app.router.add_get("/favicon.ico", _nothing)
    app.router.add_static("/", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        tab = await browser.tab(f"{base}/{sidecar_path(path, 'html').name}")
        await until(tab, "players[0].readyState >= 1 && players[0].videoWidth === 640")
        assert await tab.evaluate("[players[0].duration > 5.5, players.length]") == [True, 1]
        # A chapter leads to its moment, and it plays from there.
        chapters = await tab.evaluate("[...document.querySelectorAll('#chapters span')].map(one => one.textContent)")
        assert chapters == [HOSTILE, f"Presentation: {HOSTILE}"]
        await tab.evaluate("document.querySelectorAll('#chapters button')[1].click()")
        await until(tab, "players[0].currentTime > 4.2 && !players[0].error")
        await until(tab, "parseFloat(document.querySelector('.now').style.left) > 70")
        # Who speaks is a subtitle, as the name was given.
        await tab.evaluate("players[0].pause(), players[0].currentTime = 1.0")
        await until(tab, "players[0].textTracks[0].activeCues?.[0]?.startTime < 1")
        cue = "players[0].textTracks[0].activeCues[0].getCueAsHTML()"
        assert await tab.evaluate(f"{cue}.textContent") == HOSTILE
        assert await tab.evaluate(f"{cue}.childElementCount") == 0
        rows = await tab.evaluate("[...document.querySelectorAll('.row .name')].map(one => one.textContent)")
        assert rows == [HOSTILE, "Alice", "presentation"]
        assert await tab.evaluate("document.querySelectorAll('img, #chat script').length") == 0
        assert await tab.evaluate("window.broken === undefined")
        assert "hello" in await tab.evaluate("document.getElementById('chat').textContent")
        # A name that turns the direction of writing does not turn what follows it: its role stands to its right.
        left = "document.querySelectorAll('#people bdi')[1].getClientRects()[0].left"
        role = "document.querySelectorAll('#people span')[1]"
        assert await tab.evaluate(f"{role}.textContent") == " (guest)"
        assert await tab.evaluate(f"getComputedStyle({role}).unicodeBidi") == "isolate"
        assert await tab.evaluate(f"{role}.getBoundingClientRect().right > {left}")
        await tab.screenshot(tmp_path / "page.png")
        assert tab.complaints == []
        assert tab.refused == []
        # A player of somebody else's loads the subtitles beside it.
        tab = await browser.tab(f"{base}/track.html")
        cues = (
            "[...document.querySelector('video').textTracks].map(track => (track.mode = 'showing', track.cues?.length))"
        )
        await until(tab, f"JSON.stringify({cues}) === '[2,1]'")
        assert tab.complaints == []
    finally:
        async with asyncio.timeout(10):
            await runner.cleanup()


async def until(tab: Tab, expression: str) -> None:
    """Wait until it is true. The page's own policy forbids what `Tab.until` does in it."""
    async with asyncio.timeout(25):
        while not await tab.evaluate(expression):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def _track_page(_: web.Request) -> web.Response:
    return web.Response(text=TRACK, content_type="text/html")


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)
