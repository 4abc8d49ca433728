"""The RTCP that one receiver sends: reports once a second (RFC 3550 section 6.4), and requests at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .receiver_audio import AudioStream
from .receiver_config import ReceiverConfig
from .receiver_video import VideoStream
from .rtcp import Nack, ReceiverEstimate, ReceiverReport, ReportBlock, RtcpPacket, SourceDescription, serialize_compound

__all__ = ["ReceiverReports"]

_INTERVAL_S = 1.0  # AVPF lets a point-to-point session report this often (RFC 4585 section 3.4)
_FIRST_S = 0.5


class ReceiverReports:
    """Writes what a receiver says, as was negotiated, and sends it.

    Args:
        config: what was negotiated; set anew when that changes.
        send: takes each RTCP packet, at once.

    Attributes:
        due: when the next report is to be sent; infinity before the first packet.
    """

    def __init__(self, config: ReceiverConfig, send: Callable[[bytes], None]) -> None:
        self.config = config
        self._send = send
        self.due = float("inf")

    def begin(self, arrival: float) -> bool:
        """Report from now on, and return True; False when that was so already."""
        if self.due != float("inf"):
            return False
        self.due = arrival + _FIRST_S
        return True

    def report(self, stream: AudioStream | VideoStream, now: float) -> None:
        """Report on a stream, and plan the next."""
        self.due = now + _INTERVAL_S
        # Only sources heard of late are reported on (RFC 3550 section 6.4); one report more covers the last packets.
        heard = now - stream.last_arrival < 2 * _INTERVAL_S
        self._send(serialize_compound(self._compound((stream.report(now),) if heard else ())))

    def ask(self, request: RtcpPacket) -> None:
        """Send a request, behind an empty report where the peer wants compounds (RFC 4585 section 3.1)."""
        if self.config.feedback.reduced_size:
            self._send(request.serialize())
        else:
            self._send(serialize_compound([*self._compound(), request]))

    def ask_for_packets(self, ssrc: int, lost: Sequence[int]) -> None:
        """Ask for packets by number."""
        self.ask(Nack(sender_ssrc=self.config.local_ssrc, media_ssrc=ssrc, lost=tuple(lost)))

    def ask_for_rate(self, ssrc: int, bitrate_bps: int) -> None:
        """Ask for at most so many bits per second."""
        self.ask(ReceiverEstimate(sender_ssrc=self.config.local_ssrc, bitrate_bps=bitrate_bps, ssrcs=(ssrc,)))

    def _compound(self, reports: tuple[ReportBlock, ...] = ()) -> list[RtcpPacket]:
        local, cname = self.config.local_ssrc, self.config.cname
        packets: list[RtcpPacket] = [ReceiverReport(ssrc=local, reports=reports)]
        if cname:
            packets.append(SourceDescription(cnames=((local, cname),)))
        return packets
