"""Joining: from the start to the first decoded sound and picture, at our node, with the share of each phase.

The node and somebody who plays the clip are processes of their own; joins come one after the other. Decoded is what
counts, so each join runs both decoders. A picture is the node's forwarding of a key frame that it asks the player for,
and the player's clip has one a second: the player starts again from the last one when it is asked.

    make bench join
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence

import uvloop
from rich.console import Console
from rich.table import Table

import pexrtc_py
from pexrtc_py.endpoint.call import CallConfig
from pexrtc_py.media.decoding_taps import AudioDecoder, VideoDecoder
from pexrtc_py.media.frames import Codec
from pexrtc_py.protocol.sdp import Direction

from ._children import Child, MissingPeerError, python_peer
from ._clip import clip

__all__ = ["main"]

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
        pexrtc_py.connect(url, "bench", display_name="Joiner") as conference,
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


async def run(count: int) -> list[dict[str, float]]:
    """Join so often."""
    async with Child(python_peer("node")) as node:
        url = str((await node.hear("url"))["url"])
        async with Child(python_peer("publish", url, "bench")) as publisher:
            await publisher.hear("joined")
            await asyncio.sleep(1.5)
            await join(url)  # imports and first use
            joins = []
            for _ in range(count):
                await asyncio.sleep(random.random())  # anywhere between two key frames
                joins.append(await join(url))
            return joins


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(joins: list[dict[str, float]], console: Console) -> None:
    """Print the table."""
    table = Table("phase", "p50, ms", "p95, ms", "since the start, p50", "p95")
    for name, title in PHASES.items():
        ends = [found[name] for found in joins if name in found]
        if not ends:
            continue
        before = BEFORE.get(name)
        parts = [found[name] - (found[before] if before else 0.0) for found in joins if name in found]
        row = [f"{statistics.median(parts):.1f}", f"{percentile(parts, 0.95):.1f}"]
        table.add_row(title, *row, f"{statistics.median(ends):.1f}", f"{percentile(ends, 0.95):.1f}")
    console.print(table)
    console.print(f"{len(joins)} joins, load {os.getloadavg()[0]:.1f}")


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench join", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--joins", type=int, default=50)
    options = parser.parse_args(argv)
    clip()
    try:
        joins = uvloop.run(run(options.joins))
    except MissingPeerError as exc:
        print(f"bench join: {exc}", file=sys.stderr)
        return 1
    show(joins, Console(width=120))
    return 0
