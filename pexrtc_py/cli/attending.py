"""Being in a conference without media, as commands that look and control are; it takes no port licence of the node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from ..endpoint.conference import is_bot
from ..errors import NodeError, SessionClosed, UsageError
from ..protocol.escaping import visible
from ..protocol.models import Participant, ParticipantUuid
from ..protocol.roster import Breakout
from ..signalling import Session, SessionConfig, open_session
from .screen import Screen

__all__ = ["arrived", "attend", "described", "find_participant", "tell_outages"]

_MOMENT_S = 2.0
"""So long the event stream may be away without a word: nodes are restarted, networks changed."""
_SYNC_S = 15.0
"""How long a node may take to tell who is there; real ones take well under a second."""


@asynccontextmanager
async def attend(config: SessionConfig, screen: Screen) -> AsyncIterator[Session]:
    """Join without media and wait until the node has told who is there; leaving the block leaves the conference.

    Raises:
        RefusedError: the node will not have us.
        NodeError: it does not tell who is there.
        PexrtcError: no node could be reached or used.
    """
    async with open_session(config) as session:
        try:
            async with asyncio.timeout(_SYNC_S):
                await session.wait_for(lambda s: s.roster.synced)
        except TimeoutError:
            raise NodeError("events", 0, f"no participant list within {_SYNC_S:g} s") from None
        if why := session.why_waiting:
            screen.note(f"{session.config.alias}: we are {why}")
        yield session


async def tell_outages(session: Session, screen: Screen, *, moment_s: float = _MOMENT_S) -> None:
    """Say when the node has fallen silent, and when it speaks again; for ever. Cancelling is safe.

    A session outlives its event stream for as long as its token is good: minutes in which nobody could tell a node that
    is dead from a conference in which nothing happens.
    """
    alias, node_url = session.config.alias, session.client.node_url
    with suppress(SessionClosed):
        while True:
            await session.wait_for(lambda s: s.listening)
            await session.wait_for(lambda s: not s.listening)
            try:
                async with asyncio.timeout(moment_s):
                    await session.wait_for(lambda s: s.listening)
            except TimeoutError:
                screen.note(f"{alias}: no events come from {node_url.rpartition('@')[2]}, trying again")
                await session.wait_for(lambda s: s.listening)
                screen.note(f"{alias}: events come again")
    await asyncio.Event().wait()  # why it ended is told by whoever reads the events


def find_participant(session: Session, text: str, inside: Breakout | None = None) -> ParticipantUuid:
    """Find whom a user means, in the conference or a breakout: by UUID, as `me`, or by a name that only one has.

    Raises:
        UsageError: nobody, or several.
    """
    people = session.roster.participants if inside is None else inside.roster.participants
    ours = session.participant_uuid if inside is None else inside.participant_uuid
    if text in people:
        return ParticipantUuid(text)
    if text == "me":
        return ours
    others = [person for person in people.values() if person.uuid != ours]
    found = [person for person in others if person.display_name == text]
    found = found or [person for person in others if person.display_name.casefold() == text.casefold()]
    if len(found) == 1:
        return found[0].uuid
    if found:
        which = "; ".join(f"{person.uuid} ({described(person) or 'no media'})" for person in found)
        raise UsageError(f"{len(found)} participants are called {visible(text)!r}; say the UUID: {which}")
    raise UsageError(f"no participant is called {visible(text)!r}; there are: {_names(others)}")


def arrived(person: Participant) -> str:
    """Return the time of day at which somebody joined, where the node tells one that there can be."""
    try:
        return datetime.fromtimestamp(person.start_time).astimezone().strftime("%H:%M:%S") if person.start_time else ""
    except (OverflowError, OSError, ValueError):
        return ""


def described(person: Participant, speaking: Sequence[Participant] = ()) -> str:
    """Say in a few words what a participant is and does."""
    words = [
        ("bot", is_bot(person)),
        ("waiting", not person.in_conference),
        ("records", person.is_recording is True),
        ("streams", person.is_streaming_conference),
        ("video", person.has_media and person.has_video and not person.audio_only),
        ("audio only", person.has_media and (person.audio_only or not person.has_video)),
        ("presents", person.presenting),
        ("muted", person.muted),
        ("microphone off", person.is_client_muted),
        ("camera off", person.is_video_muted),
        ("on hold", person.is_on_hold is True),
        ("hand raised", person.hand_raised),
        ("spotlight", person.spotlight > 0),
        ("speaks", person in speaking),
    ]
    return ", ".join(word for word, is_so in words if is_so)


def _names(people: Sequence[Participant]) -> str:
    names = sorted({visible(person.display_name) for person in people})
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(names[:20]) + more) or "nobody else"
