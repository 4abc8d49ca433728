"""What each microsecond of receiving a packet is: the stages of the recorder's path, each timed by itself.

The clip's packets, as our sender makes them, are run through one stage at a time, all 4400 of them through its real
objects; what a stage costs is the processor time of the best of some rounds, less that of the loop around it. A
profiler would make small functions look dear: calling them is what it slows down.

Stages run one after the other on warm caches. In a live call the processor does other things between two wake-ups, so
a call costs more than their sum; `bench record --stages` shows the difference beside what a live run used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from pexrtc_py.event_loop import loop_factory
from pexrtc_py.media.frames import Kind
from pexrtc_py.webrtc.sweep import HOLD_S

from ._clip import DURATION_S
from ._stage_packets import time_packets, time_repair, time_socket
from ._stage_recording import time_recording, time_wake_up
from ._stage_traffic import make_traffic

__all__ = ["Stage", "show", "stages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One row."""

    name: str
    us: Mapping[int, float]
    """Microseconds a packet, by the number of calls in the process."""
    always: bool = True
    """Whether every call pays it; else it is not in the sum."""


def stages(calls: Sequence[int]) -> list[Stage]:
    """Time every stage, for processes with so many calls; takes half a minute and more each."""
    traffic = make_traffic()
    count = len(traffic.packets)
    per_wake = max(1, round(count / DURATION_S * HOLD_S))
    same = [
        Stage(name=name, us=dict.fromkeys(calls, us))
        for name, us in (
            (f"recvmmsg and arrival, {per_wake} packets a time", time_socket(traffic, per_wake)),
            *time_packets(traffic),
        )
    ]
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        tick_us = runner.run(time_wake_up())
        repair_us = time_repair(traffic.of(Kind.VIDEO))
        written = {n: runner.run(time_recording(traffic, n)) for n in calls}
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
    packets = len(make_traffic().packets) / DURATION_S
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
