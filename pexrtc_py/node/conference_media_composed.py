"""A composed picture for whoever watches one: made while somebody does, from the sources that are to be seen.

Every source is decoded once and every codec encoded once, however many watch.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..media.compositor import Compositor
from ..media.compositor_canvas import SceneTile
from ..media.frames import Codec, Tap
from ..protocol.layout import Layout
from .forwarding import Feed

__all__ = ["Actor", "Composition"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """One whose pictures are in the scene."""

    key: Hashable
    """Names it; the same while its feed is the same."""
    feed: Feed
    """Its pictures."""
    label: str
    """Its name, written under its picture."""


class Composition:
    """One composed picture. Its thread runs from the first `feed_for` until `prune` finds nobody watching."""

    def __init__(self) -> None:
        self._compositor: Compositor | None = None
        self._feeds: dict[Codec, Feed] = {}
        self._inputs: dict[Hashable, tuple[Feed, Tap]] = {}
        self._scene: tuple[SceneTile, ...] = ()
        self._actors: tuple[Actor, ...] = ()
        self._retired: list[Compositor] = []

    def set_scene(self, actors: Sequence[Actor], layout: Layout) -> None:
        """Say who is seen, first one first, and how; who finds no place in the layout is left out."""
        tiles = layout.tiles(len(actors))
        actors = tuple(actors[: len(tiles)])
        scene = tuple(
            SceneTile(source=a.key, label=a.label, x=t.x, y=t.y, width=t.width, height=t.height)
            for a, t in zip(actors, tiles, strict=True)
        )
        if scene == self._scene and actors == self._actors:
            return
        self._scene, self._actors = scene, actors
        self._apply()

    def feed_for(self, codecs: Sequence[Codec]) -> Feed:
        """Return the composed picture in the first of these codecs."""
        codec = codecs[0]
        if codec not in self._feeds:
            compositor = self._running()
            self._feeds[codec] = feed = Feed(lambda: compositor.request_key_frame(codec), delay_s=0.0)
            feed.on_limit = lambda bps: compositor.set_bitrate(codec, bps)
            compositor.add_output(codec, feed)
        return self._feeds[codec]

    def prune(self) -> None:
        """Stop what nobody watches."""
        for codec, feed in tuple(self._feeds.items()):
            if feed.is_idle:
                del self._feeds[codec]
                if self._compositor is not None:
                    self._compositor.remove_output(codec)
        if not self._feeds and self._compositor is not None:
            logger.debug("= composes no more")
            self._leave_inputs()
            self._compositor.stop()
            self._retired.append(self._compositor)
            self._compositor = None
        self._retired = [compositor for compositor in self._retired if not compositor.is_done]

    async def aclose(self) -> None:
        """End it all. Idempotent."""
        self._leave_inputs()
        for feed in self._feeds.values():
            feed.end()
        self._feeds.clear()
        self.prune()
        for compositor in self._retired:
            await compositor.aclose()

    def _running(self) -> Compositor:
        if self._compositor is None:
            logger.debug("= composes")
            self._compositor = Compositor()
            self._compositor.start()
            self._apply()
        return self._compositor

    def _apply(self) -> None:
        """Give the compositor its scene and the inputs of it, no others."""
        compositor = self._compositor
        if compositor is None:
            return
        wanted = {actor.key: actor.feed for actor in self._actors}
        for key, (feed, tap) in tuple(self._inputs.items()):
            if wanted.get(key) is not feed:
                feed.remove_tap(tap)
                compositor.remove_input(key)
                del self._inputs[key]
        for key, feed in wanted.items():
            if key not in self._inputs:
                tap = compositor.add_input(key, feed.request_key_frame)
                feed.add_tap(tap)
                feed.request_key_frame()
                self._inputs[key] = (feed, tap)
        compositor.set_scene(self._scene)

    def _leave_inputs(self) -> None:
        for feed, tap in self._inputs.values():
            feed.remove_tap(tap)
        self._inputs.clear()
