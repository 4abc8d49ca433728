"""A call with libwebrtc M152, the engine of Chrome, by the package wrtc: offers of today with all they carry."""

from __future__ import annotations

import asyncio
import sys

from pexrtc_py import Node
from tests.interop.child_peer import ChildPeer, child_peer
from tests.interop.conftest import need
from tests.interop.ours import HEARD_DB, SILENT_DB, our_endpoint
from tests.interop.signals import PEER_HZ, PEER_MARKS

ALIAS = "meet.alice"
OUR_HZ, OUR_MARKS = 1000, range(1_000_000, 1_010_000)


async def test_libwebrtc_joins_our_node() -> None:
    """In a room with one of ours: each hears the other's tone, sees its pictures, and counts what it decodes."""
    need("webrtc", "wrtc")
    command = (sys.executable, "-m", "tests.interop.wrtc_peer", str(OUR_HZ), str(PEER_HZ))
    async with (
        asyncio.timeout(50),
        Node() as node,
        our_endpoint(node.url, ALIAS, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
        child_peer(*command, needs="wrtc (make peers)") as peer,
        peer.joined(node.url, ALIAS, "libwebrtc") as offer,
    ):
        assert "a=rtpmap:63 red/48000/2" in offer  # redundant audio, cryptex, RTCP reports of its own: to be declined
        await ours.ear.hears(PEER_HZ)
        await ours.ear.hears_no(OUR_HZ)
        await ours.eye.sees(PEER_MARKS)
        await hears(peer, OUR_HZ)
        await sees(peer, OUR_MARKS)
        await has_counted(peer, 30)


async def hears(peer: ChildPeer, hz: int) -> None:
    """Wait until it hears our tone, and not its own."""
    assert hz == OUR_HZ
    while True:
        ours, its = await peer.tells("levels")
        if ours > HEARD_DB and its < SILENT_DB:
            return


async def sees(peer: ChildPeer, numbers: range) -> None:
    """Wait until it has seen five pictures of these numbers."""
    seen: set[int] = set()
    while len(seen) < 5:
        number = await peer.tells("mark")
        if number in numbers:
            seen.add(number)


async def has_counted(peer: ChildPeer, frames: int) -> None:
    """Wait until getStats counts so many pictures decoded, and sound received, with nothing lost."""
    counted = {"audio": 0, "video": 0}
    while min(counted.values()) <= frames:
        item = await peer.tells("count")
        counted[item["kind"]] = item["decoded"] if item["kind"] == "video" else item["packets"]
        assert item["lost"] == 0
