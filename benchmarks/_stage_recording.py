"""What a recording costs behind the tap, in its own time, and what the event loop takes for waking up."""

from __future__ import annotations

import asyncio
import select
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.webrtc.sweep import HOLD_S, next_tick

from ._clip import DURATION_S
from ._stage_traffic import Traffic

__all__ = ["Used", "time_recording", "time_wake_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Processor time."""

    loop_us: float
    """Of the event loop's thread."""
    thread_us: float
    """Of all others."""


async def time_wake_up() -> float:
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


async def time_recording(traffic: Traffic, calls: int) -> Used:
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
    return Used(loop_us=(used.loop_us - idle.loop_us) / calls, thread_us=(used.thread_us - idle.thread_us) / calls)


class _Nobody:
    """Where frames go while nothing is attached."""

    def push(self, item: EncodedFrame | Gap) -> None: ...
    def end(self) -> None: ...


class _Pushed:
    """What a recording is attached to: gives its tap what it is told to."""

    def __init__(self) -> None:
        self.tap: Tap = _Nobody()

    def add_tap(self, tap: Tap) -> None:
        self.tap = tap

    def remove_tap(self, tap: Tap) -> None:
        self.tap = _Nobody()

    def request_key_frame(self) -> None: ...


async def _hand_over(traffic: Traffic, sources: Sequence[Mapping[Kind, _Pushed]]) -> Used:
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
    return Used(loop_us=here * 2e6, thread_us=others * 2e6)
