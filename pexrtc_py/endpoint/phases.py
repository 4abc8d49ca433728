"""When each step of joining was done: the milestones of a call, from the first request to the first media.

What is measured here is what `record --json`, the probe and `make bench join` print; a new milestone is added to all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["JoinPhases"]


@dataclass(slots=True, kw_only=True)
class JoinPhases:
    """Moments on `time.monotonic`, None while not reached, in the order they are usually reached."""

    started: float
    """The first request was about to be sent."""
    token: float | None = None
    """The token was there."""
    events: float | None = None
    """The event stream was open and the roster complete."""
    offered: float | None = None
    """Candidates were gathered and the offer written."""
    answered: float | None = None
    """The node's answer was taken."""
    acked: float | None = None
    """The node had taken our `ack`."""
    ice: float | None = None
    """ICE had a pair."""
    dtls: float | None = None
    """The DTLS handshake was done: keys are there."""
    first_audio: float | None = None
    """The first complete audio frame was received."""
    first_video: float | None = None
    """The first complete video key frame was received."""

    def as_ms(self) -> dict[str, float]:
        """Return the milestones reached, in milliseconds since `started`, rounded to a tenth."""
        return {
            f.name: round((moment - self.started) * 1000, 1)
            for f in fields(self)
            if f.name != "started" and (moment := getattr(self, f.name)) is not None
        }
