"""Passthrough recording to Matroska of 1, 8 and 24 calls: CPU and memory beside GStreamer, aiortc and Chromium.

One sender process feeds each receiver over plain SDP on loopback, every call out of phase with the others. Ours and
GStreamer's runs alternate and are compared pair by pair, since the machine may be shared; the median is given. Every
file is read back: what arrived incomplete is shown as such, so nobody wins by dropping.

    make bench record                     all of it, some eight minutes
    python -m benchmarks record --calls 24 --peers ours,gstreamer --rounds 1
    python -m benchmarks record --calls 1,24 --peers ours --stages      what each microsecond is
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.depayload import packet_duration

from ._children import Child, Window, add_peers, python_peer, system_peer
from ._clip import clip
from ._figures import median_of, ratio_of, whole_numbers
from ._stages import show as show_stages
from ._stages import stages

__all__ = ["main"]

WARM_UP_S = 3.0
_RATE = 30  # pictures per second of the clip
OURS, GSTREAMER, AIORTC, CHROMIUM = "ours", "gstreamer", "aiortc", "chromium"
NAMES = {
    OURS: "pexrtc_py",
    GSTREAMER: "GStreamer webrtcbin",
    AIORTC: "aiortc MediaRecorder",
    CHROMIUM: "Chromium MediaRecorder",
}
LIMITS = {OURS: 1000, GSTREAMER: 1000, AIORTC: 1, CHROMIUM: 1}
"""More calls than that need more than the core a benchmark may take."""
TARGETS = {1: 0.6, 24: 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured recording."""

    calls: int
    cpu: float
    """Per cent of a core per call."""
    memory_mb: float
    """All calls together."""
    sender_cpu: float
    whole: float
    """Frames in the worst file, of those that its duration has room for: 1 is all."""


def command(peer: str, calls: int, folder: Path) -> tuple[list[str], str]:
    """Command line of a receiver, and what to install when it does not run."""
    match peer:
        case "gstreamer":
            return system_peer("gstreamer_receive", calls, folder), "make peers installs GStreamer and its gi"
        case "aiortc":
            return python_peer("aiortc_receive", calls, folder), "aiortc comes with pexrtc_py"
        case "chromium":
            return python_peer("chromium_receive", calls, folder), "make peers installs Debian's package chromium"
        case _:
            return python_peer("receive", calls, folder), ""


async def measure(peer: str, calls: int, window_s: float) -> Run:
    """Record `calls` calls with one peer, measure, stop, and read the files back."""
    with tempfile.TemporaryDirectory(prefix="pexrtc-bench-") as name:
        folder = Path(name)
        line, missing = command(peer, calls, folder)
        async with Child(python_peer("send")) as sender, Child(line, missing=missing) as receiver:
            for _ in range(calls):
                offer = await receiver.hear("offer")
                sender.tell(**offer)
                answer = await sender.hear("answer")
                receiver.tell(**answer)
            ready = await receiver.hear("ready")
            root = ready.get("pid", receiver.root)
            assert isinstance(root, int)
            await asyncio.sleep(WARM_UP_S)
            receiving, sending = Window(root), Window(sender.root)
            await asyncio.sleep(window_s)
            used, sent = receiving.end(), sending.end()
            receiver.tell(stop=True)
            await receiver.hear("done")
        files = sorted(path for path in folder.iterdir() if path.suffix in (".mkv", ".webm"))
        whole = min((completeness(path, window_s) for path in files), default=0.0) if len(files) == calls else 0.0
        return Run(
            calls=calls, cpu=used.cpu / calls, memory_mb=used.memory_mb, sender_cpu=sent.cpu / calls, whole=whole
        )


def completeness(path: Path, at_least_s: float = 0.0, *, last_s: float = float("inf")) -> float:
    """Return how much of what belongs into a file is in it, in its worse track.

    Pictures are counted. Sound is summed up by how long each packet lasts, since encoders differ: 20 ms as sent, 60 ms
    of Chromium's Opus, 21 ms of AAC.

    Args:
        path: the file.
        at_least_s: seconds that were recorded at least: a track that broke off early is not whole.
        last_s: look at the end of the file only, where what is measured began later than the file.
    """
    pictures: list[float] = []
    sounds: list[tuple[float, float]] = []
    with av.open(path) as container:
        for packet in container.demux():
            if packet.pts is None or not packet.size:
                continue
            at = float(packet.pts * packet.time_base)
            if packet.stream.type == "video":
                pictures.append(at)
            else:
                sounds.append((at, _duration_s(packet)))
    if not pictures or not sounds:
        return 0.0
    end = max(*pictures, *(at for at, _ in sounds))
    seen = [at for at in pictures if at >= end - last_s]
    heard = [(at, lasts) for at, lasts in sounds if at >= end - last_s]
    if not seen or not heard:
        return 0.0
    seen_s = max(seen) - min(seen) + 1 / _RATE
    heard_s = max(heard)[0] - min(heard)[0] + max(heard)[1]
    sound_s = sum(lasts for _, lasts in heard)
    return min(1.0, len(seen) / _RATE / max(seen_s, at_least_s), sound_s / max(heard_s, at_least_s))


def _duration_s(packet: av.Packet[Any]) -> float:
    """How long a packet of sound lasts."""
    codec = packet.stream.codec_context
    if codec.name in ("opus", "libopus"):
        return packet_duration(Codec.OPUS, bytes(packet)) / Codec.OPUS.clock_rate
    return float(codec.frame_size / codec.sample_rate)


async def run(options: argparse.Namespace, console: Console) -> list[tuple[str, int, list[Run]]]:
    """Measure everything, pairs side by side."""
    found: dict[tuple[str, int], list[Run]] = {}
    for calls in options.calls:
        for number in range(options.rounds):
            for peer in options.peers:
                if calls > LIMITS[peer] or (number and peer in (AIORTC, CHROMIUM)):
                    continue
                result = await measure(peer, calls, options.window)
                found.setdefault((peer, calls), []).append(result)
                console.print(
                    f"[dim]{NAMES[peer]}, {calls} calls: {result.cpu:.2f} % a call, {result.memory_mb:.0f} MB, "
                    f"files {result.whole:.1%}, sender {result.sender_cpu:.2f} %, load {os.getloadavg()[0]:.1f}[/dim]"
                )
    return [(peer, calls, runs) for (peer, calls), runs in found.items()]


def show(results: list[tuple[str, int, list[Run]]], console: Console) -> None:
    """Print the table."""
    table = Table("calls", "receiver", "CPU a call, %", "memory, MB", "a further call, MB", "files", "ours / it")
    by = {(peer, calls): runs for peer, calls, runs in results}
    for calls in sorted({calls for _, calls, _ in results}):
        for peer in NAMES:
            runs = by.get((peer, calls))
            if runs is None:
                continue
            memory = statistics.median(run.memory_mb for run in runs)
            one = by.get((peer, 1))
            further = ""
            if one is not None and calls > 1:
                further = f"{(memory - statistics.median(run.memory_mb for run in one)) / (calls - 1):.2f}"
            ratio = ""
            if peer != OURS and (OURS, calls) in by:
                ratio = ratio_of([run.cpu for run in by[OURS, calls]], [run.cpu for run in runs])
                if peer == GSTREAMER and calls in TARGETS:
                    ratio += f", to be {TARGETS[calls]} or less"
            table.add_row(
                str(calls),
                NAMES[peer],
                median_of([run.cpu for run in runs]),
                f"{memory:.0f}",
                further,
                f"{min(run.whole for run in runs):.1%}",
                ratio,
            )
    console.print(table)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench record", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=whole_numbers, default=[1, 8, 24])
    add_peers(parser, NAMES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=float, default=8.0, help="seconds measured in each run")
    parser.add_argument("--stages", action="store_true", help="what each microsecond of our receiving a packet is, too")
    options = parser.parse_args(argv)
    console = Console(width=140)
    clip()
    results = asyncio.run(run(options, console))
    show(results, console)
    if options.stages:
        live = {calls: statistics.median(run.cpu for run in runs) for peer, calls, runs in results if peer == OURS}
        show_stages(stages(options.calls), live, console)
    return 0
