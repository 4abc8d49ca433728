"""A receiver fed by hand: packets as a test makes them, at times of its choosing."""

from __future__ import annotations

import struct
from typing import TypeVar

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import EventFormat, Feedback, MediaFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.rtcp import RtcpPacket, parse_compound
from pexrtc_py.webrtc.rtp import RtpHeader

from .link import Recorder, vp8_frame

_T = TypeVar("_T")
VP8, RTX, H264, OPUS, PCMA, EVENT = 96, 97, 98, 111, 8, 101
FORMATS = {
    Kind.VIDEO: {
        VP8: MediaFormat(codec=Codec.VP8),
        RTX: RtxFormat(apt=VP8),
        H264: MediaFormat(codec=Codec.H264),
    },
    Kind.AUDIO: {
        OPUS: MediaFormat(codec=Codec.OPUS),
        PCMA: MediaFormat(codec=Codec.PCMA),
        EVENT: EventFormat(clock_rate=48000),
    },
}


class Bench:
    """A receiver fed by hand."""

    def __init__(self, kind: Kind, feedback: Feedback | None = None, **config: int | None) -> None:
        self.rtcp: list[RtcpPacket] = []
        self.now = 100.0
        if feedback is None:
            feedback = Feedback(nack=kind is Kind.VIDEO, pli=True, reduced_size=True)
        self.receiver = Receiver(
            ReceiverConfig(kind=kind, formats=FORMATS[kind], local_ssrc=1, cname="us", feedback=feedback, **config),  # type: ignore[arg-type]  # ids only
            lambda data: self.rtcp.extend(parse_compound(data)),
            CallClock(),
        )
        self.tap = Recorder(lambda: self.now)
        self.receiver.add_tap(self.tap)

    def rtp(
        self,
        payload: bytes,
        sequence: int,
        timestamp: int,
        *,
        kind: int,
        ssrc: int = 5,
        marker: bool = False,
        extensions: bytes = b"",
    ) -> None:
        first = 0x90 if extensions else 0x80
        second = kind | (0x80 if marker else 0)
        header = RtpHeader(first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        packet = struct.pack("!BBHII", *header) + extensions + payload
        self.receiver.handle_rtp(packet, header, self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (timer := self.receiver.next_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.receiver.handle_timer(self.now)
        self.now = end

    def sound(self, sequence: int, timestamp: int | None = None, *, ssrc: int = 5, payload: bytes = b"\xf8x") -> None:
        self.rtp(payload, sequence, sequence * 960 if timestamp is None else timestamp, kind=OPUS, ssrc=ssrc)
        self.wait(0.02)

    def picture(self, number: int, sequence: int, *, key: bool, ssrc: int = 5, size: int = 3000) -> int:
        """Send a VP8 frame; return the next sequence number."""
        frame = vp8_frame(number, key=key, size=size, time=self.now)
        payloads = payloader(Codec.VP8).split(frame, 1000)
        for at, payload in enumerate(payloads):
            last = at == len(payloads) - 1
            self.rtp(payload, sequence + at, number * 3000, kind=VP8, ssrc=ssrc, marker=last)
        self.wait(1 / 30)
        return sequence + len(payloads)

    def of(self, kind: type[_T]) -> list[_T]:
        """Return what it said of a kind."""
        return [packet for packet in self.rtcp if isinstance(packet, kind)]
