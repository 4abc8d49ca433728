"""A place in a conference from which announcements are made: joined, let in, with calls that are up.

Several are opened side by side, each in a task of its own, so that a conference that refuses costs the others nothing.
Those follow transfers: sent to another conference, a podium is away for the moment that joining takes, and is there
again in the other. What is done about what was being played then is decided in `broadcast` and `announcer`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from ..endpoint.conference import Conference, open_conference
from ..endpoint.presentation import PresentationWay, presentation_way
from ..errors import NoMedia, PexrtcError, TransportError
from ..media.frames import Kind
from ..signalling import SessionConfig, Transfers
from ..tasks import first_of, task_owner
from .ducking import DuckingDecision
from .outlet import Outlet, open_outlet, open_slides_outlet
from .played import DEFAULT_PRESENT_BY, Announcement
from .side_by_side import open_all

__all__ = ["Place", "Podium", "open_podium", "open_podiums"]

logger = logging.getLogger(__name__)

_WORD_S = 1.0
"""How long to wait, when a call has ended, for the node to say why: it may be a transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One conference, joined to play into."""

    conference: Conference
    """Us in it."""
    main: Outlet
    """Where the announcement goes."""
    slides: Outlet | None = None
    """Where its presentation goes."""

    @property
    def alias(self) -> str:
        """The conference."""
        return self.conference.session.config.alias

    @property
    def is_over(self) -> bool:
        """Whether nothing can be played here any more."""
        return self.main.call.ended_reason is not None or self.conference.session.closed is not None

    async def gone(self) -> PexrtcError:
        """Wait until nothing can be played here any more; return why. Cancelling is safe."""
        _, why = await first_of(call=self.main.call.ended(), conference=self.conference.ended())
        # The call ends with the conference, and then it is the conference that knows why.
        if (closed := self.conference.session.closed) is not None:
            return closed
        return NoMedia(str(why))

    async def last_word(self, why: PexrtcError) -> PexrtcError:
        """Wait a moment for the conference to say why it is gone: by some nodes calls end first. Cancelling is safe."""
        try:
            async with asyncio.timeout(_WORD_S):
                return await self.conference.ended()
        except TimeoutError:
            return why


@dataclass(slots=True)
class Podium:
    """Where announcements are made: in one conference, and after a transfer in the next."""

    place: Place
    """The conference it is in, or was in last."""
    follows: bool = False
    """Whether it follows transfers."""
    ducking: DuckingDecision = field(default_factory=DuckingDecision)
    """Whether to be softer now; asked only when a softer level is there."""
    lost: PexrtcError | None = None
    """Why nothing can be played here any more, wherever it was sent; None while something can."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def alias(self) -> str:
        """The conference."""
        return self.place.alias

    @property
    def conference(self) -> Conference:
        """Us in it."""
        return self.place.conference

    @property
    def main(self) -> Outlet:
        """Where the announcement goes."""
        return self.place.main

    @property
    def slides(self) -> Outlet | None:
        """Where its presentation goes."""
        return self.place.slides

    async def gone(self) -> PexrtcError:
        """Wait until nothing can be played any more, here or where we are sent; return why. Cancelling is safe."""
        if not self.follows:
            return await self.place.gone()
        while self.lost is None:
            await self._changed.wait()
        return self.lost

    async def after(self, place: Place) -> Place | None:
        """Wait until we are somewhere else than in a place that is over; None: nowhere any more. Cancelling is safe."""
        while self.follows and self.lost is None and self.place is place:
            await self._changed.wait()
        return self.place if self.place is not place else None

    def _move(self, place: Place) -> None:
        self.place = place
        self._tell()

    def _lose(self, why: PexrtcError) -> None:
        self.lost = why
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@asynccontextmanager
async def open_podium(
    conference: Conference,
    announcement: Announcement,
    slides: Announcement | None = None,
    *,
    listen: bool = False,
    present_by: PresentationWay = DEFAULT_PRESENT_BY,
) -> AsyncIterator[Podium]:
    """Wait to be let in and call; leaving the block hangs up. It stays in this conference: a transfer ends it.

    Args:
        conference: where.
        announcement: what is going to be played; only its kinds, codecs and transport count.
        slides: what is going to be presented; None: nothing.
        listen: whether to hear the conference's digits.
        present_by: how that comes: by a line of the one call, or by a call of its own.

    Raises:
        PexrtcError: the call failed.
    """
    await conference.session.wait_in_conference()  # nobody hears what is played into a waiting room
    by_line = slides is not None and _by_line(conference, announcement, present_by)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        main = await enter(
            open_outlet(
                conference,
                announcement.codecs,
                present=announcement.present,
                listen=listen,
                slides=slides.codecs if slides is not None and by_line else None,
                peer=announcement.peer,
            )
        )
        beside = None
        if slides is not None:
            beside = await enter(
                open_slides_outlet(conference, slides.codecs, main=main if by_line else None, peer=slides.peer)
            )
        yield Podium(Place(conference=conference, main=main, slides=beside))


def _by_line(conference: Conference, announcement: Announcement, wanted: PresentationWay) -> bool:
    """Whether the call of an announcement has a line for what is presented meanwhile."""
    if announcement.present:
        return False  # it is a presentation itself, and has no main call
    if wanted is PresentationWay.AUTO and Kind.VIDEO not in announcement.codecs:
        return False  # no client known to us has a line of slides without one of pictures before it
    return presentation_way(conference.session, wanted, sends=True) is PresentationWay.LINE


def open_podiums(
    sessions: Sequence[SessionConfig],
    announcement: Announcement,
    slides: Announcement | None = None,
    *,
    listen: bool = False,
    present_by: PresentationWay = DEFAULT_PRESENT_BY,
) -> AbstractAsyncContextManager[list[Podium | PexrtcError]]:
    """Join several conferences at once; leaving the block leaves them all. They follow transfers.

    What cannot be joined within twenty seconds, a waiting room included, is an error in its place of the list; one
    alone may wait as long as it likes.
    """

    @asynccontextmanager
    async def joined(session: SessionConfig) -> AsyncIterator[Podium]:
        first: asyncio.Future[Podium | PexrtcError] = asyncio.get_running_loop().create_future()
        async with task_owner() as tasks:
            # One task enters and leaves them all: a conference is left in the task in which it was joined.
            open_here = partial(
                open_podium, announcement=announcement, slides=slides, listen=listen, present_by=present_by
            )
            tasks.start(_keep(session, open_here, first), name="pexrtc podium")
            podium = await first
            if not isinstance(podium, Podium):
                raise podium
            yield podium

    return open_all([partial(joined, session) for session in sessions])


async def _keep(
    session: SessionConfig,
    open_here: Callable[[Conference], AbstractAsyncContextManager[Podium]],
    first: asyncio.Future[Podium | PexrtcError],
) -> None:
    """Be in one conference after the other. Cancelling leaves."""
    podium: Podium | None = None
    transfers = Transfers(session)
    while True:
        why: PexrtcError
        transfer: SessionConfig | None = None
        try:
            async with open_conference(transfers.here) as conference:
                try:
                    async with open_here(conference) as here:
                        if podium is None:
                            podium = here
                            podium.follows = True
                            first.set_result(podium)
                        else:
                            podium._move(here.place)
                            logger.info("= announcing in %s now", podium.alias)
                        why = await here.place.last_word(await here.place.gone())
                finally:
                    transfer = conference.session.transfer
        except PexrtcError as exc:  # of a transfer too: sent on before we were let in
            why = exc
        if transfer is not None:
            try:
                transfers.follow(transfer)
                continue
            except TransportError as exc:
                why = exc
        if podium is not None:
            podium._lose(why)
        else:
            first.set_result(why)
        return
