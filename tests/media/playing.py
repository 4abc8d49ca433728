"""What the tests of players play and hear with: a source of given frames, and a tap that keeps the time of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Source, TrackFormat
from pexrtc_py.media.player import Clock, Player, PlayerConfig

from ..support.clocks import FastClock


@dataclass
class Kept:
    """A tap that keeps what it is given, and the clock's time of it."""

    clock: Clock | None = None
    frames: list[EncodedFrame] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    ended: int = 0
    wanted: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def has(self, count: int) -> None:
        """Wait for so many frames."""
        self.wanted = count
        while len(self.frames) < count:
            self.enough.clear()
            await self.enough.wait()

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, EncodedFrame):
            self.frames.append(item)
            self.at.append(self.clock.now() if self.clock else time.monotonic())
            if len(self.frames) >= self.wanted:
                self.enough.set()

    def end(self) -> None:
        self.ended += 1


def sound(number: int) -> EncodedFrame:
    at = number * 0.02
    return EncodedFrame(codec=Codec.OPUS, data=b"%d" % number, rtp_time=number * 960, time=at, duration=960)


class Listed:
    """A source of the frames given; may fail, wait or sleep at one of them."""

    def __init__(
        self, frames: Iterable[EncodedFrame], *, at: Mapping[int, Callable[[], None]] | None = None, live: bool = False
    ) -> None:
        self.frames = iter(frames)
        self.at = at or {}
        self.pulled = 0
        self.closed = 0
        self.keys = 0
        self.live = live
        self.encodes = False

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        return {Kind.AUDIO: TrackFormat(codec=Codec.OPUS, channels=1)}

    def pull(self) -> EncodedFrame | None:
        self.at.get(self.pulled, lambda: None)()
        self.pulled += 1
        return next(self.frames, None)

    def request_key_frame(self) -> None:
        self.keys += 1

    def set_bitrate(self, video_bps: int) -> None: ...

    def close(self) -> None:
        self.closed += 1


async def play(source: Source, clock: FastClock, config: PlayerConfig | None = None) -> tuple[Kept, Kept, Player]:
    audio, video = Kept(clock), Kept(clock)
    taps = {Kind.AUDIO: [audio], Kind.VIDEO: [video]}
    async with Player(source, taps, config=config, clock=clock) as player:
        await player.finished()
    return audio, video, player
