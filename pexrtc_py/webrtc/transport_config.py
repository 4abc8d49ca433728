"""How a transport is made, where it may stand, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .gathering import GatheringConfig

__all__ = ["TransportConfig", "TransportHandlers", "TransportState"]


class TransportState(StrEnum):
    """Where a transport stands."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Nothing was heard for a while; it may come back."""
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig(GatheringConfig):
    """How a transport is made."""

    silence_s: float = 4.0
    """Seconds without media, RTCP or an answer to a connectivity check until the state is `disconnected`; 12.5 at least
    with `ice_lite`."""
    relaxed: bool = False
    """Whether media may be read some milliseconds late, which costs a third less CPU: for who only records."""
    patience_s: float = 30.0
    """Seconds to look for a path before giving up (RFC 8863 has 39.5); callers' deadlines are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportHandlers:
    """Whom a transport calls; in the event loop, and never after `aclose` has returned."""

    on_rtp: Callable[[bytes, float], None]
    """A decrypted RTP packet and its arrival on `time.monotonic`."""
    on_rtcp: Callable[[bytes, float], None]
    """A decrypted compound RTCP packet and its arrival."""
    on_state: Callable[[TransportState], None]
    """The state has changed."""
