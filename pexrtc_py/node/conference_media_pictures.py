"""The pictures of one conference: who publishes, who watches, and who is shown to whom.

A `Source` is what one participant publishes: its feed as it comes, and one transcoded feed per codec that some watcher
needs instead, kept as long as it is watched. `Stage` gives each watcher the first of the speakers' order who is not
itself, or a composed picture; `Slides` gives everybody but the presenter the presentation.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence

from ..media.encoding_transcoder import VideoTranscoder
from ..media.frames import Codec
from ..protocol.layout import DEFAULT_LAYOUT, LAYOUTS
from ..protocol.models import ParticipantUuid
from .conference_media_composed import Actor, Composition
from .forwarding import Feed, Outlet

__all__ = ["UNLIMITED_BPS", "Slides", "Source", "Stage"]

logger = logging.getLogger(__name__)

# A presentation in the main picture: the slides large, seven speakers beneath.
_SLIDES_LAYOUT = LAYOUTS["1:7"]
UNLIMITED_BPS = 10_000_000
"""Told to a publisher whose limit has gone: as much as any picture needs; what its call allows still holds."""
# A source without pictures for so long gives way to those with: cameras have several a second, browsers that mute send
# black ones or none.
_STALE_S = 4.0
_CHECK_S = 1.0


class Source:
    """One participant's pictures, in every codec that is watched.

    Args:
        request_key_frame: asks the participant for a key frame.
        on_codec: called when pictures begin or change codec: watchers may need another feed.
        set_bitrate: tells the participant to send at most so many bits per second: what those take who see its pictures
            as they are. Told at each change, and each second as long as there is a limit.

    Attributes:
        feed: the pictures as they come.
        is_live: whether pictures have come of late; a camera that was switched off leaves a source that is not.
    """

    def __init__(
        self,
        request_key_frame: Callable[[], None],
        on_codec: Callable[[], None],
        set_bitrate: Callable[[int], None] | None = None,
    ) -> None:
        self.feed = Feed(request_key_frame, on_codec)
        self.feed.on_limit = self._tell_limit
        self._set_bitrate = set_bitrate
        self._was_limited = False
        self._transcoded: dict[Codec, tuple[Feed, VideoTranscoder]] = {}
        self._retired: list[VideoTranscoder] = []
        self.is_live = True
        self._counted = (0, 0.0)

    def check(self, now: float) -> bool:
        """Find out at `now` (seconds) whether pictures still come; returns whether `is_live` changed."""
        if self.feed.limit_bps is not None:
            self._tell_limit(self.feed.limit_bps)
        frames, since = self._counted
        if self.feed.frames != frames or not since:
            self._counted = (self.feed.frames, now)
            since = now
        was_live, self.is_live = self.is_live, now - since < _STALE_S
        return was_live is not self.is_live

    def _tell_limit(self, limit_bps: int | None) -> None:
        if self._set_bitrate is not None and (limit_bps is not None or self._was_limited):
            self._set_bitrate(UNLIMITED_BPS if limit_bps is None else limit_bps)
        self._was_limited = limit_bps is not None

    def feed_for(self, codecs: Sequence[Codec]) -> Feed | None:
        """Return pictures in one of these codecs, the first one when they must be transcoded; None before any came."""
        own = self.feed.codec
        if own is None or own in codecs or not codecs:
            return self.feed if own in codecs else None
        codec = codecs[0]
        if codec not in self._transcoded:
            logger.debug("= transcodes %s to %s", own, codec)
            feed = Feed(lambda: transcoder.request_key_frame(), delay_s=0.0)
            transcoder = VideoTranscoder(codec, feed, request_key_frame=self.feed.request_key_frame)
            feed.on_limit = transcoder.set_bitrate
            transcoder.start()
            self.feed.add_tap(transcoder)
            self._transcoded[codec] = (feed, transcoder)
        return self._transcoded[codec][0]

    def prune(self) -> None:
        """Stop transcoding what nobody watches."""
        for codec, (feed, transcoder) in tuple(self._transcoded.items()):
            if feed.is_idle:
                del self._transcoded[codec]
                self.feed.remove_tap(transcoder)
                transcoder.stop()
                self._retired.append(transcoder)
        self._retired = [transcoder for transcoder in self._retired if not transcoder.is_done]

    async def aclose(self) -> None:
        """End the feed and all that is made of it. Idempotent."""
        self.feed.end()
        transcoders = [transcoder for _, transcoder in self._transcoded.values()]
        for transcoder in (*transcoders, *self._retired):
            await transcoder.aclose()
        self._transcoded.clear()
        self._retired.clear()


class _Board(ABC):
    """Publishers and watchers of one kind of picture; who sees what is the subclass's matter, in `_choose`."""

    def __init__(self) -> None:
        self._sources: dict[ParticipantUuid, Source] = {}
        self._outlets: dict[Hashable, tuple[ParticipantUuid, Outlet]] = {}
        self._admitted: frozenset[ParticipantUuid] = frozenset()

    def publish(
        self,
        participant: ParticipantUuid,
        request_key_frame: Callable[[], None],
        set_bitrate: Callable[[int], None] | None = None,
    ) -> Source:
        """Take a participant's pictures; the source's feed is the tap for its receiver. Replaces an earlier one."""
        source = self._sources[participant] = Source(request_key_frame, self._update, set_bitrate)
        return source

    async def unpublish(self, participant: ParticipantUuid, source: Source) -> None:
        """End a source and show it no longer. When cancelled it ends all the same."""
        if self._sources.get(participant) is source:
            del self._sources[participant]
            self._update()
        await source.aclose()

    def watch(self, key: Hashable, participant: ParticipantUuid, outlet: Outlet) -> None:
        """Show a participant what it is to see; `key` names this line for `unwatch`."""
        self._outlets[key] = (participant, outlet)
        self._update()

    def unwatch(self, key: Hashable) -> None:
        """Show a line nothing more; unknown ones are ignored."""
        if watcher := self._outlets.pop(key, None):
            watcher[1].close()
            self._update()

    def set_admitted(self, participants: frozenset[ParticipantUuid]) -> None:
        """Tell who may see and be seen; all others are outside."""
        self._admitted = participants
        self._update()

    def set_delays(self, delays: Mapping[ParticipantUuid, float]) -> None:
        """Tell how late each participant's sound is in the mix, so that its pictures are as late."""
        for participant, delay in delays.items():
            if source := self._sources.get(participant):
                source.feed.delay_s = delay

    def _update(self) -> None:
        self._choose()
        for source in self._sources.values():
            source.prune()

    @abstractmethod
    def _choose(self) -> None:
        """Choose whose pictures each subscriber sees."""


class Stage(_Board):
    """The main pictures: by layout the first speaker who is not the watcher, or one composed picture for all.

    Speakers whose pictures ceased come after those who can be seen.

    A watcher who wants presentations in its main picture (`present: main`) gets one composed with the slides while they
    run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: tuple[ParticipantUuid, ...] = ()
        self._names: dict[ParticipantUuid, str] = {}
        self._layout = LAYOUTS[DEFAULT_LAYOUT]
        self._composed = Composition()
        self._with_slides = Composition()
        self._slides: Source | None = None
        self._slide_watchers: set[Hashable] = set()
        self._next_check = 0.0

    def check(self, now: float) -> None:
        """Let live sources go before those whose pictures ceased; call it often, it looks once a second of `now`."""
        if now >= self._next_check:
            self._next_check = now + _CHECK_S
            changes = [source.check(now) for source in self._sources.values()]
            if any(changes):
                self._update()

    def set_order(self, order: Sequence[ParticipantUuid]) -> None:
        """Tell the order of speakers; publishers who are not in it come last, in the order they came."""
        self._order = tuple(order)
        self._update()

    def set_name(self, participant: ParticipantUuid, name: str) -> None:
        """Tell what to write under a participant's picture."""
        self._names[participant] = name
        self._update()

    def forget(self, participant: ParticipantUuid) -> None:
        """Forget the name of one who has left."""
        self._names.pop(participant, None)

    def set_layout(self, view: str) -> None:
        """Set the layout; unknown ones leave it as it is."""
        self._layout = LAYOUTS.get(view, self._layout)
        self._update()

    def set_presentation(self, slides: Source | None) -> None:
        """Tell the slides that run, None for none."""
        self._slides = slides
        self._update()

    def mark(self, key: Hashable) -> None:
        """Mix presentations into what this line is shown, until `unwatch`."""
        self._slide_watchers.add(key)

    def unwatch(self, key: Hashable) -> None:
        """Show a line nothing more; unknown ones are ignored."""
        self._slide_watchers.discard(key)
        super().unwatch(key)

    async def aclose(self) -> None:
        """End what is composed. Idempotent."""
        await self._composed.aclose()
        await self._with_slides.aclose()

    def _choose(self) -> None:
        ranked = (*self._order, *(p for p in self._sources if p not in self._order))
        visible = [
            (p, source)
            for p in ranked
            if p in self._admitted and (source := self._sources.get(p)) is not None and source.feed.codec is not None
        ]
        visible.sort(key=lambda item: not item[1].is_live)
        actors = [Actor(p, source.feed, self._names.get(p, "")) for p, source in visible]
        self._composed.set_scene(actors, self._layout)
        slides = self._slides
        if slides is not None:
            self._with_slides.set_scene([Actor("slides", slides.feed, ""), *actors], _SLIDES_LAYOUT)
        for key, (watcher, outlet) in self._outlets.items():
            if watcher not in self._admitted:
                outlet.show(None)
            elif slides is not None and key in self._slide_watchers:
                outlet.show(self._with_slides.feed_for(outlet.codecs))
            elif self._layout.size > 1 and actors:
                outlet.show(self._composed.feed_for(outlet.codecs))
            else:
                seen = next((source for p, source in visible if p != watcher), None)
                outlet.show(None if seen is None else seen.feed_for(outlet.codecs))
        self._composed.prune()
        self._with_slides.prune()


class Slides(_Board):
    """The presentation: everybody who may sees the presenter's slides, but the presenter.

    Args:
        on_running: told the source whose slides are shown, from the first on; None when there are none any more.
    """

    def __init__(self, on_running: Callable[[Source | None], None]) -> None:
        super().__init__()
        self._on_running = on_running
        self._running: Source | None = None
        self._presenter: ParticipantUuid | None = None
        self._denied: set[ParticipantUuid] = set()

    def set_floor(self, presenter: ParticipantUuid | None) -> None:
        """Show this participant's slides, or none."""
        self._presenter = presenter
        self._update()

    def set_allowed(self, participant: ParticipantUuid, *, allowed: bool) -> None:
        """Keep presentations from a participant, or let it have them again."""
        (self._denied.discard if allowed else self._denied.add)(participant)
        self._update()

    def _choose(self) -> None:
        source = None if self._presenter is None else self._sources.get(self._presenter)
        for participant, outlet in self._outlets.values():
            hidden = participant == self._presenter or participant in self._denied or participant not in self._admitted
            outlet.show(None if source is None or hidden else source.feed_for(outlet.codecs))
        running = source if source is not None and source.feed.codec is not None else None
        if running is not self._running:
            self._running = running
            self._on_running(running)
