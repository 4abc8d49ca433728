"""A sender whose packets are caught, in virtual time."""

from __future__ import annotations

from dataclasses import replace

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.clock import SendClock
from pexrtc_py.webrtc.feedback import TransportSequence
from pexrtc_py.webrtc.rtcp import RtcpPacket, SenderReport, parse_compound
from pexrtc_py.webrtc.rtp import payload_bounds
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig

from .link import vp8_frame

UNIX = 1_700_000_000.0


class Bench:
    """A sender whose packets are caught."""

    def __init__(self, codec: Codec, **config: object) -> None:
        self.now = 50.0
        self.rtp: list[bytes] = []
        self.rtcp: list[RtcpPacket] = []
        self.sent_at_reports: list[int] = []
        """Packets that had left when each sender report did."""
        self.requests = 0
        self.bitrates: list[int] = []
        settings = SenderConfig(codec=codec, payload_type=96, cname="us", ssrc=5, first_sequence=65534)
        self.sender = Sender(
            replace(settings, **config),  # type: ignore[arg-type]  # fields by name
            self.rtp.extend,
            self._take_rtcp,
            SendClock(lambda: self.now, UNIX),
            transport_sequence=TransportSequence(),
        )
        self.sender.on_key_frame_request = self._count
        self.sender.on_bitrate = self.bitrates.append

    def _take_rtcp(self, data: bytes) -> None:
        said = parse_compound(data)
        self.rtcp.extend(said)
        self.sent_at_reports += [len(self.rtp) for packet in said if isinstance(packet, SenderReport)]

    def _count(self) -> None:
        self.requests += 1

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (timer := self.sender.next_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.sender.handle_timer(self.now)
        self.now = end

    def video(self, count: int, *, start: int = 0, size: int = 3000) -> None:
        for number in range(start, start + count):
            self.sender.push(vp8_frame(number, key=number == 0, size=size, time=self.now))
            self.wait(1 / 30)

    @property
    def payloads(self) -> list[bytes]:
        out = []
        for packet in self.rtp:
            start, end = payload_bounds(packet, packet[0])
            out.append(packet[start:end])
        return out
