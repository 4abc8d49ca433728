"""Sources that need what is not ours: a screen under Xvfb, RTMP from nginx, RTSP from GStreamer's server.

Each is announced into a conference and looked at by another participant. Cameras by v4l2 are untried here: no machine
that runs this has one.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import pexrtc_py
from pexrtc_py import EncodedFrame, Kind
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Listener, listening
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.announcer.spoken import spoken_file
from pexrtc_py.media.comparison import luma_plane, scaled, ssim
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.decoding import Picture, VideoDecoding
from pexrtc_py.media.loudness import LoudnessMeter
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.slides import fit_image
from tests.announcer.hearing import heard, read_sound, session
from tests.announcer.processes import node_process
from tests.interop.conftest import need_program
from tests.support.programs import free_port, program, until_answers
from tests.support.waiting import until

CLIP = pexrtc_py.clip_path("motion.mkv")


async def announced(source: str, seconds: float) -> Listener:
    """Announce a source for so many seconds, holding among them; return what another participant got."""
    main = await announcement_of_sources([source])
    async with (
        node_process() as node,
        listening(session(node, "sources")) as ear,
        open_podiums([session(node, "sources", "Announcer")], main) as [podium],
    ):
        assert isinstance(podium, Podium)

        def stop_later(player: Player) -> None:
            asyncio.get_running_loop().call_later(seconds, player.stop)

        async with asyncio.timeout(40):
            await broadcast([podium], main, on_player=stop_later)
        await ear.hear_out()
    return ear


def pictures(listener: Listener) -> list[Picture]:
    """Decode what was seen."""
    decoding = VideoDecoding()
    items = listener.kept[Kind.VIDEO].items
    return [picture for item in items if isinstance(item, EncodedFrame) for picture in decoding.feed(item)]


def grabbed(display: str) -> av.VideoFrame:
    """Return what a screen shows just now."""
    with av.open(display, format="x11grab", options={"video_size": "1280x720", "draw_mouse": "0"}) as grabbing:
        return next(grabbing.decode(video=0)).reformat(format="yuv420p")


async def test_speech_by_espeak(tmp_path: Path) -> None:
    """What espeak-ng says arrives as it said it, from the first word to the last, at the loudness of announcements."""
    need_program("espeak-ng", "espeak-ng")
    text = "The meeting begins in five minutes"
    how = Readiness(cache=tmp_path)
    main = await announcement_of_sources([f"speech:{text}"], how=how)
    async with (
        node_process() as node,
        listening(session(node, "speech")) as ear,
        open_podiums([session(node, "speech", "Announcer")], main) as [podium],
    ):
        assert isinstance(podium, Podium)
        [played] = await broadcast([podium], main)
        await ear.hear_out()
    assert played.ended == "finished"
    spoken = read_sound(spoken_file(text, tmp_path))
    found = find_sound(spoken, heard(ear))
    assert found is not None
    assert found.heard > 0.95
    begin = round(found.offset_s * 48000)
    meter = LoudnessMeter(1, peaks=False)
    meter.push(np.ascontiguousarray(heard(ear)[begin : begin + len(spoken), None]))
    assert meter.loudness.integrated_lufs == pytest.approx(-20, abs=1)


async def test_screen_under_xvfb(tmp_path: Path) -> None:
    """What a window shows is seen in the conference, legibly."""
    slide = pexrtc_py.clip_path("slide-1.png")
    original = luma_plane(fit_image(Image.open(slide), 1280, 720)).copy()

    def likeness(picture: av.VideoFrame) -> float:
        return ssim(original, scaled(luma_plane(picture), 1280, 720))

    reading, writing = os.pipe()
    xvfb = need_program("Xvfb", "xvfb")
    show = need_program("ffplay", "ffmpeg")
    child = await asyncio.create_subprocess_exec(
        xvfb, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp",
        pass_fds=(writing,), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        display = f":{(await asyncio.to_thread(os.read, reading, 20)).decode().strip()}"
        words = (show, "-loglevel", "error", "-noborder", "-left", "0", "-top", "0", "-x", "1280", "-y", "720")
        async with program(*words, "-loop", "0", str(slide), env={"DISPLAY": display, "SDL_AUDIODRIVER": "dummy"}):
            await until(lambda: likeness(grabbed(display)) > 0.9)
            ear = await announced(f"screen:{display}", 4.0)
    finally:
        os.close(reading)
        child.kill()
        await child.wait()
    shown = pictures(ear)
    assert len(shown) >= 20, "of 15 a second, for three seconds and a moment of holding"
    assert likeness(shown[-1].frame) > 0.9


async def test_rtmp_from_nginx(tmp_path: Path) -> None:
    """A stream that ffmpeg publishes to nginx-rtmp: its pictures and its tune arrive in the conference."""
    port = free_port()
    module = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
    if not module.exists():
        pytest.fail("Debian's package libnginx-mod-rtmp is missing")
    config, log = tmp_path / "nginx.conf", tmp_path / "log"
    config.write_text(
        f"load_module {module}; daemon off; master_process off; pid {tmp_path}/pid; error_log {log} info;\n"
        f"events {{}} rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n"
    )
    address = f"rtmp://127.0.0.1:{port}/live/clip"
    # Encoded before, so that publishing costs no more than reading.
    ready = tmp_path / "clip.flv"
    ffmpeg = need_program("ffmpeg", "ffmpeg")
    form = ("-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-g", "30", "-c:a", "aac")
    async with program(ffmpeg, "-loglevel", "error", "-i", str(CLIP), *form, str(ready)) as encoding:
        assert await encoding.wait() == 0
    publish = (ffmpeg, "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(ready), "-c", "copy", "-f", "flv")
    async with program(need_program("nginx", "nginx"), "-p", str(tmp_path), "-c", str(config)):
        await until_answers(port)
        async with program(*publish, address):
            await until(lambda: "publish: name='clip'" in log.read_text())  # it refuses a player before
            ear = await announced(address, 9.0)
    reader = MarkReader(1280, 720)
    sightings = [reader.read(luma_plane(picture.frame)) for picture in pictures(ear)]
    marks = {sighting.mark.frame_id for sighting in sightings if sighting is not None}
    assert len(marks) > 60, "of 90 in the clip"
    tune = read_sound(CLIP)
    found = find_sound(tune, heard(ear))
    assert found is not None
    assert found.heard > 0.8


async def test_rtsp_from_gstreamer() -> None:
    """Colour bars and a tone from GStreamer's RTSP server arrive in the conference."""
    server = str(Path(__file__).with_name("rtsp_server.py"))
    async with program("/usr/bin/python3", server, stdout=PIPE) as child:
        assert child.stdout is not None
        async with asyncio.timeout(10):
            address = (await child.stdout.readline()).decode().strip()
        if not address:
            pytest.fail("Debian's package gir1.2-gst-rtsp-server-1.0 is missing")
        ear = await announced(address, 5.0)
    shown = pictures(ear)
    assert len(shown) > 40
    bars = luma_plane(shown[-1].frame)[100, :]
    steps = np.flatnonzero(np.abs(np.diff(bars.astype(int))) > 8)
    assert len(steps) >= 6, "seven bars"
    sound = heard(ear).astype(np.float64)[-72000:-24000]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.fft.rfftfreq(len(sound), 1 / 48000)[int(spectrum.argmax())] == pytest.approx(700, abs=5)
