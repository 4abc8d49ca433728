"""What a recorder does about a call, a session or a node that is lost. Pure: errors and moments go in, decisions out.

The rule kept here: whom somebody put out stays out; whatever else happens is tried again, for as long as the rules say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import (
    ConferenceNotFound,
    IdentityProviderRequired,
    LocalProtocolError,
    NodeError,
    PexrtcError,
    PinInvalid,
    PinRequired,
    SessionClosed,
    SessionClosedError,
    Throttled,
    TokenExpired,
    TransportError,
    UsageError,
    WriteError,
)
from ..protocol.backoff import Backoff
from ..protocol.models import Reason

__all__ = ["Interruption", "Patience", "Remedy", "StayRules", "is_final", "may_come_to_life", "may_wait_on"]

_PUT_OUT = frozenset(
    {
        Reason.DISCONNECTED_BY_API,
        Reason.DISCONNECTED_BY_PARTICIPANT,
        Reason.DISCONNECTED_BY_ADMINISTRATOR,
        Reason.PIN_TRIES_EXCEEDED,
        Reason.CALL_REJECTED,
        Reason.DIAL_OUT_FAILED,
    }
)


class Remedy(StrEnum):
    """What is done about an interruption."""

    PATH = "new path"
    """Another path for the media of the same call."""
    CALL = "new call"
    """Another call of the same participant."""
    SESSION = "joined anew"
    """Another participant."""
    TRANSFER = "followed a transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRules:
    """How hard a recorder clings to a conference."""

    rejoin_for_s: float = 300.0
    """Seconds to try to be back after media, call, session or a place in the waiting room was lost; 0: not at all."""
    silence_s: float = 4.0
    """Seconds without sound and picture after which a call counts as lost: nodes send sound all the time."""
    wait_for_s: float = 0.0
    """Seconds to try to get in at first, when there is no such conference yet or its node cannot be reached."""
    settled_s: float = 30.0
    """Seconds in a conference after which being sent on is no sign of being sent round in circles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Something was lost, and what was done."""

    at_s: float
    """Seconds of the recording when it was noticed. What is missing is told by `RecordingResult.holes`."""
    reason: str
    """Why, in the node's words where it gave any."""
    remedy: Remedy
    """What was done, the last remedy if several were needed."""
    back_s: float | None = None
    """Seconds of the recording when media could flow again; None if it never could."""


class Patience:
    """Says when to try again, and when no more. A loss begins when media was heard since the one before."""

    def __init__(self, limit_s: float, backoff: Backoff) -> None:
        """Give up `limit_s` after a loss began."""
        self._limit_s = limit_s
        self._backoff = backoff
        self._since: float | None = None

    def lose(self, now: float, heard_at: float | None) -> None:
        """Learn of a loss, and when media was last heard."""
        if self._since is None or (heard_at is not None and heard_at > self._since):
            self._since = now
            self._backoff.reset()

    def hasten(self) -> None:
        """Learn that the node is there and answers: the next try is not far."""
        self._backoff.reset()

    def next_delay(self, now: float) -> float | None:
        """Return how long to wait before the next try; None when there shall be none."""
        left = self._limit_s - (now - (now if self._since is None else self._since))
        return min(self._backoff.next_delay(), left) if left > 0 else None


def is_final(error: PexrtcError) -> bool:
    """Tell whether to come back is useless, or not wanted, for one who has been in."""
    if isinstance(error, SessionClosed):
        return error.by_us or error.reason in _PUT_OUT
    # A PIN that was right and is no more was changed to keep somebody out.
    return isinstance(
        error, UsageError | WriteError | LocalProtocolError | PinInvalid | PinRequired | IdentityProviderRequired
    )


def may_come_to_life(error: PexrtcError) -> bool:
    """Tell whether one who has not been in may get in a little later."""
    if isinstance(error, SessionClosed):
        return error.reason == Reason.WAITED_TOO_LONG
    return isinstance(error, ConferenceNotFound | TransportError | NodeError | Throttled)


def may_wait_on(error: PexrtcError) -> bool:
    """Tell whether one who waited to be let in has lost its place there, and may take another."""
    if isinstance(error, SessionClosedError):
        return not is_final(error) and error.reason != Reason.WAITED_TOO_LONG
    return isinstance(error, TokenExpired)
