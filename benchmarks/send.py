"""Sending pre-encoded media to 1, 8 and 24 receivers: CPU and memory beside GStreamer's webrtcbin and aiortc's player.

The same prepared file (720p30 VP8 and Opus) is sent over plain SDP on loopback by one process to one receiver process,
ours, which records, so that what arrived is counted. Runs alternate and are compared pair by pair.

    make bench send
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ._children import Child, Usage, Window, add_peers, python_peer, system_peer
from ._clip import clip
from ._figures import median_of, ratio_of, whole_numbers
from .record import completeness

__all__ = ["main"]

OURS, GSTREAMER, AIORTC = "ours", "gstreamer", "aiortc"
NAMES = {OURS: "pexrtc_py Player", GSTREAMER: "GStreamer webrtcbin", AIORTC: "aiortc MediaPlayer(decode=False)"}
TARGETS = {1: 0.5, 8: 0.5, 24: 0.5}
WARM_UP_S = 2.0


async def measure(peer: str, calls: int, window_s: float) -> tuple[Usage, float]:
    """Send to `calls` receivers and measure the sender; how complete the worst file is comes with it."""
    commands = {
        OURS: python_peer("play", calls, clip()),
        GSTREAMER: system_peer("gstreamer_send", calls, clip()),
        AIORTC: python_peer("aiortc_send", clip()),
    }
    with tempfile.TemporaryDirectory(prefix="pexrtc-bench-") as name:
        folder = Path(name)
        async with (
            Child(commands[peer], missing="make peers installs GStreamer and its gi") as sender,
            Child(python_peer("receive", calls, folder)) as receiver,
        ):
            for _ in range(calls):
                sender.tell(**await receiver.hear("offer"))
            for _ in range(calls):
                receiver.tell(**await sender.hear("answer"))
            await receiver.hear("ready")
            await asyncio.sleep(WARM_UP_S)
            window = Window(sender.root)
            await asyncio.sleep(window_s)
            used = window.end()
            receiver.tell(stop=True)
            await receiver.hear("done")
        whole = min(completeness(path) for path in folder.iterdir())
    return used, whole


async def run(options: argparse.Namespace, console: Console) -> dict[tuple[str, int], list[tuple[Usage, float]]]:
    """Measure everything, pairs side by side."""
    found: dict[tuple[str, int], list[tuple[Usage, float]]] = {}
    for calls in options.calls:
        for _ in range(options.rounds):
            for peer in options.peers:
                used, whole = await measure(peer, calls, options.window)
                found.setdefault((peer, calls), []).append((used, whole))
                console.print(
                    f"[dim]{NAMES[peer]}, {calls} calls: {used.cpu / calls:.2f} % a call, {used.memory_mb:.0f} MB, "
                    f"{used.wake_ups:.0f} wake-ups/s, arrived {whole:.1%}, load {os.getloadavg()[0]:.1f}[/dim]"
                )
    return found


def show(found: dict[tuple[str, int], list[tuple[Usage, float]]], console: Console) -> None:
    """Print the table."""
    table = Table("calls", "sender", "CPU a call, %", "memory, MB", "wake-ups/s", "arrived", "ours / it")
    for calls in sorted({calls for _, calls in found}):
        for peer in NAMES:
            runs = found.get((peer, calls))
            if runs is None:
                continue
            ratio = ""
            if peer != OURS and (OURS, calls) in found:
                ratio = ratio_of([used.cpu for used, _ in found[OURS, calls]], [used.cpu for used, _ in runs])
                if peer == GSTREAMER and calls in TARGETS:
                    ratio += f", to be {TARGETS[calls]} or less"
            table.add_row(
                str(calls),
                NAMES[peer],
                median_of([used.cpu / calls for used, _ in runs]),
                f"{statistics.median(used.memory_mb for used, _ in runs):.0f}",
                f"{statistics.median(used.wake_ups for used, _ in runs):.0f}",
                f"{min(whole for _, whole in runs):.1%}",
                ratio,
            )
    console.print(table)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench send", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=whole_numbers, default=[1, 8, 24])
    add_peers(parser, NAMES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=float, default=6.0, help="seconds measured; the clip has 20, aiortc no loop")
    options = parser.parse_args(argv)
    console = Console(width=140)
    clip()
    found = asyncio.run(run(options, console))
    show(found, console)
    return 0
