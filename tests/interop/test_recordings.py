"""What our recorder writes, read by programs that are not ours: Debian's ffprobe and Chromium."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

import pexrtc_py
from pexrtc_py import RecordingConfig, RecordJob, SessionConfig, StopRules
from tests.interop.browser import Browser
from tests.interop.conftest import need_program
from tests.interop.ours import HEARD_DB, our_endpoint
from tests.interop.signals import FRAME_RATE, HEIGHT, RATE, WIDTH, levels, mark_in_png, mark_reader

ALIAS = "meet.alice"
HZ, MARKS = 1000, range(1_000_000, 1_010_000)
SECONDS = 3.0
LATE_S = 1.5
"""How much later a recording may end where the machine is slow: its rule is looked at five times a second."""
PAGE = Path(__file__).with_name("player.html")

FORMATS = {
    "mkv": ("matroska,webm", {"audio": "opus", "video": "vp8"}),
    "webm": ("matroska,webm", {"audio": "opus", "video": "vp8"}),
    "mp4": ("mov,mp4,m4a,3gp,3g2,mj2", {"audio": "opus", "video": "h264"}),
    "ogg": ("ogg", {"audio": "opus"}),
    "wav": ("wav", {"audio": "pcm_s16le"}),
}
"""What ffprobe calls the container, and the codecs in it."""


async def recorded(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """Record the same seconds of one of ours into a file of each kind."""

    async def job(node_url: str, ending: str) -> Path:
        session = SessionConfig(node_url=node_url, alias=ALIAS, display_name=ending)
        target = RecordingConfig(path=folder / f"talk.{ending}", stop=StopRules(duration_s=SECONDS))
        done = await pexrtc_py.record(RecordJob(session=session, recording=target))
        assert done.result.file is not None
        return done.result.file

    async with (
        pexrtc_py.Node() as node,
        our_endpoint(node.url, ALIAS, hz=HZ, first_id=MARKS.start),
        asyncio.TaskGroup() as group,
    ):
        jobs = {ending: group.create_task(job(node.url, ending)) for ending in endings}
    return {ending: job.result() for ending, job in jobs.items()}


async def test_ffprobe_reads_every_container(tmp_path: Path) -> None:
    """Codecs, sizes, durations and the count of what can be decoded are right, and nothing is complained of."""
    ffprobe = need_program("ffprobe", "ffmpeg")
    async with asyncio.timeout(50):
        files = await recorded(tmp_path, list(FORMATS))
        for ending, path in files.items():
            options = ["-v", "warning", "-of", "json", "-count_frames", "-show_format", "-show_streams"]
            process = await asyncio.create_subprocess_exec(
                *(ffprobe, *options, str(path)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            out, complaints = await process.communicate()
            assert complaints == b"", ending
            told = json.loads(out)
            container, codecs = FORMATS[ending]
            streams = {stream["codec_type"]: stream for stream in told["streams"]}
            assert told["format"]["format_name"] == container
            assert {kind: stream["codec_name"] for kind, stream in streams.items()} == codecs, ending
            duration = float(told["format"]["duration"])
            assert SECONDS - 0.2 < duration < SECONDS + LATE_S, ending
            assert streams["audio"]["sample_rate"] == "48000"
            if ending != "wav":
                assert int(streams["audio"]["nb_read_frames"]) == pytest.approx(duration * 50, abs=20), ending
            if "video" in streams:
                assert (streams["video"]["width"], streams["video"]["height"]) == (WIDTH, HEIGHT)
                assert int(streams["video"]["nb_read_frames"]) == pytest.approx(duration * FRAME_RATE, abs=8), ending
    with wave.open(str(files["wav"])) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)[:: sound.getnchannels()]
    assert levels(samples[-RATE:], HZ)[0] > HEARD_DB


async def test_chromium_plays_what_we_record(browser: Browser, tmp_path: Path) -> None:
    """It plays to the end, hears the tone, and finds the right picture wherever it is sent."""
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_static("/recordings", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with asyncio.timeout(55):
            files = await recorded(tmp_path, ["mkv", "webm", "mp4"])
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            tab = await browser.tab(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            for ending, path in files.items():
                loaded = await tab.evaluate(f"player.load('/recordings/{path.name}')")
                assert (loaded["width"], loaded["height"]) == (WIDTH, HEIGHT)
                assert SECONDS - 0.2 < loaded["duration"] < SECONDS + LATE_S
                reader, seen = mark_reader(), list[int]()
                for position in (0.5, 2.5, 1.0):
                    number = mark_in_png(reader, await tab.evaluate(f"player.picture({position})"))
                    assert number is not None and number in MARKS, (ending, position)  # noqa: PT018
                    seen.append(number)
                steps = [(number - seen[0]) / FRAME_RATE for number in seen]
                assert steps == pytest.approx([0.0, 2.0, 0.5], abs=0.15), ending
                await tab.evaluate("player.picture(0)")
                played = await tab.evaluate(f"player.play({HZ})")
                assert played["at"] == pytest.approx(loaded["duration"], abs=0.1)
                assert played["level"] > -50, ending
                assert played["corruptedVideoFrames"] == 0
            assert tab.complaints == []
            assert tab.refused == []
    finally:
        await runner.cleanup()


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE)
