"""How a presentation comes and goes: by a line of the main call, as clients of today have it, or by a call of its own.

Nodes of before release 23 know no `update`, so a line cannot be turned on there when a presentation begins, those of
before 29 no `take_floor`, without which nobody is shown what a line sends; the guide has calls with `present: receive`
and `present: send` for them. What the node is decides, unless the user does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from ..errors import PexrtcError
from ..protocol.operations import OPERATIONS
from ..protocol.sdp import Direction
from ..signalling import Session
from .call import Call, CallConfig
from .conference import Conference

__all__ = ["PresentationWay", "presentation_way", "receive_presentation", "send_presentation"]

logger = logging.getLogger(__name__)

_TURN_OFF_S = 2.0
"""How long we wait for the node to hear that a presentation is not wanted any more; leaving the call says so too."""


class PresentationWay(StrEnum):
    """How a presentation comes and goes."""

    AUTO = "auto"
    """As the node's release has it."""
    LINE = "line"
    """By a line of the main call: one path, and one clock with its sound."""
    CALL = "call"
    """By a call of its own (`present`)."""


def presentation_way(
    session: Session, wanted: PresentationWay = PresentationWay.AUTO, *, sends: bool = False
) -> PresentationWay:
    """Return the way to take at a node: what is wanted, or what its release knows.

    Args:
        session: at the node.
        wanted: by the user.
        sends: whether we are to present: that needs `take_floor` too, which is younger than `update`.
    """
    if wanted is not PresentationWay.AUTO:
        return wanted
    release = session.token_result.version.version_id
    since = max(OPERATIONS[name].since for name in ("call_update", *(("participant_take_floor",) if sends else ())))
    knows_it = release.isascii() and release.isdecimal() and int(release) >= since
    return PresentationWay.LINE if knows_it else PresentationWay.CALL


@asynccontextmanager
async def receive_presentation(conference: Conference, main: Call | None, config: CallConfig) -> AsyncIterator[Call]:
    """Receive the presentation that runs: `call.slides` of what is yielded is its line. Leaving the block ends that.

    Args:
        conference: where.
        main: the call that has a line for it; None makes a call of its own.
        config: of that, `present` being `RECEIVE`.

    Raises:
        PexrtcError: the node refused, or cannot be reached.
    """
    if main is None:
        async with conference.call(config) as call:
            yield call
        return
    async with _slides_on(main, Direction.RECVONLY):
        yield main


@asynccontextmanager
async def send_presentation(conference: Conference, main: Call | None, config: CallConfig) -> AsyncIterator[Call]:
    """Present: `call.slides` of what is yielded is the line to send on, once it is connected. Leaving ends that.

    Somebody else may take the floor meanwhile; then a call of its own is ended by the node, and what is sent on a line
    is shown to nobody.

    Args:
        conference: where.
        main: the call that has a line for it; None makes a call of its own.
        config: of that, `present` being `SEND`.

    Raises:
        Forbidden: we may not present.
        PexrtcError: the node refused, or cannot be reached.
    """
    if main is None:
        async with conference.call(config) as call:
            yield call
        return
    me, client = conference.participant_uuid, conference.client
    await client.participant_take_floor(me)
    try:
        async with _slides_on(main, Direction.SENDONLY):
            yield main
    finally:
        if conference.session.closed is None:  # who has left has no floor to give back
            with suppress(PexrtcError, TimeoutError):
                async with asyncio.timeout(_TURN_OFF_S):
                    await client.participant_release_floor(me)


@asynccontextmanager
async def _slides_on(call: Call, direction: Direction) -> AsyncIterator[None]:
    """Turn the line of the presentation on, and off in the end, if the call lives on."""
    await call.set_slides(direction)
    try:
        yield
    finally:
        if call.ended_reason is None:
            try:
                async with asyncio.timeout(_TURN_OFF_S):
                    await call.set_slides(Direction.INACTIVE)
            except (PexrtcError, TimeoutError) as exc:
                logger.debug("! the line of the presentation stays on: %s", exc)
