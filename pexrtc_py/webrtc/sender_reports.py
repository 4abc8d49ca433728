"""The RTCP reports of one sender, and what its receiver reports of it (RFC 3550 section 6.4)."""

from __future__ import annotations

from collections import deque

from .clock import SendClock
from .rtcp import ReportBlock, RtcpPacket, SenderReport, SourceDescription, ntp_from_unix
from .sender_config import SenderConfig
from .sender_statistics import SenderCounts
from .sender_timeline import SendTimeline

__all__ = ["SenderReports"]

_REPORT_INTERVAL_S = 1.0  # see receiver
_REMEMBERED = 8  # a receiver's report is about one of these


class SenderReports:
    """Writes reports, once a second from the first packet on, and measures the round trip by the answers.

    Args:
        clock: of the peer.

    Attributes:
        due: when the next is to be sent; infinity before the first.
        last_block: what the receiver reported last.
        last_came: when it came, in the clock's seconds.
        round_trip_s: by that, None before.
    """

    def __init__(self, clock: SendClock) -> None:
        self._clock = clock
        self._sent: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self.due = float("inf")
        self.last_block: ReportBlock | None = None
        self.last_came = 0.0
        self.round_trip_s: float | None = None

    def write(
        self, config: SenderConfig, timeline: SendTimeline, counts: SenderCounts, now: float
    ) -> tuple[RtcpPacket, ...]:
        """Write a report whose NTP and RTP times are those of the last frame, both moved on to now.

        Of frames that are made ahead it may be one to come; what is counted has left.
        """
        self.due = now + _REPORT_INTERVAL_S
        rtp_time, time = timeline.reading(now, config.codec.clock_rate)
        ntp = ntp_from_unix(self._clock.unix_time(time))
        self._sent.append((ntp >> 16 & 0xFFFFFFFF, now))
        report = SenderReport(
            ssrc=config.ssrc,
            ntp=ntp,
            rtp_time=rtp_time & 0xFFFFFFFF,
            packets=counts.packets,
            octets=counts.payload_bytes,
        )
        return report, SourceDescription(cnames=((config.ssrc, config.cname),))

    def handle_block(self, block: ReportBlock, counts: SenderCounts, now: float) -> None:
        """Take what the receiver reports of this stream."""
        self.last_block, self.last_came = block, now
        for middle, sent in self._sent:
            if middle == block.last_report:
                self.round_trip_s = max(0.0, now - sent - block.delay / 65536)
                counts.round_trips += 1
                counts.round_trips_s += self.round_trip_s
