"""The one run of RTP timestamps that a sender puts on the wire, whatever the sources' own numbers do.

Where they jump (another source, a loop without rebasing) the runs are joined by the time that passed.
"""

from __future__ import annotations

from ..media.frames import EncodedFrame

__all__ = ["SendTimeline"]

_DISCONTINUITY_S = 0.5  # RTP times and times of frames that part by more are of another run


class SendTimeline:
    """Gives each frame its timestamp.

    Args:
        offset: what the first run's RTP times are moved by.

    Attributes:
        offset: what is added to frames' RTP times now.
        last: RTP time and time of the last frame, before `offset`; None before one.
        last_sent: when it left.
    """

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.last: tuple[int, float] | None = None
        self.last_sent = 0.0

    def stamp(self, frame: EncodedFrame, now: float) -> int:
        """Return the frame's timestamp on the wire, 32 bits; it leaves now."""
        if self.last is not None:
            last_rtp, last_time = self.last
            rate = frame.codec.clock_rate
            by_rtp = (frame.rtp_time - last_rtp) / rate
            back = by_rtp < (0.0 if frame.key else -_DISCONTINUITY_S)  # others may be shown out of order
            if back or abs(by_rtp - (frame.time - last_time)) > _DISCONTINUITY_S:
                passed = max(1, round((now - self.last_sent) * rate))
                self.offset += last_rtp + passed - frame.rtp_time
        self.last = (frame.rtp_time, frame.time)
        self.last_sent = now
        return (frame.rtp_time + self.offset) & 0xFFFFFFFF

    def reading(self, now: float, clock_rate: int) -> tuple[int, float]:
        """Return RTP timestamp and time of the last frame, both moved on to now.

        The timestamp is not cut to 32 bits. Before the first frame it is `offset`, and the time is now.

        Args:
            now: the clock's time.
            clock_rate: of the stream.
        """
        if self.last is None:
            return self.offset, now
        rtp_time, time = self.last
        passed = now - self.last_sent
        return rtp_time + round(passed * clock_rate) + self.offset, time + passed

    def begin_anew(self) -> None:
        """Forget the last frame: another codec's ticks are others."""
        self.last = None
