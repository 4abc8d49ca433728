"""What each stage between the socket and the tap costs a packet: each timed by itself over its real objects."""

from __future__ import annotations

import secrets
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.webrtc.batch import BATCH, receive_batch, stamp
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.depayload import packet_duration, video_depayloader
from pexrtc_py.webrtc.feedback import TransportFeedbackRecorder
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import Feedback, MediaFormat, PayloadFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.receiver_timeline import Timeline
from pexrtc_py.webrtc.reorder import Held, OrderedStream
from pexrtc_py.webrtc.routing import Router
from pexrtc_py.webrtc.rtcp import RtcpPacket
from pexrtc_py.webrtc.rtp import RtpHeader, parse_header, payload_bounds, read_extensions
from pexrtc_py.webrtc.srtp import SrtpPath

from ._clip import DURATION_S
from ._stage_traffic import LEVEL_ID, MID_ID, NUMBER_ID, PAYLOAD_TYPES, Traffic, session

__all__ = ["time_packets", "time_repair", "time_socket"]

_ROUNDS = 7


def time_socket(traffic: Traffic, per_wake: int) -> float:
    """Take packets out of a socket as a sweep finds them; microseconds a packet."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.bind(("127.0.0.1", 0))
        here.setblocking(False)
        if not stamp(here):
            return 0.0
        address = here.getsockname()
        taken = []
        packets = [packet for packet, _ in traffic.encrypted]
        for first in range(0, len(packets) - per_wake, per_wake):
            for packet in packets[first : first + per_wake]:
                there.sendto(packet, address)
            count = 0
            began = time.thread_time()
            while (got := receive_batch(here.fileno(), lambda packet, arrival: None, lambda packet, where: None)) > 0:
                count += got
                if got < BATCH:
                    break
            taken.append((time.thread_time() - began) / max(1, count))
        return statistics.median(taken) * 1e6


def time_packets(traffic: Traffic) -> list[tuple[str, float]]:
    """Everything between the socket and the tap, microseconds a packet."""
    count = len(traffic.packets)
    kinds = {kind: traffic.of(kind) for kind in Kind}
    srtp = _cost(lambda: _srtp(traffic).receive, traffic.encrypted)
    routed = _cost(lambda: _router(dict.fromkeys(Kind, _Nobody())).handle_rtp, traffic.packets)
    order = depayloading = placing = received = 0.0
    for kind, packets in kinds.items():
        headed = [(packet, parse_header(packet), arrival) for packet, arrival in packets]
        rate = Codec.OPUS.clock_rate if kind is Kind.AUDIO else Codec.VP8.clock_rate
        order += _cost(
            lambda rate=rate: _OrderOnly(1, _Nobody(), {}, clock_rate=rate, nack=True).receive,  # type: ignore[misc]  # mypy cannot infer a default's type here
            headed,
        )
        depayloading += _depayloading(kind, packets)
        ends = [(header.timestamp, arrival) for _, header, arrival in headed if kind is Kind.AUDIO or header.marker]
        placing += _cost(lambda kind=kind, rate=rate: _timeline(kind, rate).place, ends)  # type: ignore[misc]  # likewise
        received += _cost(lambda kind=kind: _receiver(kind).handle_rtp, headed)  # type: ignore[misc]  # likewise
    made = received - order - depayloading - placing
    feedback = _feedback(traffic)
    level = _cost(
        lambda: lambda packet, _: read_extensions(packet, packet[0], (LEVEL_ID,)).get(LEVEL_ID), kinds[Kind.AUDIO]
    )
    return [
        ("SRTP", srtp / count),
        ("header and router", routed / count),
        ("reorder buffer, jitter", order / count),
        ("depayload", depayloading / count),
        ("clock", placing / count),
        ("frame made, counted, handed out", made / count),
        ("transport-wide feedback", feedback / count),
        ("audio level", level / count),
        ("reports both ways", _reports(traffic) / count),
        ("statistics, once a second", _statistics(traffic) / count),
    ]


def time_repair(packets: Sequence[tuple[bytes, float]]) -> float:
    """What one lost packet costs that comes again three packets later: what waits for it, the request, its repeat."""
    whole = [(packet, parse_header(packet), arrival) for packet, arrival in packets]
    damaged: list[tuple[bytes, RtpHeader, float]] = []
    late: dict[int, tuple[bytes, RtpHeader]] = {}
    losses = range(50, len(whole) - 10, 100)
    for index, (packet, header, arrival) in enumerate(whole):
        if index in losses:
            start, end = payload_bounds(packet, packet[0])
            head = bytes((0x80, packet[1] & 0x80 | 97)) + index.to_bytes(2, "big") + packet[4:8] + b"\0\0\3\3"
            again = head + packet[2:4] + packet[start:end]
            late[index + 3] = again, parse_header(again)
            continue
        damaged.append((packet, header, arrival))
        if index in late:
            damaged.append((*late[index], arrival))

    def make() -> Callable[[bytes, RtpHeader, float], None]:
        receiver = _receiver(Kind.VIDEO)

        def step(packet: bytes, header: RtpHeader, arrival: float) -> None:
            receiver.handle_rtp(packet, header, arrival)
            due = receiver.next_request()
            if due is not None and due <= arrival:
                receiver.handle_timer(arrival)

        return step

    return (_cost(make, damaged) - _cost(make, whole)) / len(losses)


class _Nobody:
    """Takes everything: whoever stands behind the stage that is timed."""

    last_heard = 0.0

    def handle_rtp(self, packet: bytes, header: RtpHeader, arrival: float) -> None: ...
    def handle_sender_report(
        self, ssrc: int, ntp: int, rtp: int, arrival: float, *, packets: int, octets: int
    ) -> None: ...
    def handle_bye(self, ssrc: int, arrival: float) -> None: ...
    def handle_rtcp(self, packet: RtcpPacket) -> None: ...
    def push(self, item: EncodedFrame | Gap) -> None: ...
    def end(self) -> None: ...
    def deliver(self, frame: EncodedFrame, began: float, now: float, *, decodable: bool) -> None: ...
    def deliver_gap(self, gap: Gap) -> None: ...
    def want_key_frame(self, now: float) -> None: ...
    def take_event(self, payload: bytes, timestamp: int, clock_rate: int, *, marker: bool) -> None: ...
    def reschedule(self) -> None: ...
    def send_media(self, data: bytes) -> None: ...


class _OrderOnly(OrderedStream):
    """A stream that puts packets in order and does nothing with them."""

    def _take(self, packet: bytes, second: int, timestamp: int, start: int, end: int, arrival: float) -> None: ...
    def _skipped(self, lost: int, passed: Sequence[Held], now: float) -> None: ...
    def _patience_ends(self) -> float:
        return float("inf")

    def _give_up(self, now: float) -> None: ...


def _best_us(make: Callable[[], Callable[..., object]], items: Sequence[tuple[Any, ...]]) -> float:
    """Time what `make` returns, called with each item; return the best of some rounds: microseconds in all."""
    taken = []
    for _ in range(_ROUNDS):
        step = make()
        began = time.thread_time()
        for item in items:
            step(*item)
        taken.append(time.thread_time() - began)
    return min(taken) * 1e6


def _cost(make: Callable[[], Callable[..., object]], items: Sequence[tuple[Any, ...]]) -> float:
    """The same without the loop around it, and without one call of Python per item, which every stage has."""
    return _best_us(make, items) - _best_us(lambda: lambda *_: None, items)


def _srtp(traffic: Traffic) -> SrtpPath:
    path = SrtpPath(lambda packet, arrival: None, lambda packet, arrival: None)
    path.ice = cast(Any, _Nobody())
    path.open(session(secrets.token_bytes(44), sending=True), session(traffic.key, sending=False))
    return path


def _router(receivers: Mapping[Kind, Any]) -> Router:
    router = Router()
    router.set_mid_extension(MID_ID)
    for place, kind in enumerate(Kind):
        router.set_receiver(str(place), receivers[kind], payload_types={PAYLOAD_TYPES[kind]})
    return router


def _timeline(kind: Kind, rate: int) -> Timeline:
    timeline = Timeline(CallClock(), kind)
    timeline.begin(rate)
    return timeline


def _receiver(kind: Kind, send_rtcp: Callable[[bytes], None] = lambda packet: None) -> Receiver:
    """As calls have it, without what is timed by itself."""
    video = kind is Kind.VIDEO
    formats: dict[int, PayloadFormat] = {PAYLOAD_TYPES[kind]: MediaFormat(codec=Codec.VP8 if video else Codec.OPUS)}
    if video:
        formats[97] = RtxFormat(apt=PAYLOAD_TYPES[kind])
    feedback = Feedback(nack=video, pli=video, transport=True, reduced_size=True)
    config = ReceiverConfig(kind=kind, formats=formats, local_ssrc=1, cname="bench", feedback=feedback)
    receiver = Receiver(config, send_rtcp, CallClock())
    receiver.add_tap(_Nobody())
    return receiver


def _fed(traffic: Traffic, send_rtcp: Callable[[bytes], None] = lambda packet: None) -> dict[Kind, Receiver]:
    """Receivers of a call that goes on."""
    receivers = {kind: _receiver(kind, send_rtcp) for kind in Kind}
    for packet, arrival in traffic.packets[:200]:
        kind = Kind.AUDIO if packet[1] & 0x7F == PAYLOAD_TYPES[Kind.AUDIO] else Kind.VIDEO
        receivers[kind].handle_rtp(packet, parse_header(packet), arrival)
    return receivers


def _depayloading(kind: Kind, packets: Sequence[tuple[bytes, float]]) -> float:
    cut = [(packet, *payload_bounds(packet, packet[0])) for packet, _ in packets]
    if kind is Kind.AUDIO:
        return _cost(lambda: lambda packet, start, end: packet_duration(Codec.OPUS, packet[start:end]), cut)

    def make() -> Callable[[bytes, int, int], None]:
        depayloader = video_depayloader(Codec.VP8)

        def step(packet: bytes, start: int, end: int) -> None:
            depayloader.add(packet, start, end)
            if packet[1] > 0x7F:
                depayloader.finish()

        return step

    return _cost(make, cut)


def _feedback(traffic: Traffic) -> float:
    """Noting each arrival, and ten times a second the report of it, encrypted."""
    noted = [(packet, packet[0], 1, arrival) for packet, arrival in traffic.packets]

    def make() -> Callable[[bytes, int, int, float], None]:
        recorder = TransportFeedbackRecorder(NUMBER_ID, 1, _srtp(traffic).send_rtcp)

        def step(packet: bytes, first: int, ssrc: int, arrival: float) -> None:
            recorder.handle_packet(packet, first, ssrc, arrival)
            due = recorder.next_timer()
            if due is not None and due <= arrival:
                recorder.handle_timer(arrival)

        return step

    return _cost(make, noted)


def _reports(traffic: Traffic) -> float:
    """Taking the sender's reports, and writing ours, encrypted: each once a second a line."""
    receivers = _fed(traffic, _srtp(traffic).send_rtcp)
    router = _router(receivers)
    due = [(receiver, 2000.0 + second) for second in range(DURATION_S) for receiver in receivers.values()]
    ours = _cost(lambda: lambda receiver, now: receiver.handle_timer(now), due)
    return ours + _cost(lambda: router.handle_rtcp, traffic.reports)


def _statistics(traffic: Traffic) -> float:
    receivers = _fed(traffic)
    looks = [(receiver, 2000.0 + second) for second in range(DURATION_S) for receiver in receivers.values()]
    return _cost(lambda: lambda receiver, now: receiver.statistics(now), looks)
