"""When a recording ends by itself. Pure: what is known goes in, the reason comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Ended", "Observed", "StopRules", "stop_reason"]


class Ended(StrEnum):
    """Why a recording ended."""

    STOPPED = "stopped"
    """Asked to, by its user or program."""
    DURATION = "duration"
    SIZE = "size"
    TIME_OF_DAY = "time of day"
    SILENCE = "silence"
    ALONE = "alone"
    NO_MEDIA = "no media"
    CONFERENCE_OVER = "conference over"
    REMOVED = "removed"
    """By somebody in the conference, or lost beyond the limits of rejoining."""
    DISK = "disk"
    """The disk is full or gone, or has less left than it must have."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRules:
    """Limits; None for those that do not count."""

    duration_s: float | None = None
    """Seconds recorded, pauses not counted."""
    size_bytes: int | None = None
    """Bytes on disk, all files together."""
    at: float | None = None
    """Moment on the wall clock, seconds since the epoch."""
    silence_s: float | None = None
    """Seconds since somebody was last heard."""
    alone_s: float | None = None
    """Seconds without another person in the conference; bots are none."""
    deserted_s: float | None = None
    """The same since the last one left; counts only once there was one."""
    no_media_s: float | None = None
    """Seconds without a frame of any kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is known of a recording; moments in seconds of `time.monotonic`."""

    now: float
    wall_clock: float
    """Now, seconds since the epoch."""
    began: float
    """When the conference was joined, infinite before that: who waits to be let in is neither alone nor in silence."""
    recorded_s: float = 0.0
    size_bytes: int = 0
    heard_at: float | None = None
    """When somebody was last heard, infinite while somebody is; None for not yet."""
    accompanied_at: float | None = None
    """When another person was last present, infinite while one is; None for not yet."""
    media_at: float | None = None
    """When the last frame came; None for not yet."""
    is_paused: bool = False


def stop_reason(rules: StopRules, seen: Observed) -> Ended | None:
    """Return why the recording is to end now, None if it is not.

    Silence and loneliness count from joining if nobody was heard or met yet; silence does not count in a pause.
    """
    if rules.duration_s is not None and seen.recorded_s >= rules.duration_s:
        return Ended.DURATION
    if rules.size_bytes is not None and seen.size_bytes >= rules.size_bytes:
        return Ended.SIZE
    if rules.at is not None and seen.wall_clock >= rules.at:
        return Ended.TIME_OF_DAY
    if rules.alone_s is not None and _since(seen.accompanied_at, seen) >= rules.alone_s:
        return Ended.ALONE
    met = seen.accompanied_at is not None
    if met and rules.deserted_s is not None and _since(seen.accompanied_at, seen) >= rules.deserted_s:
        return Ended.ALONE
    if seen.is_paused:
        return None
    if rules.no_media_s is not None and _since(seen.media_at, seen) >= rules.no_media_s:
        return Ended.NO_MEDIA
    if rules.silence_s is not None and _since(seen.heard_at, seen) >= rules.silence_s:
        return Ended.SILENCE
    return None


def _since(moment: float | None, seen: Observed) -> float:
    return seen.now - (seen.began if moment is None else moment)
