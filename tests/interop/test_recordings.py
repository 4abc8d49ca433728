"""What our recorder writes, read by programs that are not ours: Debian's ffprobe and Chromium."""

from __future__ import annotations

import asyncio
import json
import wave
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp import web

import pexrtc_py
from pexrtc_py import Codec, Kind, RecordingConfig, RecordJob, SessionConfig, StopRules
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.roles import Role
from tests.interop.browser import Browser
from tests.interop.conftest import need_program
from tests.interop.ours import HEARD_DB, our_endpoint
from tests.interop.signals import FRAME_RATE, HEIGHT, RATE, WIDTH, levels, mark_in_png, mark_reader
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene

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


async def recorded(folder: Path, endings: Sequence[str]) -> dict[str, RecordingResult]:
    """Record the same seconds of one of ours into a file of each kind."""

    async def job(node_url: str, ending: str) -> RecordingResult:
        session = SessionConfig(node_url=node_url, alias=ALIAS, display_name=ending)
        target = RecordingConfig(path=folder / f"talk.{ending}", stop=StopRules(duration_s=SECONDS))
        done = await pexrtc_py.record(RecordJob(session=session, recording=target))
        return done.result

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
        results = await recorded(tmp_path, list(FORMATS))
        for ending, result in results.items():
            assert result.file is not None
            options = ["-v", "warning", "-of", "json", "-count_frames", "-show_format", "-show_streams"]
            process = await asyncio.create_subprocess_exec(
                *(ffprobe, *options, str(result.file)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
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
            written = {stream.codec.kind: stream.packets for stream in result.streams}
            read = {Kind(kind): int(stream["nb_read_frames"]) for kind, stream in streams.items()}
            if ending != "wav":
                assert read[Kind.AUDIO] == pytest.approx(written[Kind.AUDIO], abs=1), ending
                assert read[Kind.AUDIO] > 0.8 * SECONDS * 50
            if "video" in streams:
                assert (streams["video"]["width"], streams["video"]["height"]) == (WIDTH, HEIGHT)
                assert read[Kind.VIDEO] == written[Kind.VIDEO], ending
                assert read[Kind.VIDEO] > 0.5 * SECONDS * FRAME_RATE  # a slow machine skips some
    wav = results["wav"].file
    assert wav is not None
    with wave.open(str(wav)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)[:: sound.getnchannels()]
    assert levels(samples[-RATE:], HZ)[0] > HEARD_DB


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
async def test_ffprobe_finds_the_size_of_a_late_picture(tmp_path: Path, suffix: str) -> None:
    """A track that was declared before its first picture has that picture's size in the header."""
    ffprobe = need_program("ffprobe", "ffmpeg")
    path = tmp_path / f"talk.{suffix}"
    scene = Scene(path)
    async with scene.recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.VP8)
        sound = opus_frames(250, start=START, ntp_offset=1e9)
        await scene.play(audio=sound, video=vp8_frames(30, start=START + 3.5, width=640, height=360))
    # Without a look at the packets it is the header that is told.
    options = ["-v", "warning", "-of", "json", "-probesize", "32", "-analyzeduration", "0", "-show_streams"]
    process = await asyncio.create_subprocess_exec(*(ffprobe, *options, str(path)), stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    [video] = [stream for stream in json.loads(out)["streams"] if stream["codec_type"] == "video"]
    assert (video["width"], video["height"]) == (640, 360)


@pytest.mark.timeout(120)
async def test_chromium_plays_what_we_record(browser: Browser, tmp_path: Path) -> None:
    """It plays to the end, hears the tone, and finds the right picture wherever it is sent."""
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_static("/recordings", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with asyncio.timeout(110):
            results = await recorded(tmp_path, ["mkv", "webm", "mp4"])
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            tab = await browser.tab(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            for ending, result in results.items():
                path = result.file
                assert path is not None
                loaded = await tab.evaluate(f"player.load('/recordings/{path.name}')")
                assert (loaded["width"], loaded["height"]) == (WIDTH, HEIGHT)
                assert SECONDS - 0.2 < loaded["duration"] < SECONDS + LATE_S
                reader, marks = mark_reader(), await asyncio.to_thread(marks_in, path)
                for position in (0.5, 2.5, 1.0):
                    number = mark_in_png(reader, await tab.evaluate(f"player.picture({position})"))
                    at = bisect_right(marks, (position, MARKS.stop)) - 1
                    assert number in [mark for _, mark in marks[max(at - 1, 0) : at + 2]], (ending, position)
                await tab.evaluate("player.picture(0)")
                played = await tab.evaluate(f"player.play({HZ})")
                assert played["at"] == pytest.approx(loaded["duration"], abs=0.1)
                assert played["level"] > -50, ending
                assert played["corruptedVideoFrames"] == 0
            assert tab.complaints == []
            assert tab.refused == []
    finally:
        await runner.cleanup()


def marks_in(path: Path) -> list[tuple[float, int]]:
    """Return when each picture of a file is due, and its number."""
    reader = mark_reader()
    with av.open(path) as container:
        pictures = [(frame.time, frame.to_ndarray(format="gray8")) for frame in container.decode(video=0)]
    sightings = [(time, reader.read(plane.astype(np.uint8))) for time, plane in pictures]
    marks = [(time, found.mark.frame_id) for time, found in sightings if found is not None and time is not None]
    assert len(marks) > 30
    assert marks[0][1] in MARKS
    return marks


async def _page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE)
