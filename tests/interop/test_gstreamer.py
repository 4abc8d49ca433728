"""A call with GStreamer's webrtcbin: an RSA certificate, a bundle-only video line, TCP candidates beside UDP's."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import numpy as np
import pytest

from pexrtc_py import Node
from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from tests.interop.child_peer import ChildPeer, child_peer
from tests.interop.ours import our_endpoint
from tests.interop.signals import PEER_HZ, mark_reader
from tests.support.peers import POLICY, audio, find, listen, push, video

PYTHON = Path("/usr/bin/python3")
PEER = Path(__file__).with_name("gstreamer_peer.py")


NEEDS = (
    "Debian's packages python3-gi, gir1.2-gst-plugins-bad-1.0, gir1.2-nice-0.1, "
    "gstreamer1.0-plugins-{base,good,bad} and gstreamer1.0-nice"
)


@pytest.mark.parametrize("lite", [False, True], ids=["full", "lite"])
async def test_gstreamer_calls_us(lite: bool) -> None:
    """Sound and pictures pass both ways, also when we only answer its checks; its video line has port 0."""
    config = PeerConfig(ice_lite=lite)
    async with asyncio.timeout(45), child_peer(str(PYTHON), str(PEER), needs=NEEDS) as child, Peer(config) as peer:
        offer = await child.tells("sdp")
        assert "m=video 0 " in offer
        child.answer(await peer.answer_offer(offer, POLICY))
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
            kinds = {await child.tells("received"), await child.tells("received")}
            heard.set()
        assert kinds == {"audio", "video"}


async def test_gstreamer_joins_our_node() -> None:
    """In a room with one of ours: each decodes the other's tone and pictures, and knows them."""
    alias, marks = "meet.alice", range(1_000_000, 1_010_000)
    async with (
        asyncio.timeout(50),
        Node() as node,
        our_endpoint(node.url, alias, hz=1000, first_id=marks.start) as ours,
        child_peer(str(PYTHON), str(PEER), "decode", needs=NEEDS) as child,
        child.joined(node.url, alias, "GStreamer") as offer,
    ):
        assert "m=video 0 " in offer
        assert {line.split()[4] for line in offer.splitlines() if line.startswith("a=candidate")} == {"127.0.0.1"}
        await ours.ear.hears(PEER_HZ)
        await ours.ear.hears_no(1000)
        await ours.eye.until(lambda: ours.eye.decoded > 30)
        assert ours.eye.size == (320, 240)
        red, green, blue = ours.eye.colour
        assert max(red, green, blue) - min(red, green, blue) < 40  # colour bars, on the whole grey
        assert 70 < green < 180
        await heard(child, 1000)
        await seen(child, marks)


async def heard(child: ChildPeer, hz: int) -> None:
    """Wait until it tells of this frequency."""
    while True:
        sound = await child.tells("sound")
        if sound["hz"] == pytest.approx(hz, rel=0.02) and sound["peak"] > 2000:
            return


async def seen(child: ChildPeer, numbers: range) -> None:
    """Wait until it has told of three pictures of these numbers."""
    reader, found = mark_reader(), set[int]()
    while len(found) < 3:
        picture = await child.tells("picture")
        luma = np.frombuffer(base64.b64decode(picture["luma"]), np.uint8)
        sighting = reader.read(luma.reshape(picture["height"], -1)[:, : picture["width"]])
        if sighting is not None and sighting.mark.frame_id in numbers:
            found.add(sighting.mark.frame_id)
