"""Tokens and limits, with a clock of the test's own."""

from __future__ import annotations

import itertools

from pexrtc_py.node.limits import RateLimit
from pexrtc_py.node.tokens import OneTimeTokens, Tokens


def make_tokens() -> Tokens[str]:
    counter = itertools.count()
    return Tokens(lifetime_s=120, grace_s=20, draw=lambda: f"t{next(counter)}")


def test_a_token_lives_its_time() -> None:
    """A token is good until its lifetime ends, and then its holder is given up once."""
    tokens = make_tokens()
    token = tokens.issue("alice", 0)
    assert tokens.holder(token, 119.9) == "alice"
    assert tokens.holder(token, 120) is None
    assert tokens.next_expiry() == 120
    assert tokens.pull_expired(119.9) == []
    assert tokens.pull_expired(120) == ["alice"]
    assert tokens.pull_expired(121) == []
    assert tokens.next_expiry() is None


def test_an_old_token_works_for_the_grace_period() -> None:
    """Requests in flight with the token before the refresh are served, for a while, never longer than it had."""
    tokens = make_tokens()
    first = tokens.issue("alice", 0)
    second = tokens.issue("alice", 40)
    assert tokens.holder(first, 59.9) == "alice"
    assert tokens.holder(first, 60) is None
    assert tokens.next_expiry() == 160
    tokens.issue("alice", 150)
    assert tokens.holder(second, 159.9) == "alice"
    assert tokens.holder(second, 160) is None


def test_bursts_of_refreshes_keep_a_bounded_number() -> None:
    """However often a client refreshes, few of its tokens are kept, the newest among them."""
    tokens = make_tokens()
    issued = [tokens.issue("alice", 0) for _ in range(100)]
    good = [token for token in issued if tokens.holder(token, 1)]
    assert good == issued[-16:]


def test_revoke_and_expire() -> None:
    """Revoking ends all tokens at once without a word; expiring lets the holder be given up."""
    tokens = make_tokens()
    token = tokens.issue("alice", 0)
    tokens.expire("alice", 10)
    tokens.expire("nobody", 10)
    assert tokens.holder(token, 10) is None
    assert tokens.pull_expired(10) == ["alice"]
    token = tokens.issue("bob", 0)
    tokens.revoke("bob")
    tokens.revoke("bob")
    assert tokens.holder(token, 1) is None
    assert tokens.pull_expired(1000) == []


def test_one_time_tokens() -> None:
    """A one-time token works once, in time."""
    counter = itertools.count()
    tokens: OneTimeTokens[str] = OneTimeTokens(lifetime_s=60, draw=lambda: f"t{next(counter)}")
    token = tokens.issue("meet.bob", 0)
    assert tokens.redeem(token, 1) == "meet.bob"
    assert tokens.redeem(token, 1) is None
    late = tokens.issue("meet.bob", 0)
    assert tokens.redeem(late, 60) is None


def test_rate_limit() -> None:
    """A burst, then so many a second, for each key; the key longest unused is forgotten."""
    limit = RateLimit(burst=2, per_s=0.5, keys=2)
    assert [limit.take("a", 0) for _ in range(3)] == [True, True, False]
    assert limit.wait_s("a", 0) == 2
    assert limit.is_exhausted("a", 1)
    assert limit.take("a", 2)
    assert limit.take("b", 2)
    assert limit.take("c", 2)
    assert [limit.take("a", 2) for _ in range(3)] == [True, True, False]
