"""What each microsecond of receiving a packet is: the stages of the recorder's path, each timed by itself.

The clip's packets, as our sender makes them, are run through one stage at a time, all 4400 of them through its real
objects; what a stage costs is the processor time of the best of some rounds, less that of the loop around it. A
profiler would make small functions look dear: calling them is what it slows down.

Stages run one after the other on warm caches. In a live call the processor does other things between two wake-ups, so
a call costs more than their sum; `bench record --stages` shows the difference beside what a live run used.
"""

from __future__ import annotations

import asyncio
import secrets
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace
from pylibsrtp import Policy, Session
from rich.console import Console
from rich.table import Table

from pexrtc_py.event_loop import loop_factory
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.webrtc.batch import BATCH, receive_batch, stamp
from pexrtc_py.webrtc.clock import CallClock, SendClock
from pexrtc_py.webrtc.depayload import packet_duration, video_depayloader
from pexrtc_py.webrtc.feedback import TransportFeedbackRecorder, TransportSequence
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import Feedback, MediaFormat, PayloadFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.receiver_timeline import Timeline
from pexrtc_py.webrtc.reorder import Held, OrderedStream
from pexrtc_py.webrtc.routing import Router
from pexrtc_py.webrtc.rtcp import RtcpPacket
from pexrtc_py.webrtc.rtp import RtpHeader, parse_header, payload_bounds, read_extensions
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig
from pexrtc_py.webrtc.srtp import SrtpPath
from pexrtc_py.webrtc.sweep import HOLD_S, next_tick

from ._clip import DURATION_S, clip, load

__all__ = ["Stage", "show", "stages"]

_ROUNDS = 7
_PAYLOAD_TYPES = {Kind.AUDIO: 111, Kind.VIDEO: 96}
_SSRCS = {Kind.AUDIO: 0x1111, Kind.VIDEO: 0x2222}
_MID, _SENT_AT, _NUMBER, _LEVEL = 1, 2, 3, 4  # header extensions, as our offers number them


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One row."""

    name: str
    us: Mapping[int, float]
    """Microseconds a packet, by the number of calls in the process."""
    always: bool = True
    """Whether every call pays it; else it is not in the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traffic:
    packets: Sequence[tuple[bytes, float]]
    """In the clear, with their arrival."""
    encrypted: Sequence[tuple[bytes, float]]
    reports: Sequence[tuple[bytes, float]]
    """Compounds of the sender."""
    frames: Sequence[EncodedFrame]
    key: bytes

    def of(self, kind: Kind) -> list[tuple[bytes, float]]:
        """The packets of one line."""
        return [item for item in self.packets if item[0][1] & 0x7F == _PAYLOAD_TYPES[kind]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """Processor time."""

    loop_us: float
    """Of the event loop's thread."""
    thread_us: float
    """Of all others."""


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


class _Pushed:
    """What a recording is attached to: gives its tap what it is told to."""

    def __init__(self) -> None:
        self.tap: Tap = _Nobody()

    def add_tap(self, tap: Tap) -> None:
        self.tap = tap

    def remove_tap(self, tap: Tap) -> None:
        self.tap = _Nobody()

    def request_key_frame(self) -> None: ...


def stages(calls: Sequence[int]) -> list[Stage]:
    """Time every stage, for processes with so many calls; takes half a minute and more each."""
    traffic = _traffic()
    count = len(traffic.packets)
    per_wake = max(1, round(count / DURATION_S * HOLD_S))
    same = [
        Stage(name=name, us=dict.fromkeys(calls, us))
        for name, us in (
            (f"recvmmsg and arrival, {per_wake} packets a time", _receiving(traffic, per_wake)),
            *_path(traffic),
        )
    ]
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        tick_us = runner.run(_wake_up())
        repair_us = _repairing(traffic.of(Kind.VIDEO))
        written = {n: runner.run(_writing(traffic, n)) for n in calls}
    ticks = DURATION_S / HOLD_S / count
    return [
        Stage(name="loop wake-up, each 60 ms for all calls", us={n: tick_us * ticks / n for n in calls}),
        *same,
        Stage(name="recording: from the tap to the writer", us={n: written[n].loop_us / count for n in calls}),
        Stage(name="writer thread: Matroska, disk", us={n: written[n].thread_us / count for n in calls}),
        Stage(
            name=f"besides, where 1 packet in 100 is lost ({repair_us:.0f} us a loss)",
            us=dict.fromkeys(calls, repair_us / 100),
            always=False,
        ),
    ]


def show(found: Sequence[Stage], live: Mapping[int, float], console: Console) -> None:
    """Print the table.

    Args:
        found: the stages.
        live: what `bench record` measured, per cent of a core a call, by the number of calls.
        console: where.
    """
    packets = len(_traffic().packets) / DURATION_S
    calls = list(found[0].us)
    table = Table("us a packet", *(f"{n} calls" if n > 1 else "1 call" for n in calls))
    for stage in found:
        if stage.always:
            table.add_row(stage.name, *(f"{stage.us[n]:.2f}" for n in calls))
    sums = {n: sum(stage.us[n] for stage in found if stage.always) for n in calls}
    table.add_row("sum", *(f"{sums[n]:.1f}" for n in calls), style="bold")
    used = {n: live[n] / 100 / packets * 1e6 for n in calls if n in live}
    if used:
        table.add_row("a live run used", *(f"{used[n]:.1f}" if n in used else "" for n in calls))
        left = [f"{used[n] - sums[n]:.1f}" if n in used else "" for n in calls]
        table.add_row("not in any stage: cold caches, other timers", *left)
    for stage in found:
        if not stage.always:
            table.add_row(stage.name, *(f"{stage.us[n]:.2f}" for n in calls), style="dim")
    console.print(table)
    console.print(f"[dim]{packets:.0f} packets a second: 1 us a packet is {packets / 1e4:.3f} % of a core[/dim]")


def _traffic() -> _Traffic:
    now = 1000.0
    packets: list[tuple[bytes, float]] = []
    reports: list[tuple[bytes, float]] = []
    clock = SendClock(lambda: now, time.time())
    numbers = TransportSequence()
    senders = {
        kind: Sender(
            SenderConfig(
                codec=Codec.OPUS if kind is Kind.AUDIO else Codec.VP8,
                payload_type=_PAYLOAD_TYPES[kind],
                cname="bench",
                ssrc=_SSRCS[kind],
                mid=str(place),
                mid_id=_MID,
                abs_send_time_id=_SENT_AT,
                transport_sequence_id=_NUMBER,
                audio_level_id=_LEVEL if kind is Kind.AUDIO else None,
            ),
            lambda made: packets.extend((packet, now) for packet in made),
            lambda report: reports.append((report, now)),
            clock,
            transport_sequence=numbers,
        )
        for place, kind in enumerate(Kind)
    }
    frames = load(clip())
    for frame in frames:
        now = 1000.0 + frame.time
        senders[frame.kind].audio_level = 30 if frame.kind is Kind.AUDIO else None
        senders[frame.kind].push(frame)
    key = secrets.token_bytes(44)
    sending = _session(key, sending=True)
    encrypted = [(sending.protect(packet), arrival) for packet, arrival in packets]
    return _Traffic(packets=packets, encrypted=encrypted, reports=reports, frames=frames, key=key)


def _session(key: bytes, *, sending: bool) -> Session:
    """A session of the profile that our calls agree on."""
    kind = Policy.SSRC_ANY_OUTBOUND if sending else Policy.SSRC_ANY_INBOUND
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM))


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


def _path(traffic: _Traffic) -> list[tuple[str, float]]:
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
        lambda: lambda packet, _: read_extensions(packet, packet[0], (_LEVEL,)).get(_LEVEL), kinds[Kind.AUDIO]
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


def _srtp(traffic: _Traffic) -> SrtpPath:
    path = SrtpPath(lambda packet, arrival: None, lambda packet, arrival: None)
    path.ice = cast(Any, _Nobody())
    path.open(_session(secrets.token_bytes(44), sending=True), _session(traffic.key, sending=False))
    return path


def _router(receivers: Mapping[Kind, Any]) -> Router:
    router = Router()
    router.set_mid_extension(_MID)
    for place, kind in enumerate(Kind):
        router.set_receiver(str(place), receivers[kind], payload_types={_PAYLOAD_TYPES[kind]})
    return router


def _timeline(kind: Kind, rate: int) -> Timeline:
    timeline = Timeline(CallClock(), kind)
    timeline.begin(rate)
    return timeline


def _receiver(kind: Kind, send_rtcp: Callable[[bytes], None] = lambda packet: None) -> Receiver:
    """As calls have it, without what is timed by itself."""
    video = kind is Kind.VIDEO
    formats: dict[int, PayloadFormat] = {_PAYLOAD_TYPES[kind]: MediaFormat(codec=Codec.VP8 if video else Codec.OPUS)}
    if video:
        formats[97] = RtxFormat(apt=_PAYLOAD_TYPES[kind])
    feedback = Feedback(nack=video, pli=video, transport=True, reduced_size=True)
    config = ReceiverConfig(kind=kind, formats=formats, local_ssrc=1, cname="bench", feedback=feedback)
    receiver = Receiver(config, send_rtcp, CallClock())
    receiver.add_tap(_Nobody())
    return receiver


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


def _feedback(traffic: _Traffic) -> float:
    """Noting each arrival, and ten times a second the report of it, encrypted."""
    noted = [(packet, packet[0], 1, arrival) for packet, arrival in traffic.packets]

    def make() -> Callable[[bytes, int, int, float], None]:
        recorder = TransportFeedbackRecorder(_NUMBER, 1, _srtp(traffic).send_rtcp)

        def step(packet: bytes, first: int, ssrc: int, arrival: float) -> None:
            recorder.handle_packet(packet, first, ssrc, arrival)
            due = recorder.next_timer()
            if due is not None and due <= arrival:
                recorder.handle_timer(arrival)

        return step

    return _cost(make, noted)


def _reports(traffic: _Traffic) -> float:
    """Taking the sender's reports, and writing ours, encrypted: each once a second a line."""
    receivers = {kind: _receiver(kind, _srtp(traffic).send_rtcp) for kind in Kind}
    for packet, arrival in traffic.packets[:200]:
        kind = Kind.AUDIO if packet[1] & 0x7F == _PAYLOAD_TYPES[Kind.AUDIO] else Kind.VIDEO
        receivers[kind].handle_rtp(packet, parse_header(packet), arrival)
    router = _router(receivers)
    due = [(receiver, 2000.0 + second) for second in range(DURATION_S) for receiver in receivers.values()]
    ours = _cost(lambda: lambda receiver, now: receiver.handle_timer(now), due)
    return ours + _cost(lambda: router.handle_rtcp, traffic.reports)


def _statistics(traffic: _Traffic) -> float:
    receivers = {kind: _receiver(kind) for kind in Kind}
    for packet, arrival in traffic.packets[:200]:
        kind = Kind.AUDIO if packet[1] & 0x7F == _PAYLOAD_TYPES[Kind.AUDIO] else Kind.VIDEO
        receivers[kind].handle_rtp(packet, parse_header(packet), arrival)
    looks = [(receiver, 2000.0 + second) for second in range(DURATION_S) for receiver in receivers.values()]
    return _cost(lambda: lambda receiver, now: receiver.statistics(now), looks)


def _repairing(packets: Sequence[tuple[bytes, float]]) -> float:
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


def _receiving(traffic: _Traffic, per_wake: int) -> float:
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


async def _wake_up() -> float:
    """What a timer of the loop and a look at the sockets cost where nothing came: microseconds of processor time."""
    loop, done, ticks = asyncio.get_running_loop(), asyncio.Event(), 0
    with select.epoll() as sockets:

        def tick() -> None:
            nonlocal ticks
            sockets.poll(0)
            ticks += 1
            if ticks < 60:
                loop.call_at(next_tick(loop.time()), tick)
            else:
                done.set()

        before = time.process_time()
        tick()
        await done.wait()
        return (time.process_time() - before) / ticks * 1e6


async def _writing(traffic: _Traffic, calls: int) -> _Used:
    """Record the clip in its own time, frames handed over each 60 ms: what a call costs, beyond the waking for it."""
    idle = await _hand_over(traffic, [])
    with tempfile.TemporaryDirectory(prefix="pexrtc-bench-") as folder:
        async with AsyncExitStack() as stack:
            sources: list[dict[Kind, _Pushed]] = []
            for number in range(calls):
                config = RecordingConfig(path=Path(folder) / f"{number}.mkv")
                recording = await stack.enter_async_context(Recording(config))
                pushed = {kind: _Pushed() for kind in Kind}
                recording.attach(Role.AUDIO, pushed[Kind.AUDIO], codec=Codec.OPUS)
                recording.attach(Role.VIDEO, pushed[Kind.VIDEO], codec=Codec.VP8)
                sources.append(pushed)
            used = await _hand_over(traffic, sources)
    return _Used(loop_us=(used.loop_us - idle.loop_us) / calls, thread_us=(used.thread_us - idle.thread_us) / calls)


async def _hand_over(traffic: _Traffic, sources: Sequence[Mapping[Kind, _Pushed]]) -> _Used:
    """Push the clip's first half into all of them as it comes; return what the whole clip would use."""
    began = time.monotonic()
    before, before_here = time.process_time(), time.thread_time()
    frames, at = traffic.frames, 0
    while (passed := time.monotonic() - began) < DURATION_S / 2:
        come = []
        while at < len(frames) and frames[at].time <= passed:
            time_here = began + frames[at].time
            come.append(replace(frames[at], time=time_here, arrival=time_here, ntp_time=1.7e9 + frames[at].time))
            at += 1
        for pushed in sources:
            for frame in come:
                pushed[frame.kind].tap.push(frame)
        await asyncio.sleep(HOLD_S)
    here = time.thread_time() - before_here
    others = time.process_time() - before - here
    return _Used(loop_us=here * 2e6, thread_us=others * 2e6)
