"""What watchers can take, told to who is watched; and how soon one that comes in late sees something."""

from __future__ import annotations

import asyncio
import time as clocks

import pytest

from pexrtc_py.media.encoding import VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.node.conference_media_pictures import UNLIMITED_BPS, Source
from pexrtc_py.node.forwarding import Feed, Outlet
from pexrtc_py.webrtc.sender_replay import GroupReplay
from tests.node.conference_media_clients import Client, conference, grey_picture, perform


class Nowhere:
    """A tap that drops all."""

    def push(self, item: EncodedFrame | Gap) -> None:
        pass

    def end(self) -> None:
        pass


def watcher(limit_bps: int | None) -> Outlet:
    """A subscriber that takes so much."""
    outlet = Outlet(Nowhere(), codecs=(Codec.VP8,), name="watcher")
    outlet.set_limit(limit_bps)
    return outlet


def test_the_least_of_those_who_watch_is_told() -> None:
    """At each change of 5 % or more, never below 150 kbit/s; when all limits are gone the publisher is free again."""
    told: list[int] = []
    source = Source(lambda: None, lambda: None, told.append)
    one, other, careless = watcher(800_000), watcher(500_000), watcher(None)
    careless.show(source.feed)
    assert told == []
    one.show(source.feed)
    other.show(source.feed)
    other.set_limit(510_000)
    other.set_limit(30_000)
    assert told == [800_000, 500_000, 150_000]
    source.check(1.0)
    assert told[3:] == [150_000], "repeated each second: a report may be lost"
    other.close()
    one.close()
    assert told[4:] == [800_000, UNLIMITED_BPS]
    source.check(2.0)
    assert len(told) == 6


def test_a_limit_of_what_is_made_for_watchers_goes_to_its_maker() -> None:
    """A transcoder's or compositor's feed has its own limit, None when nobody said any."""
    told: list[int | None] = []
    feed = Feed(lambda: None, delay_s=0.0)
    feed.on_limit = told.append
    one = watcher(700_000)
    one.show(feed)
    one.set_limit(None)
    assert told == [700_000, None]


async def test_an_estimate_of_a_watcher_reaches_the_publisher() -> None:
    """REMB of one becomes REMB to the other, within what the call allows."""
    ada, ben = Client("ada", grey=90), Client("ben")
    told: list[int] = []
    async with conference(ada, ben) as (media, _):
        for client in (ada, ben):
            client.add_main()
            await client.join(media)
        assert ada.video is not None
        assert ada.video.sender is not None
        ada.video.sender.on_bitrate = told.append
        await perform([ada], 0.6)
        assert ben.video is not None
        assert ben.video.receiver is not None
        ben.video.receiver.limit_bitrate(400_000)
        await perform([ada], 0.5)
        assert told
        assert told[-1] == pytest.approx(400_000, rel=0.06)


async def test_a_watcher_of_prepared_media_sees_it_at_once() -> None:
    """A publisher with a key frame a second sends its group again when asked; nobody waits for the next key frame."""
    ada, ben = Client("ada", grey=90), Client("ben")
    encoder = VideoEncoder(Codec.VP8, 160, 120, 25, 200_000)
    group = [
        encoder.encode(grey_picture(90), rtp_time=3600 * n, time=n / 25, force_key=n % 25 == 0)[0] for n in range(60)
    ]
    async with conference(ada, ben) as (media, _):
        for client in (ada, ben):
            client.add_main()
        await ada.join(media)
        assert ada.video is not None
        sender = ada.video.sender
        assert sender is not None
        replay = GroupReplay(sender, frame_ticks=3600)
        sender.on_key_frame_request = replay.replay

        async def play() -> None:
            began = clocks.monotonic()
            for number, frame in enumerate(group):
                await asyncio.sleep(max(0.0, began + number / 25 - clocks.monotonic()))
                replay.push(frame)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(play())
            await asyncio.sleep(1.1)  # the key frames are at 0, 1 and 2 s
            await ben.join(media)
            joined = clocks.monotonic()
        first = ben.seen.pictures[0][0]
        arrived = ben.seen.frames[0].arrival
        assert ben.seen.frames[0].key
        assert first is not None
        assert arrived - joined < 0.5, arrived - joined
