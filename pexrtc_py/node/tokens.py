"""Tokens: who holds which, until when, and which old ones still work.

Clients refresh in bursts and have requests with the previous token in flight, so a token lives on
for a grace period after it was refreshed. A holder ends when its newest token does. No clock and no dice of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..protocol.models import Token

__all__ = ["OneTimeTokens", "Tokens"]

H = TypeVar("H")

_LIVE_PER_HOLDER = 16
"""Tokens of one holder that work at once; a limit of our own, many times what a burst of refreshes makes."""


@dataclass(slots=True)
class _Grant(Generic[H]):
    holder: H
    ends: float


class Tokens(Generic[H]):
    """The tokens of a node's participants. Holders are compared by identity or equality, and hashable."""

    def __init__(self, *, lifetime_s: float, grace_s: float, draw: Callable[[], str]) -> None:
        self.lifetime_s = lifetime_s
        self._grace_s = grace_s
        self._draw = draw
        self._grants: dict[Token, _Grant[H]] = {}
        self._of: dict[H, list[Token]] = {}

    def issue(self, holder: H, now: float) -> Token:
        """Give a holder a token; those it had work for the grace period."""
        held = self._of.setdefault(holder, [])
        for old in held:
            grant = self._grants[old]
            grant.ends = min(grant.ends, now + self._grace_s)
        while len(held) >= _LIVE_PER_HOLDER:
            del self._grants[held.pop(0)]
        token = Token(self._draw())
        held.append(token)
        self._grants[token] = _Grant(holder, now + self.lifetime_s)
        return token

    def holder(self, token: str, now: float) -> H | None:
        """Return who holds a token that is still good."""
        grant = self._grants.get(Token(token))
        return grant.holder if grant is not None and now < grant.ends else None

    def revoke(self, holder: H) -> None:
        """End all tokens of a holder; one who has none is ignored."""
        for token in self._of.pop(holder, ()):
            del self._grants[token]

    def expire(self, holder: H, now: float) -> None:
        """Let a holder's tokens end now; `pull_expired` yields it."""
        for token in self._of.get(holder, ()):
            self._grants[token].ends = min(self._grants[token].ends, now)

    def next_expiry(self) -> float | None:
        """When the first holder ends unless it refreshes, or None."""
        return min((self._grants[held[-1]].ends for held in self._of.values()), default=None)

    def pull_expired(self, now: float) -> list[H]:
        """Take out holders whose newest token has ended."""
        gone = [holder for holder, held in self._of.items() if self._grants[held[-1]].ends <= now]
        for holder in gone:
            self.revoke(holder)
        return gone


class OneTimeTokens(Generic[H]):
    """Tokens good for one request_token: of transfers and of dialled participants."""

    def __init__(self, *, lifetime_s: float, draw: Callable[[], str]) -> None:
        self._lifetime_s = lifetime_s
        self._draw = draw
        self._grants: dict[Token, _Grant[H]] = {}

    def issue(self, meaning: H, now: float) -> Token:
        """Make a token that stands for something once."""
        self._grants = {token: grant for token, grant in self._grants.items() if now < grant.ends}
        token = Token(self._draw())
        self._grants[token] = _Grant(meaning, now + self._lifetime_s)
        return token

    def redeem(self, token: str, now: float) -> H | None:
        """Return what a token stands for, and forget it."""
        grant = self._grants.pop(Token(token), None)
        return grant.holder if grant is not None and now < grant.ends else None
