"""Joining: from the start to the first decoded sound and picture, with the share of each phase, beside Pexip's client.

The node and somebody who plays the clip are processes of their own; joins come one after the other, ours and those of
`@pexip/infinity` in a tab of a Chromium that runs all the time in turns. Decoded is what counts: each join of ours runs
both decoders, and in the browser a MediaStreamTrackProcessor waits for the first frame of each track. A picture is the
node's forwarding of a key frame that it asks the player for, and the player's clip has one a second: the player starts
again from the last one when it is asked.

    make bench join                       50 joins of each, some three minutes
    python -m benchmarks join --joins 5 --alone
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

import pexrtc_py
from pexrtc_py.endpoint.call import CallConfig
from pexrtc_py.media.decoding_taps import AudioDecoder, VideoDecoder
from pexrtc_py.media.frames import Codec
from pexrtc_py.protocol.sdp import Direction

from ._children import PEERS, Child, MissingPeerError, python_peer
from ._clip import clip

__all__ = ["main"]

OURS, INFINITY = "pexrtc_py", "@pexip/infinity, Chromium"
ALIAS = "bench"
WARM_UPS = 2

PHASES = {
    "token": "request_token",
    "events": "event stream and roster",
    "offered": "offer",
    "answered": "calls: the node's answer",
    "acked": "ack",
    "ice": "ICE (from the answer)",
    "dtls": "DTLS",
    "first_audio": "first sound received (from DTLS)",
    "decoded_audio": "first sound decoded",
    "first_video": "first key frame received (from DTLS)",
    "decoded_video": "first picture decoded",
}
BEFORE = {
    "events": "token",
    "offered": "token",
    "answered": "offered",
    "acked": "answered",
    "ice": "answered",
    "dtls": "ice",
    "first_audio": "dtls",
    "decoded_audio": "first_audio",
    "first_video": "dtls",
    "decoded_video": "first_video",
}


async def _first(frames: AsyncIterator[object]) -> float:
    async for _ in frames:
        return time.monotonic()
    raise AssertionError("the call ended before anything was decoded")


async def join(url: str) -> dict[str, float]:
    """Join once; return milestones in milliseconds since the start."""
    config = CallConfig(audio=Direction.RECVONLY, video=Direction.RECVONLY, video_codecs=(Codec.VP8,))
    async with (
        AudioDecoder() as audio,
        VideoDecoder() as video,
        pexrtc_py.connect(url, ALIAS, display_name="Joiner") as conference,
        conference.call(config) as call,
        asyncio.timeout(15),
    ):
        assert call.audio is not None
        assert call.video is not None
        assert call.audio.receiver is not None
        assert call.video.receiver is not None
        call.audio.receiver.add_tap(audio)
        call.video.receiver.add_tap(video)
        heard, seen = await asyncio.gather(_first(audio.frames()), _first(video.frames()))
        await call.connected()
        phases = conference.phases
        found = phases.as_ms()
        found["decoded_audio"] = 1000 * (heard - phases.started)
        found["decoded_video"] = 1000 * (seen - phases.started)
        return found


def bundle(folder: Path) -> Path:
    """Bundle Pexip's client with what drives it.

    Raises:
        MissingPeerError: npm's packages are not there.
    """
    modules = PEERS.parent.parent / "tests/interop/infinity/node_modules"
    esbuild = modules / ".bin/esbuild"
    if shutil.which("node") is None or not esbuild.exists() or not (modules / "@pexip/infinity").is_dir():
        raise MissingPeerError("@pexip/infinity is missing: make peers installs it from npm")
    script = folder / "main.js"
    command = [str(esbuild), str(PEERS / "infinity_join.js"), "--bundle", "--format=iife", "--log-level=warning"]
    subprocess.run(
        [*command, f"--outfile={script}"], env={**os.environ, "NODE_PATH": str(modules)}, check=True, timeout=60
    )
    return script


async def run(count: int, *, alone: bool) -> dict[str, list[dict[str, float]]]:
    """Join so often, each in its turn."""
    joins: dict[str, list[dict[str, float]]] = {OURS: []}
    async with AsyncExitStack() as stack:
        pages = (
            [] if alone else [bundle(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pexrtc-bench-"))))]
        )
        node = await stack.enter_async_context(Child(python_peer("node", *pages)))
        url = str((await node.hear("url"))["url"])
        publisher = await stack.enter_async_context(Child(python_peer("publish", url, ALIAS)))
        await publisher.hear("joined")
        browser = None
        if not alone:
            browser = await stack.enter_async_context(Child(python_peer("infinity_join", url, ALIAS)))
            await browser.hear("ready")
            joins[INFINITY] = []
        for number in range(-WARM_UPS, count):  # imports, first use, what a browser compiles when it comes to it
            await asyncio.sleep(random.random())  # anywhere between two key frames
            mine = await join(url)
            if number >= 0:
                joins[OURS].append(mine)
            if browser is None:
                continue
            await asyncio.sleep(random.random())
            browser.tell(join=True)
            marks = (await browser.hear("marks"))["marks"]
            assert isinstance(marks, dict)
            if number >= 0:
                joins[INFINITY].append(marks)
    return joins


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(found: dict[str, list[dict[str, float]]], console: Console) -> None:
    """Print the table."""
    table = Table("client", "phase", "p50, ms", "p95, ms", "since the start, p50", "p95")
    for client, joins in found.items():
        for name, title in PHASES.items():
            ends = [marks[name] for marks in joins if name in marks]
            if not ends:
                continue
            before = BEFORE.get(name)
            if before is not None and before not in joins[0]:  # a browser does not tell of all phases
                before = BEFORE.get(before)
                title = f"{title} (from {before})"
            parts = [marks[name] - (marks[before] if before else 0.0) for marks in joins if name in marks]
            row = [f"{statistics.median(parts):.1f}", f"{percentile(parts, 0.95):.1f}"]
            table.add_row(client, title, *row, f"{statistics.median(ends):.1f}", f"{percentile(ends, 0.95):.1f}")
        table.add_section()
    if INFINITY in found:
        for name in ("decoded_audio", "decoded_video"):
            ours, its = ([marks[name] for marks in found[client]] for client in (OURS, INFINITY))
            middle = statistics.median(ours) / statistics.median(its)
            worst = percentile(ours, 0.95) / percentile(its, 0.95)
            table.add_row("ours / it", PHASES[name], "", "", f"{middle:.3f}", f"{worst:.3f}")
    console.print(table)
    console.print(f"{len(found[OURS])} joins each, load {os.getloadavg()[0]:.1f}")


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench join", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--joins", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="without a browser beside us")
    options = parser.parse_args(argv)
    clip()
    joins = uvloop.run(run(options.joins, alone=options.alone))
    show(joins, Console(width=120))
    return 0
