"""The timeline of what one receiver gives out, through every change of what comes in.

A receiver outlives SSRCs, codecs and timestamp resets of the sender. What it gives out has one run of `rtp_time`, which
begins at the first packet's own timestamp and afterwards keeps step with `time` whenever the sender's numbers start
anew; so a consumer that computes with `rtp_time` alone sees one stream.
"""

from __future__ import annotations

from ..media.frames import Kind
from .clock import CallClock, StreamClock
from .rtcp import unix_from_ntp
from .rtp import unwrap

__all__ = ["Timeline"]

# Timestamps and arrivals that disagree by more are a new run of timestamps, not jitter: network queues hold less.
_DISCONTINUITY_S = 5.0


class Timeline:
    """Gives each frame its unwrapped RTP time, its time on the call's clock and its NTP time.

    Driven by `begin` (a new SSRC or clock rate), `place` (each frame, in order) and `sender_report`.
    """

    def __init__(self, clock: CallClock, kind: Kind) -> None:
        self._clock = clock
        self._kind = kind
        self._stream: StreamClock | None = None
        self._rate = 0
        self._raw = 0
        self._raw_arrival = 0.0
        self._shift = 0
        self._report: tuple[int, int, float] | None = None
        self.rtp_time = 0
        """RTP time of the last frame, as given out."""
        self.time = float("-inf")
        """Its time; minus infinity before the first frame."""

    def begin(self, clock_rate: int, report: tuple[int, int, float] | None = None) -> None:
        """Begin a new run of timestamps at the next frame.

        Args:
            clock_rate: ticks per second.
            report: NTP time (64 bits), RTP time (32 bits) and arrival of a sender report that came ahead of it.
        """
        if self._rate and self._rate != clock_rate:
            self.rtp_time = round(self.rtp_time / self._rate * clock_rate)
        self._stream = None
        self._rate = clock_rate
        self._report = report

    def sender_report(self, ntp: int, rtp: int, now: float) -> None:
        """Take a sender report of the current run. One without wall-clock time (0, RFC 3550 section 6.4.1) is void."""
        if not ntp:
            return
        if self._stream is None:
            self._report = (ntp, rtp, now)
        else:
            self._stream.sender_report(unix_from_ntp(ntp), unwrap(rtp, self._raw, 32), now)

    def place(self, timestamp: int, arrival: float) -> tuple[int, float, float | None]:
        """Return RTP time, time and NTP time of the next frame.

        Args:
            timestamp: as in the packet, 32 bits.
            arrival: when its last packet arrived.
        """
        raw = self._raw + ((timestamp - self._raw + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        stream = self._stream
        if stream is None or abs((raw - self._raw) / self._rate - arrival + self._raw_arrival) > _DISCONTINUITY_S:
            return self._place_first(timestamp, arrival)
        self._raw = raw
        self._raw_arrival = arrival
        self.time = time = stream.place(raw, arrival)
        self.rtp_time = rtp_time = raw + self._shift
        return rtp_time, time, stream.ntp_time(raw)

    def _place_first(self, timestamp: int, arrival: float) -> tuple[int, float, float | None]:
        before = self.time
        stream = self._clock.stream(self._kind, self._rate, not_before=before)
        if self._report is not None:
            ntp, rtp, came = self._report
            stream.sender_report(unix_from_ntp(ntp), unwrap(rtp, timestamp, 32), came)
            self._report = None
        self._stream = stream
        self._raw = timestamp
        self._raw_arrival = arrival
        self.time = stream.place(timestamp, arrival)
        if before == float("-inf"):
            self._shift = 0
        else:
            self._shift = self.rtp_time + max(1, round((self.time - before) * self._rate)) - timestamp
        self.rtp_time = timestamp + self._shift
        return self.rtp_time, self.time, stream.ntp_time(timestamp)

    def time_of(self, rtp_time: int) -> float:
        """Return where an RTP time as given out lies, near the last frame: for gaps."""
        return self.time + (rtp_time - self.rtp_time) / self._rate
