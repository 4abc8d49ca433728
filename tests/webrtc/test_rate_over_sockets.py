"""A sender that encodes, behind a way that carries less than the call allows: over real sockets, in real time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

import av
import numpy as np
import pytest

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.generated import Generated, Screen
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.impaired import ImpairedTransport
from pexrtc_py.webrtc.impairment import ImpairedLink, Impairment
from pexrtc_py.webrtc.peer import Peer
from pexrtc_py.webrtc.sender_replay import feed_sender
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from tests.support.peers import LOOPBACK, POLICY, connected, find, listen

LASTS_S = 15


def busy_pictures() -> Generated:
    """Pictures that fill the rate they are given, from 0.1 to 1.5 Mb/s: blocks on the move, and noise over them."""
    screen = Screen(width=480, height=270, frame_rate=30)
    dice = np.random.default_rng(1)
    texture = np.kron(dice.integers(40, 200, (34, 60), dtype=np.uint8), np.ones((8, 8), np.uint8))[:270]
    noises = dice.integers(0, 24, (32, 270, 480), dtype=np.uint8)

    def picture(number: int) -> av.VideoFrame:
        planes = np.full((405, 480), 128, np.uint8)
        planes[:270] = np.roll(texture, (number, 3 * number), (0, 1)) // 2 + noises[number % 32]
        return av.VideoFrame.from_ndarray(planes, "yuv420p")

    return Generated(picture=picture, screen=screen)


@dataclass(frozen=True, slots=True)
class Second:
    """What one second brought."""

    target_bps: int
    """What the encoder was to keep to at its end."""
    sent_bps: int
    """What left, IP and UDP headers not counted."""
    sent: int
    """Packets."""
    lost: int
    """Of those, on the way."""


def link_of(peer: Peer) -> ImpairedLink[object]:
    """The way out of a peer."""
    (protocol,) = peer._transport._ice.protocols
    assert isinstance(protocol.transport, ImpairedTransport)
    return protocol.transport._link._link  # type: ignore[return-value]  # of datagrams, which are no matter here


@pytest.mark.slow
@pytest.mark.parametrize("limit_bps", [400_000, 800_000])
async def test_settles_below_the_limit(limit_bps: int) -> None:
    """From 1.5 Mb/s on: after one second below what the way carries, each second, with most of it used and hardly a
    packet lost.

    Whatever was lost was sent again, and lost again: 3.8 Mb/s left in the first second, and it took five to settle.
    """
    bad = replace(LOOPBACK, impairment=Impairment(rate_bps=limit_bps, delay_s=0.02))
    async with Peer(bad) as near, Peer(LOOPBACK) as far:
        near.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8])
        await near.accept_answer(await far.answer_offer(await near.create_offer(), POLICY))
        await connected(near, far)
        sender, link, tap = near.lines[0].sender, link_of(near), listen(far, 0)
        assert sender is not None
        assert sender.rate.bitrate_bps == POLICY.bitrate_bps
        seconds: list[Second] = []
        source = EncodedSource(busy_pictures(), accept={Kind.VIDEO: (Codec.VP8,)})
        async with Player(source, {}) as player:
            feed_sender(player, sender)
            player.set_bitrate(sender.rate.bitrate_bps or 0)
            begun = time.monotonic()
            before, lost = find(near, TransportStatistics), link.lost
            for number in range(1, LASTS_S + 1):
                await asyncio.sleep(begun + number - time.monotonic())
                now = find(near, TransportStatistics)
                passed_s = (now.timestamp - before.timestamp) / 1000
                seconds.append(
                    Second(
                        target_bps=sender.rate.bitrate_bps or 0,
                        sent_bps=round((now.bytes_sent - before.bytes_sent) * 8 / passed_s),
                        sent=now.packets_sent - before.packets_sent,
                        lost=link.lost - lost,
                    )
                )
                before, lost = now, link.lost
        first, *others = seconds
        told = "\n".join(map(str, seconds))
        assert first.lost > 0, "the way carries less than what was sent at first"
        assert first.sent_bps < 1.5 * POLICY.bitrate_bps, first  # type: ignore[operator]  # it has one
        assert all(0.4 * limit_bps <= second.sent_bps < limit_bps for second in others), told
        assert all(second.target_bps < 1.1 * limit_bps for second in seconds), told
        assert sum(second.lost for second in others) <= 0.01 * sum(second.sent for second in others), told
        assert sum(frame.time > tap.frames[-1].time - 4 for frame in tap.frames) > 100, "pictures flow"
