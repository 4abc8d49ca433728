"""What measuring costs: full reference at 720p30 beyond decoding, step by step, and ten network-only probes at once.

Full reference: the same encoded reference is decoded, and decoded and measured, in one thread; processor time per
second of media, so that a busy machine disturbs little. Network only: ten probes in one process at a node in another.

    make bench probe
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from rich.console import Console
from rich.table import Table

from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.media.comparison import luma_plane
from pexrtc_py.media.decoding import AudioDecoding, Picture, VideoDecoding
from pexrtc_py.media.encoding import FRAME_SAMPLES, AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.picture_measures import PictureMeter
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.hearing import SoundTimes, SoundWatch
from pexrtc_py.probe.result import ProbeResult
from pexrtc_py.probe.running import RunConfig, probe_single
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.watching import PictureTimes, PictureWatch
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.peer import PeerConfig

from ._children import Child, python_peer

__all__ = ["main"]

CONFIG = ReferenceConfig()
FPS = 30
TARGET = 15.0
"""Per cent of a core that full reference may take beyond decoding."""
PROBES = 10


def encoded(codec: Codec, seconds: int) -> list[EncodedFrame]:
    """Return reference pictures as they are sent."""
    reference = Reference(CONFIG)
    encoder = VideoEncoder(codec, CONFIG.width, CONFIG.height, FPS, 1_500_000)
    return [
        frame
        for number in range(seconds * FPS)
        for frame in encoder.encode(
            reference.picture(number), rtp_time=number * 3000, time=number / FPS, force_key=number == 0
        )
    ]


def cost(work: Callable[[], object], seconds: int, rounds: int) -> tuple[float, float, float]:
    """Return per cent of a core for media in real time: median, least and most."""
    found = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        found.append(100 * (time.process_time() - begin) / seconds)
    return statistics.median(found), min(found), max(found)


def pictures(codec: Codec, seconds: int) -> dict[str, Callable[[], object]]:
    """Return what may be done with received pictures, one thing more each."""
    frames = encoded(codec, seconds)

    def decode(see: Callable[[Picture], object] = lambda picture: None) -> None:
        decoding = VideoDecoding()
        for frame in frames:
            for picture in decoding.feed(frame):
                see(picture)

    def looks() -> None:
        meter = PictureMeter()
        decode(lambda picture: meter.look(luma_plane(picture.frame)))

    def marks() -> None:
        reader = MarkReader(CONFIG.width, CONFIG.height)
        decode(lambda picture: reader.read(luma_plane(picture.frame)))

    def everything() -> None:
        watched = PictureWatch(SeriesBook(), 0.0, reference=Reference(CONFIG), sent_at=lambda number: number / FPS)
        decode(lambda picture: watched.see(picture, PictureTimes(arrival=picture.time, decoded=picture.time)))
        watched.finish(float(seconds))

    return {
        "decoded": decode,
        "decoded, and looked at": looks,
        "decoded, and marks read": marks,
        "decoded, full reference": everything,
    }


def sound(seconds: int) -> dict[str, Callable[[], object]]:
    """Return what may be done with received sound."""
    encoder, reference = AudioEncoder(), Reference(CONFIG)
    packets = [
        packet
        for piece in range(seconds * 50)
        for packet in encoder.encode(reference.sound(piece), rtp_time=piece * FRAME_SAMPLES, time=piece / 50)
    ]

    def decode() -> None:
        decoding = AudioDecoding()
        for packet in packets:
            decoding.feed(packet)

    def everything() -> None:
        decoding, watched = AudioDecoding(), SoundWatch(SeriesBook(), 0.0, sent_at=float)
        for packet in packets:
            for heard in decoding.feed(packet):
                watched.hear(heard, SoundTimes(arrival=packet.time, decoded=packet.time))
        watched.finish(float(seconds))

    return {"decoded": decode, "decoded, full reference": everything}


async def network_only(count: int, seconds: float) -> tuple[float, list[ProbeResult]]:
    """Run so many probes in this process at a node in another; return per cent of a core for each, and the results."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(Child(python_peer("node")))
        url = str((await node.hear("url"))["url"])
        configs = [
            EndConfig(
                session=SessionConfig(node_url=url, alias="bench", display_name=f"Probe {number}", call_tag=BOT_TAG),
                peer=PeerConfig(addresses=("127.0.0.1",)),
                network_only=True,
            )
            for number in range(count)
        ]
        begin, used = time.monotonic(), time.process_time()
        results = await asyncio.gather(*(probe_single(each, RunConfig(duration_s=seconds)) for each in configs))
        share = 100 * (time.process_time() - used) / (time.monotonic() - begin)
    return share / count, list(results)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench probe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of media, and of the live run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--probes", type=int, default=PROBES)
    options = parser.parse_args(argv)
    console = Console(width=120)
    table = Table("what", "CPU, % of a core", "beyond decoding", "")
    beyond: dict[str, float] = {}
    for name, steps in (
        ("VP8", pictures(Codec.VP8, options.seconds)),
        ("H.264", pictures(Codec.H264, options.seconds)),
        ("Opus", sound(options.seconds)),
    ):
        base = 0.0
        for what, work in steps.items():
            middle, least, most = cost(work, options.seconds, options.rounds)
            base = base or middle
            beyond[name] = middle - base
            table.add_row(f"{name} {what}", f"{middle:.2f} ({least:.2f} to {most:.2f})", f"{middle - base:.2f}", "")
    worst = max(beyond["VP8"], beyond["H.264"]) + beyond["Opus"]
    table.add_row(
        "full reference, sound and 720p30",
        "",
        f"{worst:.2f}",
        "held" if worst <= TARGET else f"MISSED, {TARGET:g} at most",
    )
    if options.probes:
        share, results = asyncio.run(network_only(options.probes, float(options.seconds)))
        late = [
            value for result in results for s in result.series if s.metric == "self.loop_late_ms" for value in s.values
        ]
        whole = sum(
            any(s.metric == "audio.loss_ratio" for s in result.series) and not result.error for result in results
        )
        table.add_row(
            f"{options.probes} network-only probes, each",
            f"{share:.2f}",
            "",
            f"{whole} complete, loop late {max(late, default=0):.0f} ms at most",
        )
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f}")
    return 0 if worst <= TARGET else 1
