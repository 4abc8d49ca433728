"""What sidecars cost: CPU of `pexrtc record` with all of them and without, and of a picture for each slide.

Two recorders, each a process, record the same conferences in the same seconds, one with sidecars, one without: whatever
else the machine does hits both. Meanwhile somebody writes in each conference every second, and another comes and goes
every three, so that there are events. Pictures are made of key frames by what runs in the child.

    make bench recorder                   six conferences, five pairs of twenty seconds, some two minutes
    python -m benchmarks recorder --calls 12 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

import pexrtc_py
from pexrtc_py.media.thumbnails import make_slides
from pexrtc_py.tasks import task_owner
from tests.support.commands import command

from ._children import Window
from ._clip import DURATION_S, clip

__all__ = ["main"]

WARM_UP_S = 5.0
TARGET = 1.1
WITH, WITHOUT = "with sidecars", "without"


async def talk(url: str, alias: str) -> None:
    """Write a message a second, with a guest who comes and goes."""
    async with pexrtc_py.connect(url, alias, display_name="Host") as host:
        while True:
            async with pexrtc_py.connect(url, alias, display_name="Guest"):
                for _ in range(3):
                    await host.say("The quick brown fox jumps over the lazy dog")
                    await asyncio.sleep(1.0)


async def until_recording(folders: Sequence[Path], calls: int) -> None:
    """Wait until every recorder has all its files, with something in them."""
    async with asyncio.timeout(60):
        for folder in folders:
            while sum(path.stat().st_size > 100_000 for path in folder.glob("*.part.mkv")) < calls:  # noqa: ASYNC110
                await asyncio.sleep(0.2)  # other processes write them


async def measure(calls: int, rounds: int, window_s: float) -> list[tuple[float, float]]:
    """Return per cent of a core a call, with and without, of each pair."""
    aliases = [f"meet.{number}" for number in range(calls)]
    pairs: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pexrtc-bench-")))
        node = await stack.enter_async_context(command("node", "--listen", "127.0.0.1:0", "--quiet"))
        assert node.stdout is not None
        url = (await node.stdout.readline()).decode().strip()
        to = [part for alias in aliases for part in ("--to", alias)]
        speaking = ("announce", "--node", url, *to, str(clip()), "--loop", "0", "--loudness", "off", "--quiet")
        await stack.enter_async_context(command(*speaking))
        folders = {WITH: folder / "with", WITHOUT: folder / "without"}
        recorders: dict[str, asyncio.subprocess.Process] = {}
        for name, place in folders.items():
            options = ("-o", f"{place}/{{alias}}.mkv", "--quiet", *(["--no-sidecars"] if name == WITHOUT else []))
            running = command("record", "--node", url, *aliases, *options)
            recorders[name] = await stack.enter_async_context(running)
        tasks = await stack.enter_async_context(task_owner())
        for alias in aliases:
            tasks.start(talk(url, alias), name=f"talk {alias}")
        await until_recording(list(folders.values()), calls)
        await asyncio.sleep(WARM_UP_S)
        for _ in range(rounds):
            windows = {name: Window(recorder.pid) for name, recorder in recorders.items()}
            await asyncio.sleep(window_s)
            used = {name: window.end().cpu / calls for name, window in windows.items()}
            pairs.append((used[WITH], used[WITHOUT]))
    return pairs


def picture_cost() -> tuple[float, int]:
    """Return seconds of a core for each decoded key frame of 720p, and how many of them were kept as slides."""
    with tempfile.TemporaryDirectory(prefix="pexrtc-bench-") as folder:
        began = time.process_time()
        made = make_slides(clip(), Path(folder))
        used = time.process_time() - began
    return used / DURATION_S, len(made)  # the clip has a key frame a second


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="recorder", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=float, default=20.0)
    options = parser.parse_args(arguments)
    pairs = asyncio.run(measure(options.calls, options.rounds, options.window))
    console = Console()
    table = Table("pair", WITH, WITHOUT, "ratio", title=f"{options.calls} calls, % of a core a call")
    for number, (beside, alone) in enumerate(pairs, start=1):
        table.add_row(str(number), f"{beside:.2f}", f"{alone:.2f}", f"{beside / alone:.3f}")
    console.print(table)
    ratio = statistics.median(beside / alone for beside, alone in pairs)
    console.print(f"median ratio {ratio:.3f}, at most {TARGET} is wanted: {'met' if ratio <= TARGET else 'MISSED'}")
    seconds, count = picture_cost()
    kept = f"{count} of {DURATION_S} kept"
    console.print(f"pictures of slides: {seconds * 1000:.1f} ms of a core for each key frame of 720p decoded, {kept}")
    return 0
