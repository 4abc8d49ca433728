"""A place in one conference from which announcements are made: joined, let in, with calls that are up.

Several are opened side by side, each in a task of its own, so that a conference that refuses costs the others nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from ..endpoint.conference import Conference, open_conference
from ..errors import PexrtcError
from ..signalling import SessionConfig
from ..tasks import first_of
from .ducking import DuckingDecision
from .outlet import Outlet, open_outlet
from .played import Announcement
from .side_by_side import open_all

__all__ = ["Podium", "open_podium", "open_podiums"]


@dataclass(slots=True, kw_only=True)
class Podium:
    """One conference, joined to play into."""

    alias: str
    """The conference."""
    conference: Conference
    """Us in it."""
    main: Outlet
    """Where the announcement goes."""
    slides: Outlet | None = None
    """Where its presentation goes."""
    ducking: DuckingDecision = field(default_factory=DuckingDecision)
    """Whether to be softer now; asked only when a softer level is there."""

    async def gone(self) -> str | PexrtcError:
        """Wait until nothing can be played here any more; return why. Cancelling is safe."""
        _, why = await first_of(call=self.main.call.ended(), conference=self.conference.ended())
        return why if isinstance(why, PexrtcError) else str(why)


@asynccontextmanager
async def open_podium(
    conference: Conference, announcement: Announcement, slides: Announcement | None = None, *, listen: bool = False
) -> AsyncIterator[Podium]:
    """Wait to be let in and call; leaving the block hangs up.

    Args:
        conference: where.
        announcement: what is going to be played; only its kinds, codecs and transport count.
        slides: what is going to be presented; None: nothing.
        listen: whether to hear the conference's digits.

    Raises:
        PexrtcError: the call failed.
    """
    await conference.session.wait_in_conference()  # nobody hears what is played into a waiting room
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        main = await enter(
            open_outlet(
                conference,
                announcement.codecs,
                present=announcement.present,
                listen=listen,
                peer=announcement.peer,
            )
        )
        beside = None
        if slides is not None:
            beside = await enter(open_outlet(conference, slides.codecs, present=True, peer=slides.peer))
        alias = conference.session.config.alias
        yield Podium(alias=alias, conference=conference, main=main, slides=beside)


def open_podiums(
    sessions: Sequence[SessionConfig],
    announcement: Announcement,
    slides: Announcement | None = None,
    *,
    listen: bool = False,
) -> AbstractAsyncContextManager[list[Podium | PexrtcError]]:
    """Join several conferences at once; leaving the block leaves them all.

    What cannot be joined within twenty seconds, a waiting room included, is an error in its place of the list; one
    alone may wait as long as it likes.
    """

    @asynccontextmanager
    async def joined(session: SessionConfig) -> AsyncIterator[Podium]:
        async with (
            open_conference(session) as conference,
            open_podium(conference, announcement, slides, listen=listen) as podium,
        ):
            yield podium

    return open_all([partial(joined, session) for session in sessions])
