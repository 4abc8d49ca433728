"""The event loop stands still for half a second in the middle of a call, over real sockets: nothing is lost."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from functools import partial

import pytest

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from pexrtc_py.media.player import Late, Player
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from pexrtc_py.webrtc.udp import UdpTransport
from tests.support.peers import LOOPBACK, call, find, listen
from tests.support.taps import Collector

STALL_S = 0.5


class Stalling(Collector):
    """A tap that blocks the loop once."""

    def push(self, item: EncodedFrame | Gap) -> None:
        super().push(item)
        if len(self.frames) == 20:
            time.sleep(STALL_S)


@pytest.mark.parametrize("relaxed", [False, True])
async def test_a_stalled_loop_loses_nothing(relaxed: bool) -> None:
    """What was due meanwhile leaves in one burst, from a small send buffer, and arrives whole and in order."""
    async with call(config=replace(LOOPBACK, relaxed=relaxed)) as (client, node):
        [protocol] = client._transport._ice.protocols
        assert isinstance(protocol.transport, UdpTransport)
        protocol.transport._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        pushed, heard = {Kind.AUDIO: Collector(), Kind.VIDEO: Stalling()}, [listen(node, 0), listen(node, 1)]
        senders = {kind: client.lines[index].sender for index, kind in enumerate((Kind.AUDIO, Kind.VIDEO))}
        taps: dict[Kind, list[Tap]] = {
            kind: [pushed[kind], sender] for kind, sender in senders.items() if sender is not None
        }
        source = open_file(clip_path("motion.mkv"), accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8,)})
        async with Player(source, taps) as player:
            await pushed[Kind.VIDEO].until(lambda: len(pushed[Kind.VIDEO].frames) == 45)
            player.stop()
            told = [event async for event in player.events()]
        assert not [event for event in told if isinstance(event, Late)]
        for kind, tap in zip((Kind.AUDIO, Kind.VIDEO), heard, strict=True):
            count = len(pushed[kind].frames)
            assert count > 30
            await tap.until(partial(tap.has, count))
            assert [frame.data for frame in tap.frames] == [frame.data for frame in pushed[kind].frames]
            assert not tap.gaps
        assert find(node, TransportStatistics).datagrams_overflowed == 0
