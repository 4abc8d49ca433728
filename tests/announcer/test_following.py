"""What an announcer encodes follows what its far side says of the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pexrtc_py import EncodedFrame, Kind, Node
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Kept
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.encoded import EncodeConfig, EncodedSource
from tests.webrtc.test_rate_over_sockets import busy_pictures

from .hearing import session


def rate_bps(kept: Kept, start_s: float, end_s: float) -> float:
    """Bits per second of the frames of a part of what was sent, in seconds from its first."""
    frames = [item for item in kept.items if isinstance(item, EncodedFrame)]
    begun = frames[0].time
    some = [len(frame.data) for frame in frames if start_s <= frame.time - begun < end_s]
    return 8 * sum(some) / (end_s - start_s)


async def test_pictures_follow_a_far_side_that_names_no_limit(node: Node) -> None:
    """600 kb/s as configured; asked for 150 the next second has less than half, though the call names no limit."""
    announcement = Announcement(
        opener=lambda accept: EncodedSource(busy_pictures(), accept=accept, config=EncodeConfig(video_bps=600_000)),
        codecs={Kind.VIDEO: None},
        hold=False,
    )
    kept, players = Kept(), list[Player]()
    async with open_podiums([session(node, "one", "Announcer")], announcement) as [podium]:
        assert isinstance(podium, Podium)
        sender = podium.place.main.senders[Kind.VIDEO]
        sender.reconfigure(replace(sender.config, max_bitrate_bps=None))
        assert sender.rate.bitrate_bps is None
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            playing = group.create_task(
                broadcast([podium], announcement, on_player=players.append, sent={Kind.VIDEO: kept})
            )
            await kept.goes_on(1.3)
            assert sender.rate.bitrate_bps == 600_000
            sender.handle_remb(150_000)
            await kept.goes_on(1.5)
            players[0].stop()
        assert playing.result()[0].ended == "stopped"
    assert rate_bps(kept, 0.3, 1.3) > 400_000
    assert rate_bps(kept, 1.8, 2.8) < 250_000
