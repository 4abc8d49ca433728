"""Softer while people speak: two prepared levels of one source, and the choice between them packet by packet.

Nothing is decoded and nothing is encoded: both levels are prepared, and at the border between two packets one takes the
other's place. The choice is made when a packet is sent, not when it is read, so it follows the room at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from ..errors import SourceError
from ..media.frames import EncodedFrame, Gap, Kind, Source, Tap, TrackFormat
from ..media.sources.raw import SoundTuning, Tunable

__all__ = ["Ducked", "DuckingConfig", "DuckingDecision"]


_MOST_AHEAD: Final = 3000
"""Packets that wait to be pushed: a minute, more than any player reads ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuckingConfig:
    """How fast ducking follows."""

    attack_s: float = 0.15
    """Speech shorter than this, a cough, does not duck."""
    release_s: float = 1.5
    """How long nobody speaks before it is loud again: longer than the pause between two sentences."""


class DuckingDecision:
    """Whether to be soft now. Sans-io."""

    def __init__(self, config: DuckingConfig | None = None) -> None:
        self._config = config or DuckingConfig()
        self._speaking = False
        self._since = float("-inf")
        self._soft = False

    def set_speaking(self, now: float, *, speaking: bool) -> None:
        """Learn that somebody speaks, or that nobody does any more."""
        if speaking != self._speaking:
            self._soft = self.is_soft(now)
            self._speaking, self._since = speaking, now

    def is_soft(self, now: float) -> bool:
        """Whether to be soft."""
        wait = self._config.attack_s if self._speaking else self._config.release_s
        return self._speaking if now - self._since >= wait else self._soft


class Ducked:
    """A source in two levels, and the taps that choose between them.

    Play this source, and give the player `tap(...)` around each of its audio taps. Pictures are the loud level's.

    Args:
        loud: the source as it is.
        soft: the same, prepared softer: packet by packet of the same times.
        decision: asked for each packet of taps without one of their own; its clock is that of the frames' `time` as
            the player stamps it.

    Raises:
        SourceError: the levels have different codecs, or one has no sound.
    """

    def __init__(self, loud: Source, soft: Source, decision: DuckingDecision | None = None) -> None:
        formats = [source.formats.get(Kind.AUDIO) for source in (loud, soft)]
        if formats[0] is None or formats[1] is None or formats[0].codec is not formats[1].codec:
            raise SourceError("ducking: the two levels must have sound of one codec")
        self._loud, self._soft = loud, soft
        self._decision = decision or DuckingDecision()
        self._taps: list[_DuckedTap] = []

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        """Those of the loud level."""
        return self._loud.formats

    @property
    def live(self) -> bool:
        """Whether the loud level makes its own pace."""
        return self._loud.live

    @property
    def encodes(self) -> bool:
        """Whether what is ducked encodes its pictures."""
        return self._loud.encodes

    @property
    def passes_pictures(self) -> bool:
        """Whether the loud level sends pictures as they came."""
        return bool(getattr(self._loud, "passes_pictures", False))

    def tap(self, *taps: Tap, decision: DuckingDecision | None = None) -> Sequence[Tap]:
        """Wrap audio taps; call it before playing.

        Args:
            taps: where the packets go.
            decision: of these taps alone: each conference has its own speakers.
        """
        wrapped = [_DuckedTap(tap, decision or self._decision) for tap in taps]
        self._taps += wrapped
        return wrapped

    def pull(self) -> EncodedFrame | None:
        """Return the next frame of the loud level, having read the soft one's beside it.

        Raises:
            SourceError: one of them broke.
        """
        frame = self._loud.pull()
        if frame is None or frame.kind is not Kind.AUDIO:
            return frame
        soft = self._soft.pull()
        while soft is not None and soft.kind is not Kind.AUDIO:
            soft = self._soft.pull()
        if soft is not None:
            for tap in self._taps:
                tap.pairs.append((frame.data, soft.data))
        return frame

    def request_key_frame(self) -> None:
        """Pass it on. Thread-safe."""
        self._loud.request_key_frame()

    def set_bitrate(self, video_bps: int) -> None:
        """Pass it on. Thread-safe."""
        self._loud.set_bitrate(video_bps)

    def tune_sound(self, tuning: SoundTuning) -> None:
        """Pass it on to both levels, see `Tunable`. Thread-safe."""
        for source in (self._loud, self._soft):
            if isinstance(source, Tunable):
                source.tune_sound(tuning)

    def close(self) -> None:
        """Close both levels. Idempotent."""
        self._loud.close()
        self._soft.close()


class _DuckedTap:
    """Puts the soft packet in the loud one's place while ducking is on.

    Packets come in the order they were read in, each once, so the pairs are a queue; as long as the player reads ahead.
    What has no pair (silence before the first word) goes through as it is. Of a tap that nothing is pushed to any more,
    because its conference is over, the oldest are dropped.
    """

    def __init__(self, tap: Tap, decision: DuckingDecision) -> None:
        self._tap = tap
        self._decision = decision
        self.pairs: deque[tuple[bytes, bytes]] = deque(maxlen=_MOST_AHEAD)

    def push(self, item: EncodedFrame | Gap) -> None:
        soft = self._soft_of(item) if isinstance(item, EncodedFrame) else None
        if isinstance(item, EncodedFrame) and soft is not None and self._decision.is_soft(item.time):
            item = replace(item, data=soft)
        self._tap.push(item)

    def _soft_of(self, item: EncodedFrame) -> bytes | None:
        """Return what belongs to a packet; what lies before it was not pushed, and never will be."""
        place = next((place for place, pair in enumerate(self.pairs) if pair[0] is item.data), None)
        if place is None:
            return None
        for _ in range(place):
            self.pairs.popleft()
        return self.pairs.popleft()[1]

    def end(self) -> None:
        self._tap.end()
