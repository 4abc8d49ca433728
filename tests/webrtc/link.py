"""A sender and a receiver joined by a simulated link, in virtual time: what is sent arrives later, or not at all."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.webrtc.clock import CallClock, SendClock
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import (
    EventFormat,
    Feedback,
    MediaFormat,
    PayloadFormat,
    ReceiverConfig,
    RtxFormat,
)
from pexrtc_py.webrtc.rtcp import Bye, SenderReport, parse_compound
from pexrtc_py.webrtc.rtp import parse_header
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig

MEDIA, RTX, EVENT = 96, 97, 110


class Recorder:
    """A tap that keeps everything, with the time it came."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.items: list[EncodedFrame | Gap] = []
        self.times: list[float] = []
        self.ended = 0
        self._now = now

    def push(self, item: EncodedFrame | Gap) -> None:
        self.items.append(item)
        self.times.append(self._now())

    def end(self) -> None:
        self.ended += 1

    @property
    def frames(self) -> list[EncodedFrame]:
        return [item for item in self.items if isinstance(item, EncodedFrame)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def frame_times(self) -> list[float]:
        return [time for item, time in zip(self.items, self.times, strict=True) if isinstance(item, EncodedFrame)]


class Shelf:
    """Keeps packets that are made before their time, in the clear."""

    def __init__(self, send: Callable[[Sequence[bytes]], None]) -> None:
        self._send = send
        self.packets: dict[int, bytes] = {}
        self.most = 0
        self.dropped = 0
        self._next = 0

    def hold_rtp(self, packets: Sequence[bytes]) -> int | None:
        first = self._next
        for packet in packets:
            self.packets[self._next] = packet
            self._next += 1
        self.most = max(self.most, len(self.packets))
        return first

    def send_held(self, first: int, count: int) -> None:
        self._send([self.packets.pop(number) for number in range(first, first + count)])

    def drop_held(self, count: int) -> None:
        for _ in range(count):
            self._next -= 1
            del self.packets[self._next]
        self.dropped += count


class Link:
    """One sender, one receiver, and the way between them.

    Args:
        codec: of the media.
        round_trip_s: there and back.
        lose: tells of each packet, given its direction ("rtp", "rtcp" to the receiver, "back" to the sender) and its
            bytes, whether it is lost.
        feedback: what the receiver may send; by default what suits the codec.
        rtx: whether retransmissions have a payload type of their own.
        clock: of the call, when two links are of one.
        hold: whether packets can be made before their time.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        round_trip_s: float = 0.02,
        lose: Callable[[str, bytes], bool] = lambda way, packet: False,
        feedback: Feedback | None = None,
        rtx: bool = True,
        clock: CallClock | None = None,
        hold: bool = False,
    ) -> None:
        self.now = 1000.0
        self.one_way_s = round_trip_s / 2
        self.lose = lose
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()
        self.sent: list[bytes] = []
        self.sent_back: list[bytes] = []
        if feedback is None:
            feedback = Feedback(nack=codec.kind is Kind.VIDEO, pli=True, reduced_size=True)
        formats: dict[int, PayloadFormat] = {
            MEDIA: MediaFormat(codec=codec),
            EVENT: EventFormat(clock_rate=codec.clock_rate),
        }
        if rtx:
            formats[RTX] = RtxFormat(apt=MEDIA)
        self.clock = clock or CallClock()
        self.receiver = Receiver(
            ReceiverConfig(kind=codec.kind, formats=formats, local_ssrc=1, cname="receiver", feedback=feedback),
            self._send_back,
            self.clock,
        )
        self.tap = Recorder(lambda: self.now)
        self.receiver.add_tap(self.tap)
        self.shelf = Shelf(self._send_rtp)
        self.sender = Sender(
            SenderConfig(
                codec=codec,
                payload_type=MEDIA,
                cname="sender",
                ssrc=0x1234,
                nack=feedback.nack,
                rtx_payload_type=RTX if rtx else None,
                rtx_ssrc=0x5678,
                event_payload_type=EVENT,
                first_sequence=65500,
                timestamp_offset=0xFFFFF000,
            ),
            self._send_rtp,
            self._send_rtcp,
            SendClock(lambda: self.now, 1_700_000_000.0),
            holding=self.shelf if hold else None,
        )

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time, next(self._count), action))

    def _send_rtp(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self.sent.append(packet)
            if not self.lose("rtp", packet):
                self.at(
                    self.now + self.one_way_s,
                    partial(self._take_rtp, packet),
                )

    def _take_rtp(self, packet: bytes) -> None:
        self.receiver.handle_rtp(packet, parse_header(packet), self.now)

    def _send_rtcp(self, packet: bytes) -> None:
        if not self.lose("rtcp", packet):
            self.at(self.now + self.one_way_s, lambda: self._take_rtcp(packet))

    def _take_rtcp(self, data: bytes) -> None:
        for packet in parse_compound(data):
            if isinstance(packet, SenderReport):
                self.receiver.handle_sender_report(packet.ssrc, packet.ntp, packet.rtp_time, self.now)
            elif isinstance(packet, Bye):
                for ssrc in packet.ssrcs:
                    self.receiver.handle_bye(ssrc, self.now)

    def _send_back(self, data: bytes) -> None:
        self.sent_back.append(data)
        if not self.lose("back", data):
            self.at(self.now + self.one_way_s, lambda: self._take_back(data))

    def _take_back(self, data: bytes) -> None:
        for packet in parse_compound(data):
            self.sender.handle_rtcp(packet)

    def run(self, until: float) -> None:
        """Let time pass, and everything happen that is due."""
        for _ in range(1_000_000):
            timers = [self.receiver.next_timer(), self.sender.next_timer(), self._due[0][0] if self._due else None]
            due = min((timer for timer in timers if timer is not None), default=float("inf"))
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            if self._due and self._due[0][0] <= self.now:
                heapq.heappop(self._due)[2]()
            else:
                self.receiver.handle_timer(self.now)
                self.sender.handle_timer(self.now)
        raise AssertionError("a timer does not come to rest")


def script(losses: Iterable[int]) -> Callable[[str, bytes], bool]:
    """Lose the RTP packets with these running numbers."""
    numbers = set(losses)
    running = count()
    return lambda way, packet: way == "rtp" and next(running) in numbers


def at_random(fraction: float, seed: int) -> Callable[[str, bytes], bool]:
    """Lose a fraction of the packets of both directions."""
    dice = random.Random(seed)
    return lambda way, packet: dice.random() < fraction


def vp8_frame(index: int, *, key: bool, size: int, time: float, rate: float = 30.0) -> EncodedFrame:
    """Return something with a VP8 frame header (RFC 6386 section 9.1), told apart by its content."""
    head = b"\x10\x02\x00\x9d\x01\x2a" + (640).to_bytes(2, "little") + (360).to_bytes(2, "little") if key else b"\x11"
    body = index.to_bytes(4, "big") + bytes((index + n) & 0xFF for n in range(64)) * (size // 64 + 1)
    return EncodedFrame(
        codec=Codec.VP8,
        data=(head + body)[: max(size, 16)],
        rtp_time=round(index * 90000 / rate),
        time=time,
        key=key,
        width=640 if key else 0,
        height=360 if key else 0,
    )


def opus_frame(index: int, *, time: float) -> EncodedFrame:
    """Return a 20 ms CELT packet's first byte and a number."""
    return EncodedFrame(
        codec=Codec.OPUS, data=b"\xf8" + index.to_bytes(4, "big"), rtp_time=index * 960, time=time, duration=960
    )
