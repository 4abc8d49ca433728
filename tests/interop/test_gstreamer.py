"""A call with GStreamer's webrtcbin: an RSA certificate, a bundle-only video line, TCP candidates beside UDP's."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pexrtc_py import Node, SessionConfig
from pexrtc_py.media.frames import Codec
from pexrtc_py.protocol.models import CallKind, CallRequest
from pexrtc_py.signalling import open_session
from pexrtc_py.webrtc.peer import Peer
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from tests.interop.ours import our_endpoint
from tests.interop.signals import mark_reader
from tests.webrtc.test_peer import POLICY, audio, find, listen, push, video

PYTHON = Path("/usr/bin/python3")
PEER = Path(__file__).with_name("gstreamer_peer.py")


async def read_until(stream: asyncio.StreamReader, key: str) -> Any:
    """The value of the next line that has a key."""
    while line := await stream.readline():
        said = json.loads(line)
        if key in said:
            return said[key]
    pytest.fail(
        "webrtcbin is missing: install Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, "
        "gstreamer1.0-plugins-{base,good,bad} and gstreamer1.0-nice"
    )


@asynccontextmanager
async def webrtcbin(*arguments: str) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """Run the peer; what it reads and what it writes."""
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, PEER, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=8 * 1024 * 1024,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()


async def test_gstreamer_calls_us() -> None:
    """Sound and pictures pass both ways; its video line is answered though its port is 0."""
    async with webrtcbin() as (to, come), asyncio.timeout(45), Peer() as peer:
        offer = await read_until(come, "sdp")
        assert "m=video 0 " in offer
        answer = await peer.answer_offer(offer, POLICY)
        to.write(json.dumps({"sdp": answer}).encode() + b"\n")
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
            kinds = {await read_until(come, "received"), await read_until(come, "received")}
            heard.set()
        assert kinds == {"audio", "video"}


async def test_gstreamer_joins_our_node() -> None:
    """In a room with one of ours: each decodes the other's tone and pictures, and knows them."""
    alias, marks = "meet.alice", range(1_000_000, 1_010_000)
    async with (
        asyncio.timeout(50),
        Node() as node,
        our_endpoint(node.url, alias, hz=1000, first_id=marks.start) as ours,
        open_session(SessionConfig(node_url=node.url, alias=alias, display_name="GStreamer")) as session,
        webrtcbin("decode") as (to, come),
    ):
        offer = await read_until(come, "sdp")
        assert "m=video 0 " in offer
        assert {line.split()[4] for line in offer.splitlines() if line.startswith("a=candidate")} == {"127.0.0.1"}
        me = session.participant_uuid
        call = await session.client.participant_calls(me, CallRequest(call_type=CallKind.WEBRTC, sdp=offer))
        to.write(json.dumps({"sdp": call.sdp}).encode() + b"\n")
        await session.client.call_ack(me, call.call_uuid)
        await ours.ear.hears(440)
        await ours.ear.hears_no(1000)
        await ours.eye.until(lambda: ours.eye.decoded > 30)
        assert ours.eye.size == (320, 240)
        red, green, blue = ours.eye.colour
        assert max(red, green, blue) - min(red, green, blue) < 40  # colour bars, on the whole grey
        assert 70 < green < 180
        await heard(come, 1000)
        await seen(come, marks)


async def heard(come: asyncio.StreamReader, hz: int) -> None:
    """Wait until it tells of this frequency."""
    while True:
        sound = await read_until(come, "sound")
        if sound["hz"] == pytest.approx(hz, rel=0.02) and sound["peak"] > 2000:
            return


async def seen(come: asyncio.StreamReader, numbers: range) -> None:
    """Wait until it has told of three pictures of these numbers."""
    reader, found = mark_reader(), set()
    while len(found) < 3:
        picture = await read_until(come, "picture")
        luma = np.frombuffer(base64.b64decode(picture["luma"]), np.uint8)
        sighting = reader.read(luma.reshape(picture["height"], -1)[:, : picture["width"]])
        if sighting is not None and sighting.mark.frame_id in numbers:
            found.add(sighting.mark.frame_id)
