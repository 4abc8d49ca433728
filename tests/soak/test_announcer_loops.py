"""A hundred loops in real time, and fifty joins: nothing is lost at the seams, nothing at the ends, and nothing grows.

`PEXRTC_SOAK_LOOPS` and `PEXRTC_SOAK_JOINS` make it shorter, to try it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import pexrtc_py
from pexrtc_py import EncodedFrame, Gap, Kind, Node, PeerConfig
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.webrtc.impairment import Impairment
from tests.announcer.hearing import babble, missing_ends, session, write_wav
from tests.announcer.test_broadcast import announced

LOOPS = int(os.environ.get("PEXRTC_SOAK_LOOPS", "100"))
JOINS = int(os.environ.get("PEXRTC_SOAK_JOINS", "50"))


class Steps:
    """A tap that keeps no frame: how far frames are apart, in RTP ticks, and how late each was pushed."""

    def __init__(self) -> None:
        self.last: EncodedFrame | None = None
        self.steps: dict[int, int] = {}
        self.latest_s = 0.0
        self.frames = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        """Take a frame."""
        assert isinstance(item, EncodedFrame)
        self.frames += 1
        self.latest_s = max(self.latest_s, time.monotonic() - item.time)
        if self.last is not None:
            step = item.rtp_time - self.last.rtp_time
            self.steps[step] = self.steps.get(step, 0) + 1
        self.last = item

    def end(self) -> None:
        """Nothing is held."""


def memory_mb() -> float:
    """Return the memory this process has now; elsewhere than on Linux the most it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 1e6


async def test_hundred_loops_have_no_seam() -> None:
    """Frames of sound are 20 ms apart and pictures one frame, at the seams too; memory stays flat."""
    clip = pexrtc_py.clip_path("motion.mkv")
    main = replace(await announcement_of_sources([str(clip)], loop=LOOPS), hold=False)
    sound, pictures = Steps(), Steps()
    samples: list[float] = []

    async def watch() -> None:
        while True:
            samples.append(memory_mb())
            await asyncio.sleep(3.0)

    async with Node() as node, open_podiums([session(node, "loops", "Announcer")], main) as [podium]:
        assert isinstance(podium, Podium)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            [played] = await broadcast([podium], main, sent={Kind.AUDIO: sound, Kind.VIDEO: pictures})
            watching.cancel()
    early, late = samples[min(5, len(samples) - 1)], samples[-1]
    sys.stdout.write(
        f"\n{LOOPS} loops: {played.duration_s:.1f} s, sound steps {sound.steps}, picture steps {pictures.steps}, "
        f"latest {1000 * max(sound.latest_s, pictures.latest_s):.0f} ms, memory {early:.1f} -> {late:.1f} MB\n"
    )
    assert played.ended == "finished"
    assert played.lost == {Kind.AUDIO: 0, Kind.VIDEO: 0}
    assert set(sound.steps) == {960}
    assert all(0 < step <= 6000 for step in pictures.steps), "one picture at most is missing or too long"
    assert pictures.frames == 90 * LOOPS
    assert abs(sound.frames / 50 - pictures.frames / 30) < 0.06, "sound and picture drift apart"
    assert late - early < 10


async def test_fifty_joins_lose_no_word(tmp_path: Path) -> None:
    """Of fifty joins each way: 20 ms at either end without loss, 60 ms at 5 % loss and 200 ms delay."""
    words = babble(1.5)
    path = write_wav(tmp_path / "words.wav", words)
    main = await announcement_of_sources([str(path)], how=Readiness(cache=tmp_path / "cache"))
    for limit_s, loss, delay_s in ((0.02, 0.0, 0.0), (0.06, 0.05, 0.2)):
        worst: list[tuple[float, float]] = []
        for first in range(0, JOINS, 5):
            runs = {}
            for number in range(first, min(first + 5, JOINS)):
                impairment = Impairment(loss=loss, delay_s=delay_s, seed=number + 1) if delay_s else None
                runs[f"run.{number}"] = replace(main, peer=PeerConfig(impairment=impairment))
            async with Node() as node:
                worst += [missing_ends(words, recording) for _, recording in (await announced(node, runs)).values()]
        starts, ends = zip(*worst, strict=True)
        sys.stdout.write(
            f"\n{JOINS} joins at {loss:.0%} loss: missing at the start {max(starts) * 1000:.0f} ms at worst, "
            f"at the end {max(ends) * 1000:.0f} ms; whole in {sum(w == (0, 0) for w in worst)}\n"
        )
        assert max(*starts, *ends) <= limit_s + 1e-6
