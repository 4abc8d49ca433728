"""Playing into one conference: join, call, play to the last sample, leave.

What is offered follows the source: its own codec first, so that the node may take it and nothing is encoded.
"""

from __future__ import annotations

from collections.abc import Callable

from ..endpoint.conference import Conference
from ..endpoint.presentation import PresentationWay
from ..errors import SessionClosedError
from ..media.player import Player
from .broadcast import broadcast
from .material import announcement_of_sources
from .played import DEFAULT_PRESENT_BY, Announcement, Played, SourceOpener
from .podium import open_podium
from .readiness import Readiness

__all__ = ["Announcement", "Played", "SourceOpener", "announce", "play", "play_with_slides"]


async def announce(
    conference: Conference,
    *sources: str,
    present: str | None = None,
    loop: int | None = 1,
    how: Readiness | None = None,
    present_by: PresentationWay = DEFAULT_PRESENT_BY,
    on_player: Callable[[Player], None] | None = None,
) -> Played:
    """Announce sources: `await announce(conference, "speech:Five minutes left")`. Cancelling hangs up.

    They are prepared and levelled, begin when the far side receives, and are waited for until the last sample has been
    acknowledged. A transfer ends it, as `Played.ended` says: the conference is yours, and so is the next
    (`conference.session.transfer`); an `Announcer` follows by itself.

    Args:
        conference: where.
        sources: as on the command line: files, `speech:Hello`, `tone:440`, see `media.sources.text`.
        present: shown as a presentation meanwhile; None: nothing.
        loop: how often all of it is played, without a seam; None: until the player is stopped.
        how: loudness, cache, voice.
        present_by: how it is presented: by a line of the one call, or by a call of its own.
        on_player: told the player: its `events`, its position, to stop it.

    Raises:
        UsageError: a source makes no sense, or cannot be opened.
        SourceError: a source broke in the middle.
        SessionClosedError: removed from the conference, or the session was lost.
        PexrtcError: the call failed.
    """
    main = await announcement_of_sources(sources, loop=loop, how=how)
    slides = await announcement_of_sources([present], loop=None, how=how, present=True) if present is not None else None
    return await _play(conference, main, slides, on_player, present_by)


async def play(
    conference: Conference,
    announcement: Announcement,
    *,
    on_player: Callable[[Player], None] | None = None,
) -> Played:
    """Play an announcement into a conference and return what was sent. Cancelling hangs up; what was played was heard.

    Args:
        conference: where.
        announcement: what.
        on_player: told the player, to show its progress or to stop it.

    Raises:
        SourceError: the source cannot be opened, or broke in the middle.
        CodecMismatch: the node takes none of the codecs that we can send.
        SessionClosedError: removed from the conference, or the session was lost.
        PexrtcError: the call failed.
    """
    return await _play(conference, announcement, None, on_player)


async def play_with_slides(
    conference: Conference,
    announcement: Announcement,
    slides: Announcement,
    *,
    present_by: PresentationWay = DEFAULT_PRESENT_BY,
    on_player: Callable[[Player], None] | None = None,
) -> Played:
    """Play an announcement while a presentation is shown: both begin together, the announcement's end ends both.

    Args:
        conference: where.
        announcement: what is played.
        slides: what is shown; its `peer` counts for a call of its own only.
        present_by: how it is shown: by a line of the one call, or by a call of its own.
        on_player: told each player, to show its progress or to stop it.

    Raises:
        PexrtcError: as `play` has it, of either.
    """
    return await _play(conference, announcement, slides, on_player, present_by)


async def _play(
    conference: Conference,
    announcement: Announcement,
    slides: Announcement | None,
    on_player: Callable[[Player], None] | None,
    present_by: PresentationWay = DEFAULT_PRESENT_BY,
) -> Played:
    async with open_podium(conference, announcement, slides, present_by=present_by) as podium:
        [played] = await broadcast([podium], announcement, slides, on_player=on_player)
    if isinstance(played.error, SessionClosedError):
        raise played.error
    return played
