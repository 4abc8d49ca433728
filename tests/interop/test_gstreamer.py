"""A call with GStreamer's webrtcbin: an RSA certificate, a bundle-only video line, TCP candidates beside UDP's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.peer import Peer
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from tests.webrtc.test_peer import POLICY, audio, find, listen, push, video

PYTHON = Path("/usr/bin/python3")
PEER = Path(__file__).with_name("gstreamer_peer.py")


async def read_until(stream: asyncio.StreamReader, key: str) -> str:
    """The value of the next line that has a key."""
    while line := await stream.readline():
        said = json.loads(line)
        if key in said:
            return str(said[key])
    pytest.fail(
        "webrtcbin is missing: install Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, "
        "gstreamer1.0-plugins-{base,good,bad} and gstreamer1.0-nice"
    )


async def test_gstreamer_calls_us() -> None:
    """Sound and pictures pass both ways; its video line is answered though its port is 0."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, PEER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(45), Peer() as peer:
            offer = await read_until(process.stdout, "sdp")
            assert "m=video 0 " in offer
            answer = await peer.answer_offer(offer, POLICY)
            process.stdin.write(json.dumps({"sdp": answer}).encode() + b"\n")
            await peer.connected()
            sound, picture = listen(peer, 0), listen(peer, 1)
            await sound.until(lambda: len(sound.frames) > 20)
            await picture.until(lambda: len(picture.frames) > 20)
            first = picture.frames[0]
            assert (first.codec, first.key, first.width, first.height) == (Codec.VP8, True, 320, 240)
            assert not sound.gaps
            assert "RSA" in (find(peer, TransportStatistics).dtls_cipher or "")
            heard = asyncio.Event()

            async def send() -> None:
                number = 0
                while not heard.is_set():
                    push(peer, 0, audio(number % 256))
                    push(peer, 1, video(number))
                    number += 1
                    await asyncio.sleep(0.02)

            async with asyncio.TaskGroup() as group:
                group.create_task(send())
                kinds = {await read_until(process.stdout, "received"), await read_until(process.stdout, "received")}
                heard.set()
            assert kinds == {"audio", "video"}
    finally:
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()
