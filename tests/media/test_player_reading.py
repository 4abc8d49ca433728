"""What is read ahead of a player: how far, when it is told, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.frames import EncodedFrame, Kind
from pexrtc_py.media.player import Player, PlayerConfig, PlayerEnd
from pexrtc_py.media.player_reading import ReadAhead
from tests.media.playing import Kept, Listed, play, sound

from ..support.clocks import FastClock
from ..support.waiting import until


class Reader:
    """Takes what is read, and counts what it was told."""

    def __init__(self, source: Listed, ahead_s: float | None = None) -> None:
        self.reading = ReadAhead(source, ahead_s, self._note)
        self.told = asyncio.Event()
        self.count = 0

    def _note(self) -> None:
        self.count += 1
        self.told.set()

    async def news(self) -> None:
        """Wait until there are some, since the last that were waited for."""
        await self.told.wait()
        self.told.clear()

    async def all(self) -> list[EncodedFrame]:
        """Take and play all there is, to the end."""
        found: list[EncodedFrame] = []
        while True:
            frames, is_empty, is_over = self.reading.take(7)
            found += frames
            if frames:
                self.reading.note_played(frames[-1].time)
            elif is_empty and is_over:
                return found
            else:
                await self.news()


@asynccontextmanager
async def reading(source: Listed, ahead_s: float | None = None) -> AsyncIterator[Reader]:
    """Read until the block is left."""
    reader = Reader(source, ahead_s)
    reader.reading.start()
    async with asyncio.timeout(10):
        try:
            yield reader
        finally:
            await reader.reading.aclose()


async def test_everything_comes_in_order_and_then_the_end() -> None:
    """Whatever the two threads do meanwhile; the source is closed once."""
    source = Listed(sound(n) for n in range(500))
    async with reading(source, 0.3) as reader:
        assert [frame.time for frame in await reader.all()] == [sound(n).time for n in range(500)]
    assert source.closed == 1
    assert reader.reading.failure is None


async def test_news_are_told_to_whoever_waits_for_them() -> None:
    """Once for the head start, and not again while there is something to be taken; then with the next frame."""
    source = Listed(sound(n) for n in range(500))
    async with reading(source, 0.5) as reader:
        await reader.news()
        await until(lambda: source.pulled > 25, every_s=0.001)
        assert reader.count == 1
        assert len(reader.reading.take(1000).frames) == 26
        assert reader.reading.take_more(1000) == []
        assert reader.reading.take(0) == ([], True, False)
        reader.reading.note_played(sound(25).time)
        await reader.news()
        assert reader.count == 2


async def test_stopping_forgets_what_was_read() -> None:
    """Nothing more is given, and the thread is gone when closing returns."""
    source = Listed(sound(n) for n in range(500))
    async with reading(source) as reader:
        await reader.news()
        reader.reading.stop()
        assert reader.reading.take(1000).is_empty
    assert source.closed == 1
    assert source.pulled < 500


@pytest.mark.parametrize("error", [SourceError("the cable"), ZeroDivisionError("a defect")])
async def test_why_it_broke_is_kept(error: Exception) -> None:
    """What was read before is given; a defect of a source is an error of it."""

    def fail() -> None:
        raise error

    async with reading(Listed((sound(n) for n in range(500)), at={30: fail})) as reader:
        assert len(await reader.all()) == 30
    assert isinstance(reader.reading.failure, SourceError)
    assert str(error) in str(reader.reading.failure)


async def test_reading_ahead_is_bounded() -> None:
    """An endless source is read no further ahead than it was said to be."""
    source = Listed(sound(n) for n in range(10**9))
    tap = Kept()
    config = PlayerConfig(read_ahead_s=1.0)
    async with Player(source, {Kind.AUDIO: [tap]}, config=config) as player:
        await tap.has(5)
        assert source.pulled <= len(tap.frames) + 60
        player.stop()
        assert await player.finished() is PlayerEnd.STOPPED
        count = len(tap.frames)
    assert len(tap.frames) == count
    assert source.closed == 1


@pytest.mark.parametrize("ahead_s", [0.0, 0.05, 0.19])
async def test_read_ahead_may_be_shorter_than_the_head_start(ahead_s: float) -> None:
    """A player that reads less ahead than it usually has before it begins, plays all the same (it never began)."""
    clock = FastClock()
    source = Listed(sound(n) for n in range(100))
    _, _, player = await play(source, clock, PlayerConfig(read_ahead_s=ahead_s))
    assert player.position_s == pytest.approx(1.98)


@pytest.mark.parametrize(("encodes", "most_s"), [(True, 0.35), (False, 2.1)])
async def test_what_encodes_is_read_a_moment_ahead(*, encodes: bool, most_s: float) -> None:
    """A key frame asked for is the next that is pulled: of a source that encodes that is soon."""
    source = Listed(sound(n) for n in range(10**9))
    source.encodes = encodes
    tap = Kept()
    async with Player(source, {Kind.AUDIO: [tap]}) as player:
        await tap.has(30)
        ahead = source.pulled * 0.02 - player.position_s
        player.stop()
    assert most_s / 4 < ahead < most_s
