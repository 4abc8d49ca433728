"""When a token is refreshed: one at a time, early enough to fail and try again, never after its end.

Rule: half the lifetime after the last token (real clients refresh at a third to four fifths);
after a failure again and again by back-off until the token ends.
"""

from __future__ import annotations

from enum import Enum

from ..errors import LocalProtocolError
from .backoff import Backoff

__all__ = ["Renewal", "RenewalState"]


class RenewalState(Enum):
    """Where a renewal is."""

    HOLDING = "holding"
    """The token is good; the timer is for the next refresh."""
    ASKING = "asking"
    """A refresh is under way; the timer is the token's end."""
    ENDED = "ended"
    """The token is past its end."""


class Renewal:
    """The life of one participant's token.

    `next_timer` says when to look again, `handle_timer` whether to refresh then. A refresh that was begun ends with
    `refreshed` or `failed`. All times are seconds of one monotonic clock.
    """

    SHARE = 0.5
    """Part of the lifetime after which to refresh."""

    def __init__(self, lifetime_s: float, now: float, backoff: Backoff) -> None:
        self._backoff = backoff
        self._state = RenewalState.HOLDING
        self._hastened = False
        self._due = self._ends = now
        self._hold(lifetime_s, now)

    @property
    def state(self) -> RenewalState:
        """Where it is."""
        return self._state

    @property
    def ends(self) -> float:
        """When the token ends."""
        return self._ends

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called, or None when all is over."""
        if self._state is RenewalState.ENDED:
            return None
        return self._ends if self._state is RenewalState.ASKING else min(self._due, self._ends)

    def handle_timer(self, now: float) -> bool:
        """Let time pass; True means: refresh now."""
        if self._state is not RenewalState.ENDED and now >= self._ends:
            self._state = RenewalState.ENDED
        if self._state is not RenewalState.HOLDING or now < self._due:
            return False
        self._state = RenewalState.ASKING
        return True

    def hasten(self, now: float) -> None:
        """Refresh at the next timer, which is now; while one is under way, once more after it."""
        if self._state is RenewalState.HOLDING:
            self._due = now
        elif self._state is RenewalState.ASKING:
            self._hastened = True

    def refreshed(self, lifetime_s: float, now: float) -> None:
        """Take a new token.

        Raises:
            LocalProtocolError: no refresh was under way.
        """
        self._leave_asking("refreshed")
        self._backoff.reset()
        self._hold(lifetime_s, now)
        if self._hastened:
            self._hastened = False
            self._due = now

    def failed(self, now: float, *, wait_s: float = 0.0) -> None:
        """Note that a refresh failed and may be tried again.

        Args:
            now: the time.
            wait_s: the least to wait, as the node asked.

        Raises:
            LocalProtocolError: no refresh was under way.
        """
        self._leave_asking("failed")
        self._hastened = False
        self._due = now + max(wait_s, self._backoff.next_delay())

    def _leave_asking(self, event: str) -> None:
        if self._state is RenewalState.HOLDING:
            raise LocalProtocolError(f"token renewal: {event} without a refresh under way")
        self._state = RenewalState.HOLDING

    def _hold(self, lifetime_s: float, now: float) -> None:
        self._ends = now + lifetime_s
        self._due = now + lifetime_s * self.SHARE
