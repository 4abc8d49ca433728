"""RTMP with software not ours: nginx as the server a conference is sent to, FFmpeg's program as its player and as a
publisher that comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from pexrtc_py.node.media_port import StreamOffer
from pexrtc_py.node.rtmp import STREAM_ENDED
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from tests.interop.conftest import need_program
from tests.node.conference_media_clients import Client, conference, luma_of, perform, strength
from tests.support.programs import free_port, program, until_answers

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
STREAM, CALL = ParticipantUuid("stream"), CallUuid("50ed679d-c622-4c0e-b251-e217f2aa030b")
CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ }}
rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096; application live {{ live on; idle_streams off; }} }} }}
"""


@asynccontextmanager
async def rtmp_server(folder: Path) -> AsyncIterator[str]:
    """nginx with its RTMP module on a port of its own; yields the URL of its application."""
    nginx = need_program("nginx", "nginx")
    if not MODULE.exists():
        pytest.fail(f"{MODULE} is missing: install Debian's package libnginx-mod-rtmp")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(module=MODULE, folder=folder, port=port))
    async with program(nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)):
        await until_answers(port)
        yield f"rtmp://127.0.0.1:{port}/live"


async def test_a_conference_is_sent_to_nginx_and_played_by_ffmpeg(tmp_path: Path) -> None:
    """A player of the server sees the speaker in 720p H.264 and hears the mix in AAC; a server that dies is told of."""
    ffmpeg = need_program("ffmpeg", "ffmpeg")
    ada = Client("ada", hertz=400, grey=90)
    target = tmp_path / "played.flv"
    async with conference(ada) as (media, listener):
        ada.add_main()
        await ada.join(media)
        media.set_admitted(STREAM, admitted=True)
        async with rtmp_server(tmp_path) as server:
            url = f"{server}/{CALL}"
            await media.push_stream(StreamOffer(participant=STREAM, call=CALL, url=url))
            play = (ffmpeg, "-y", "-loglevel", "error", "-i", url, "-t", "4", "-c", "copy", str(target))
            async with program(*play) as player:
                await perform([ada], 9.0)
                async with asyncio.timeout(15):
                    assert await player.wait() == 0
        await perform([ada], 2.0)
        async with asyncio.timeout(15):
            await listener.has_lost.wait()
        assert listener.lost == [(CALL, STREAM_ENDED)]
    with av.open(str(target)) as played:
        video, audio = played.streams.video[0], played.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 720)
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ("aac", 48000)
        pictures: list[av.VideoFrame] = []
        sounds: list[av.AudioFrame] = []
        for frame in played.decode(video, audio):
            if isinstance(frame, av.VideoFrame):
                pictures.append(frame)
            elif isinstance(frame, av.AudioFrame):
                sounds.append(frame)
    assert luma_of(pictures[-1]) == pytest.approx(90, abs=6)
    heard = np.concatenate([sound.to_ndarray()[0] for sound in sounds])
    tail = (heard[-24000:] * 32767).astype(np.int16)
    assert strength(tail, 400) == pytest.approx(6000, abs=900)
    # What is played began at a key frame and lasts as long in sound as in pictures.
    assert len(heard) / 48000 == pytest.approx(4.0, abs=0.6)


async def test_ffmpeg_publishes_into_a_conference() -> None:
    """H.264 with B-frames and AAC of FFmpeg's own defaults are seen and heard by a WebRTC participant."""
    ffmpeg = need_program("ffmpeg", "ffmpeg")
    ben = Client("ben")
    async with conference(ben) as (media, listener):
        ben.add_main()
        await ben.join(media)
        media.set_admitted(STREAM, admitted=True)
        url = await media.listen_stream(StreamOffer(participant=STREAM, call=CALL))
        picture, tone = "color=c=white:size=640x360:rate=25", "sine=frequency=700:sample_rate=44100"
        inputs = ("-re", "-f", "lavfi", "-i", picture, "-re", "-f", "lavfi", "-i", tone)
        coding = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", "-f", "flv")
        async with program(ffmpeg, "-loglevel", "error", *inputs, "-t", "7", *coding, url):
            async with asyncio.timeout(30):
                await listener.has_lost.wait()
        assert listener.lost == [(CALL, STREAM_ENDED)]
        assert ben.seen.grey == pytest.approx(235, abs=6)
        assert ben.seen.frames[0].key
        # FFmpeg's sine has an amplitude of an eighth.
        # x264 looks two seconds ahead, so FFmpeg's sound comes that late; the tail is cut by its goodbye.
        assert strength(ben.heard.last(1.5)[:48000], 700) == pytest.approx(4096, rel=0.2)
