"""Blocks entered at once: what fails or is slow costs the others nothing, neither at the start nor at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pexrtc_py.announcer.side_by_side import open_all
from pexrtc_py.errors import NoMedia, PexrtcError


async def test_all_are_left_and_what_is_slow_is_not_waited_for() -> None:
    """One comes, one fails, one never comes: the slow one was waited for at the end, and nothing ended it."""
    steps: list[str] = []

    @asynccontextmanager
    async def quick() -> AsyncIterator[str]:
        yield "quick"
        steps.append("quick left")

    @asynccontextmanager
    async def failing() -> AsyncIterator[str]:
        raise NoMedia("nothing came")
        yield ""

    @asynccontextmanager
    async def waiting() -> AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
            yield ""
        finally:
            steps.append("waiting given up")

    async with asyncio.timeout(5):
        async with open_all([quick, failing, waiting], limit_s=0.05) as places:
            assert places[0] == "quick"
            assert [str(place) for place in places[1:]] == [
                "nothing came",
                "not let in, or no media, within 0.05 s",
            ]
            await asyncio.sleep(0)
            assert steps == ["waiting given up"], "who is given up stays in no waiting room"
    assert steps == ["waiting given up", "quick left"]


async def test_one_alone_takes_as_long_as_it_likes() -> None:
    """Nobody waits for it, so no limit counts."""
    ready = asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[str]:
        await ready.wait()
        yield "slow"

    asyncio.get_running_loop().call_later(0.1, ready.set)
    async with asyncio.timeout(5), open_all([slow], limit_s=0.01) as places:
        assert places == ["slow"]


async def test_an_error_while_it_is_open_ends_them_all() -> None:
    """Each is left before the error comes out."""
    left: list[int] = []

    @asynccontextmanager
    async def one(number: int) -> AsyncIterator[int]:
        try:
            yield number
        finally:
            left.append(number)

    async def fail() -> None:
        async with open_all([lambda: one(1), lambda: one(2)]) as places:
            assert places == [1, 2]
            raise NoMedia("in the middle")

    with pytest.raises(PexrtcError, match="in the middle"):
        await fail()
    assert sorted(left) == [1, 2]
