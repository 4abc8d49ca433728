"""A composed picture costs one decoder for each who is seen and one encoder for each codec, however many watch."""

from __future__ import annotations

import threading

from pexrtc_py.media.frames import Codec, Tap
from pexrtc_py.node.conference_media_composed import Actor, Composition
from pexrtc_py.node.forwarding import Feed
from pexrtc_py.protocol.layout import LAYOUTS


class CountedFeed(Feed):
    """Pictures of somebody, and how many take them to be decoded."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.decoders = 0

    def add_tap(self, tap: Tap) -> None:
        super().add_tap(tap)
        self.decoders += 1

    def remove_tap(self, tap: Tap) -> None:
        super().remove_tap(tap)
        self.decoders -= 1


def composing() -> int:
    """How many threads compose now."""
    return sum(thread.name == "compositor" for thread in threading.enumerate())


async def test_once_for_all() -> None:
    """Any number of watchers share what is made in their codec; who is not seen any more is not decoded either."""
    composition, before = Composition(), composing()
    feeds = {name: CountedFeed() for name in ("ada", "ben", "cleo")}
    actors = [Actor(key=name, feed=feed, label=name) for name, feed in feeds.items()]
    try:
        composition.set_scene(actors, LAYOUTS["4:0"])
        assert composing() == before, "nobody watches"
        assert [feed.decoders for feed in feeds.values()] == [0, 0, 0]
        vp8 = [composition.feed_for((Codec.VP8, Codec.H264)) for _ in range(5)]
        h264 = [composition.feed_for((Codec.H264,)) for _ in range(5)]
        assert len({id(feed) for feed in vp8}) == len({id(feed) for feed in h264}) == 1
        assert vp8[0] is not h264[0]
        assert [feed.decoders for feed in feeds.values()] == [1, 1, 1]
        assert composing() == before + 1
        composition.set_scene(actors[:2], LAYOUTS["1:7"])
        composition.feed_for((Codec.VP8,))
        assert [feed.decoders for feed in feeds.values()] == [1, 1, 0]
        composition.prune()  # no watcher was joined to any of them
        assert [feed.decoders for feed in feeds.values()] == [0, 0, 0]
    finally:
        await composition.aclose()
    assert composing() == before
