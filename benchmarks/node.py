"""The node: CPU of forwarding per subscriber beside GStreamer and aiortc, and of mixing per participant.

Forwarding: somebody publishes the clip (720p30 VP8, Opus) and 1, 8 and 24 subscribers receive it. Our node does it by
its client API, and mixes the sound, as a node does; GStreamer forwards packets through a tee to a webrtcbin of each,
sound too; aiortc's MediaRelay decodes and encodes for each, so it is measured at one. Mixing: 2, 8 and 24 participants
who all speak, so that each hears a mix of its own. There is no peer for that: a participant of a pipeline of GStreamer
would need a mixer element of its own with a branch to every other one.

What arrived is counted at every subscriber, so nobody wins by dropping.

    make bench node
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ._children import Child, Usage, Window, add_peers, python_peer, system_peer
from ._clip import clip
from ._figures import median_of, ratio_of, whole_numbers
from .record import completeness

__all__ = ["main"]

OURS, PICTURES, GSTREAMER, AIORTC, MIX = "ours", "pictures", "gstreamer", "aiortc", "mix"
NAMES = {
    OURS: "pexrtc_py node",
    PICTURES: "pexrtc_py node, pictures only",
    GSTREAMER: "GStreamer webrtcbin, tee",
    AIORTC: "aiortc MediaRelay",
    MIX: "pexrtc_py node, all speak",
}
COUNTS = {OURS: (1, 8, 24), PICTURES: (1, 8, 24), GSTREAMER: (1, 8, 24), AIORTC: (1,), MIX: (2, 8, 24)}
ALIAS = "bench"
WARM_UP_S = 3.0
PICTURES_PER_S, SOUNDS_PER_S = 30, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a forwarder used for so many."""

    used: Usage
    whole: float
    """Part of the pictures and sounds that arrived, at the worst off."""


@asynccontextmanager
async def node() -> AsyncIterator[tuple[Child, str]]:
    """Run our node; yields it and its URL."""
    async with Child(python_peer("node")) as child:
        yield child, str((await child.hear("url"))["url"])


async def measure_node(how: str, count: int, window_s: float) -> Run:
    """Measure our node with so many subscribers, or participants who speak."""
    async with AsyncExitStack() as stack:
        child, url = await stack.enter_async_context(node())
        if how != MIX:
            publisher = await stack.enter_async_context(Child(python_peer("attend", url, ALIAS, 1, "publish")))
            await publisher.hear("joined")
        does = {OURS: "watch", PICTURES: "pictures", MIX: "talk"}[how]
        guests = await stack.enter_async_context(Child(python_peer("attend", url, ALIAS, count, does)))
        await guests.hear("joined")
        await asyncio.sleep(WARM_UP_S)
        window, before, began = Window(child.root), await _counts(guests), time.monotonic()
        await asyncio.sleep(window_s)
        used, after, passed = window.end(), await _counts(guests), time.monotonic() - began
    expected = {"pictures": PICTURES_PER_S, "sounds": SOUNDS_PER_S}
    if how in (PICTURES, MIX):
        del expected["sounds" if how == PICTURES else "pictures"]
    shares = [
        (late - early) / (rate * passed)
        for kind, rate in expected.items()
        for early, late in zip(before[kind], after[kind], strict=True)
    ]
    return Run(used=used, whole=min(1.0, *shares))


async def _counts(guests: Child) -> dict[str, list[int]]:
    guests.tell(count=True)
    said = await guests.hear("pictures")
    counts: dict[str, list[int]] = {}
    for kind in ("pictures", "sounds"):
        values = said[kind]
        assert isinstance(values, list)
        counts[kind] = values
    return counts


async def measure_peer(how: str, count: int, window_s: float) -> Run:
    """Measure another forwarder: our sender before it, our recorder behind it."""
    command = system_peer("gstreamer_forward", count) if how == GSTREAMER else python_peer("aiortc_forward", count)
    with tempfile.TemporaryDirectory(prefix="pexrtc-bench-") as name:
        folder = Path(name)
        async with (
            Child(python_peer("send")) as sender,
            Child(command, missing="make peers installs GStreamer and its gi") as forwarder,
        ):
            sender.tell(**await forwarder.hear("offer"))
            forwarder.tell(**await sender.hear("answer"))
            async with Child(python_peer("receive", count, folder)) as receiver:
                for _ in range(count):
                    forwarder.tell(**await receiver.hear("offer"))
                    receiver.tell(**await forwarder.hear("answer"))
                await receiver.hear("ready")
                await asyncio.sleep(WARM_UP_S)
                window = Window(forwarder.root)
                await asyncio.sleep(window_s)
                used = window.end()
                receiver.tell(stop=True)
                await receiver.hear("done")
        whole = min(completeness(path, 0.95 * window_s, last_s=window_s) for path in folder.iterdir())
    return Run(used=used, whole=whole)


async def run(options: argparse.Namespace, console: Console) -> dict[tuple[str, int], list[Run]]:
    """Measure everything, pairs side by side."""
    found: dict[tuple[str, int], list[Run]] = {}
    for count in sorted({count for counts in COUNTS.values() for count in counts}):
        for _ in range(options.rounds):
            for how in options.peers:
                if count not in COUNTS[how] or count not in options.counts:
                    continue
                measure = measure_peer if how in (GSTREAMER, AIORTC) else measure_node
                result = await measure(how, count, options.window)
                found.setdefault((how, count), []).append(result)
                console.print(
                    f"[dim]{NAMES[how]}, {count}: {result.used.cpu / count:.2f} % each, "
                    f"{result.used.memory_mb:.0f} MB, {result.used.wake_ups:.0f} wake-ups/s, "
                    f"arrived {result.whole:.1%}, load {os.getloadavg()[0]:.1f}[/dim]"
                )
    return found


def show(found: dict[tuple[str, int], list[Run]], console: Console) -> None:
    """Print the table."""
    table = Table("", "of", "CPU each, %", "a further one, %", "memory, MB", "wake-ups/s", "arrived", "ours / it")
    for how in NAMES:
        least = min((count for name, count in found if name == how), default=0)
        for count in COUNTS[how]:
            runs = found.get((how, count))
            if runs is None:
                continue
            cpu = [result.used.cpu for result in runs]
            further = ""
            if count > least:
                first = statistics.median(result.used.cpu for result in found[how, least])
                further = f"{(statistics.median(cpu) - first) / (count - least):.2f}"
            ratio = ""
            ours = found.get((OURS, count))
            if how in (GSTREAMER, AIORTC) and ours is not None:
                ratio = ratio_of([mine.used.cpu for mine in ours], cpu)
            table.add_row(
                NAMES[how],
                str(count),
                median_of([value / count for value in cpu]),
                further,
                f"{statistics.median(result.used.memory_mb for result in runs):.0f}",
                f"{statistics.median(result.used.wake_ups for result in runs):.0f}",
                f"{min(result.whole for result in runs):.1%}",
                ratio,
            )
        table.add_section()
    console.print(table)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench node", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--counts", type=whole_numbers, default=[1, 2, 8, 24])
    add_peers(parser, NAMES)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--window", type=float, default=6.0, help="seconds measured in each run")
    options = parser.parse_args(argv)
    console = Console(width=130)
    clip()
    found = asyncio.run(run(options, console))
    show(found, console)
    return 0
