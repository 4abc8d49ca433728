"""Dialling out: what the node asks of whoever can call somebody.

The node has no endpoint of its own (the two ends of a wire do not know each other), so a `Dialler` is handed in from
above. It calls the destination, and when that answers, joins `join_url` with the one-time `token`: so the participant
that everybody saw as `connecting` comes in. It runs as long as the call lasts; when it returns, the leg is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from ..protocol.models import DialRequest, ParticipantUuid, Token

__all__ = ["DialJob", "Dialler"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialJob:
    """One call to make."""

    node_url: str
    """This node."""
    alias: str
    """The conference that dials."""
    participant: ParticipantUuid
    """Whose place the called one takes."""
    token: Token = field(repr=False)
    """One-time token to join `alias` with."""
    request: DialRequest
    """What was asked for: destination, protocol, role and the rest of the `dial` body."""
    is_own: bool
    """Whether the destination is an alias of this node."""


Dialler: TypeAlias = Callable[[DialJob], Awaitable[None]]
"""Makes the call and returns when it is over; an exception means it failed. Cancelled when nobody waits any more."""
