"""Who listens where announcements are made, and comes along when the announcer is transferred.

A transfer's one-time token is for the announcer alone, so the listener asks to be let in there as anybody would, with
the PIN it was given for the first conference. What it heard in each conference is kept apart: an announcement that goes
on in the other is judged by what was heard there, from the moment on at which somebody listened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from ..errors import NoMedia, PexrtcError
from ..signalling import SessionConfig
from ..tasks import task_owner
from ..webrtc.peer import PeerConfig
from .podium import Place, Podium
from .proof import Listener, listening

__all__ = ["Ears", "open_ears"]

logger = logging.getLogger(__name__)

_LIMIT_S: Final = 10.0
"""How long an announcement waits for its listener after a transfer: as long as a conference may take to let it in."""


class Ears:
    """The listener of one podium, in one conference after the other; made by `open_ears`."""

    def __init__(self, session: SessionConfig, peer: PeerConfig | None) -> None:
        self._session = self._wanted = session
        self._peer = peer
        self._heard: list[Listener] = []  # the last is where it listens now
        self._failed: PexrtcError | None = None
        self._place: Place | None = None
        self._moved = asyncio.Event()
        self._arrived = asyncio.Event()

    @property
    def alias(self) -> str:
        """The conference it listens in, or is to listen in."""
        return self._wanted.alias

    @property
    def lost(self) -> PexrtcError | None:
        """Why it hears nothing any more, whatever is played; None while it may."""
        return self._failed or self._heard[-1].lost

    def heard_in(self, alias: str) -> Listener | None:
        """Return who listened in a conference, the last time it was there; None when nobody did."""
        return next((listener for listener in reversed(self._heard) if listener.alias == alias), None)

    def clear(self) -> None:
        """Forget what came so far: a new announcement begins."""
        del self._heard[:-1]
        self._heard[-1].clear()

    async def hear_out(self) -> None:
        """Wait until what was on its way is there. Safe to cancel."""
        await self._settled()
        await self._heard[-1].hear_out()

    async def follow(self, podium: Podium) -> None:
        """Go where a podium goes, until it goes nowhere any more. Cancelling is safe."""
        place = podium.place
        while (there := await podium.after(place)) is not None:
            place = there
            self._go_to(place)

    async def there(self, podium: Podium) -> None:
        """Wait until somebody listens where a podium is, or it is known that nobody will. Cancelling is safe."""
        self._go_to(podium.place)
        await self._settled()

    async def _settled(self) -> None:
        """Wait until it listens where it is to listen, or cannot."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                await self._arrived.wait()
        except TimeoutError:
            self._failed = NoMedia(f"not let in, or no media, within {_LIMIT_S:g} s")

    def _go_to(self, place: Place) -> None:
        """Listen in a conference, of which the transfers have told node and alias."""
        if place is self._place:
            return
        self._place = place
        there = place.conference.session.config
        if (there.node_url, there.alias) == (self._wanted.node_url, self._wanted.alias):
            return
        self._wanted = replace(
            self._session, node_url=there.node_url, fallback_urls=(), alias=there.alias, conference_extension=None
        )
        self._arrived.clear()
        self._moved.set()

    async def _keep(self, first: asyncio.Future[PexrtcError | None]) -> None:
        """Listen in one conference after the other. Cancelling leaves."""
        while True:
            self._moved.clear()
            try:
                async with listening(self._wanted, peer=self._peer) as listener:
                    self._heard.append(listener)
                    self._failed = None
                    self._arrived.set()
                    if not first.done():
                        first.set_result(None)
                    elif not self._moved.is_set():
                        logger.info("= listening in %s now", listener.alias)
                    await self._moved.wait()
            except PexrtcError as exc:
                if not first.done():
                    first.set_result(exc)
                    return
                self._failed = exc
                self._arrived.set()
                await self._moved.wait()


@asynccontextmanager
async def open_ears(session: SessionConfig, *, peer: PeerConfig | None = None) -> AsyncIterator[Ears]:
    """Join a conference to hear and see it, ready to go to others; leaving the block leaves.

    Raises:
        PexrtcError: it cannot be joined, or has no media for us.
    """
    ears = Ears(session, peer)
    first: asyncio.Future[PexrtcError | None] = asyncio.get_running_loop().create_future()
    async with task_owner() as tasks:
        # One task enters and leaves them all: a conference is left in the task in which it was joined.
        tasks.start(ears._keep(first), name="pexrtc ears")
        if (why := await first) is not None:
            raise why
        yield ears
