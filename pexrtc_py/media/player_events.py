"""How a player plays, and what it tells: its start, its lateness, its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Ended", "Late", "PlayerConfig", "PlayerEnd", "PlayerEvent", "Started"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerConfig:
    """How a source is played."""

    read_ahead_s: float | None = None
    """Seconds that are read before they are due. None: 0.3 of a source that encodes, so that it heeds requests for key
    frames and rates soon, and 2 of others."""
    late_limit_s: float = 0.75
    """Up to this much behind, everything is sent at once to catch up: 720p30 and sound are 150 packets then, and what
    Linux grants a receiver's socket by default holds 180. Beyond it (the machine slept, the source stalled) the rest is
    played later instead: no flood of packets, nothing left out, but a hole in time, which `Late` tells."""
    make_ahead_s: float = 0.2
    """Seconds of which packets are made at once before they are due, where taps can (see `player_ahead`) and the source
    is prepared: neither live nor encoded anew. 0: each frame at its time."""
    hold: bool = False
    """Send silence and the first picture until `release` is called, so that nothing of the source is said too early."""
    end_taps: bool = False
    """Call `end()` of each tap when the source is over or the player stopped. A sender lives on; a writer's track may
    want it."""


class PlayerEnd(StrEnum):
    """Why a player has ended."""

    FINISHED = "finished"
    """The source is over, its last frame has been pushed and has lasted its time."""
    STOPPED = "stopped"
    """Someone asked it to."""
    FAILED = "failed"
    """The source broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first frame was pushed."""

    at: float
    """On the player's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """The source or the machine was too slow; the rest is played later by so much."""

    position_s: float
    """Where in the source."""
    late_s: float
    """By how much, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing more will be pushed."""

    why: PlayerEnd
    position_s: float
    """How much was played, seconds."""


PlayerEvent = Started | Late | Ended
