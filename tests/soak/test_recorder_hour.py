"""An hour of recording, from a process of its own: memory stays flat, the clock true, and nothing is missing.

Node, announcer and recorder are the commands that people run, each a process. What is announced was encoded before, so
an hour costs a machine little: pictures carry their number, sound a chirp each second, and both tell when they were due
by the clock of the one who sent them. `PEXRTC_HOUR_S` makes it shorter, to try it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

import pexrtc_py
from pexrtc_py import Codec, EncodedFrame, Kind
from pexrtc_py.media.chirps import Chirp, ChirpListener, direction
from pexrtc_py.media.integrity import inspect_file
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.sources.encoded import EncodeConfig, EncodedSource
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.matroska import MATROSKA
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.recorder.beacon import HEIGHT, RATE, WIDTH, Seen, read_marks
from tests.recorder.killing import start_recorder
from tests.support.commands import command

HOUR_S = float(os.environ.get("PEXRTC_HOUR_S", "3600"))
ALIAS = "meet.hour"

GROWTH_MB_PER_HOUR = 6.0
"""Slope of memory, fitted over what comes after the warm-up. What an hour may leave behind is the index of the file:
a key frame a second and some sound, some hundred bytes each."""
WARM_UP_S = 120.0
WINDOW_S = 10.0
DRIFT_S = 0.020
"""How far clocks may run apart over the run: sound and picture, and each against the source's clock."""
DELAY_S = 0.500
"""How far the source's clock may be from its median at any moment: on a machine with other work the node's mix takes on
delay and gives it back in steps of 20 ms, its pictures wait as long, and more than this it never holds."""
CAUGHT_UP_S = 5.0
"""Pictures of the beginning that are not measured: a prepared player begins again from its last key frame for one who
joins, so the pictures since then come at once. They must be there, too."""
SKEW_S = 0.020
"""95th percentile of what sound and picture are apart, against their median."""


@dataclass(frozen=True)
class Memory:
    """What a process held, second by second."""

    times: Sequence[float]
    megabytes: Sequence[float]

    def slope(self, warm_up_s: float) -> float:
        """Megabytes per hour after the warm-up, by a line of least squares."""
        late = [(at, held) for at, held in zip(self.times, self.megabytes, strict=True) if at >= warm_up_s]
        return slope([at for at, _ in late], [held for _, held in late]) * 3600


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the rise per second of a line of least squares."""
    return float(np.polyfit(np.array(times) - times[0], np.array(values), 1)[0])


def drift(points: Sequence[tuple[float, float]]) -> float:
    """Return how much the values rose from the first to the last, by the median of the slopes of ten seconds each.

    So a clock that goes wrong shows, and delay that is taken on or given back at one moment does not.
    """
    windows = itertools.groupby(points, lambda point: point[0] // WINDOW_S)
    slopes = []
    for _, window in windows:
        times, values = zip(*window, strict=True)
        if times[-1] - times[0] > WINDOW_S / 2:
            slopes.append(slope(times, values))
    return float(np.median(slopes)) * (points[-1][0] - points[0][0])


def worst(points: Sequence[tuple[float, float]]) -> float:
    """Return how far the farthest value is from the median."""
    values = np.array([value for _, value in points])
    return float(np.abs(values - np.median(values)).max())


async def make_reference(path: Path, length_s: float) -> None:
    """Encode what is announced, once."""
    reference = Reference(ReferenceConfig(width=WIDTH, height=HEIGHT, frame_rate=RATE))
    # With a key frame a second an announcer sends it as it is.
    source = EncodedSource(
        reference.raw(duration_s=length_s),
        accept={Kind.AUDIO: [Codec.OPUS], Kind.VIDEO: [Codec.VP8]},
        config=EncodeConfig(video_bps=200_000, key_interval_s=1.0),
    )
    held: list[EncodedFrame] = []
    try:
        while len({frame.kind for frame in held}) < 2:
            held.append(_pulled(source.pull()))
        first = {frame.kind: frame for frame in reversed(held)}
        kinds = (Kind.AUDIO, Kind.VIDEO)
        specs = [TrackSpec.of(first[kind]) for kind in kinds]
        async with ContainerWriter(MATROSKA, path, specs, origin=0.0) as writer:
            tracks = dict(zip(kinds, writer.tracks, strict=True))
            for frame in held:
                tracks[frame.kind].push(frame)
            while (frame_or_end := await asyncio.to_thread(source.pull)) is not None:
                tracks[frame_or_end.kind].push(_pulled(frame_or_end))
    finally:
        source.close()


def _pulled(item: object) -> EncodedFrame:
    assert isinstance(item, EncodedFrame)
    return item


async def watch(pid: int, memory: tuple[list[float], list[float]]) -> None:
    """Note each second what a process holds, until it ends."""
    began = asyncio.get_running_loop().time()
    while True:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return
        memory[0].append(asyncio.get_running_loop().time() - began)
        memory[1].append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        await asyncio.sleep(1.0)


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory of another process is read from /proc")
async def test_an_hour(tmp_path: Path) -> None:
    """Flat memory, no drift between sound and picture nor against the source's clock, nothing missing."""
    reference, path = tmp_path / "reference.mkv", tmp_path / "hour.mkv"
    await make_reference(reference, HOUR_S + 30)
    samples: tuple[list[float], list[float]] = ([], [])
    async with command("node", "--listen", "127.0.0.1:0", "--quiet") as node:
        assert node.stdout is not None
        url = (await node.stdout.readline()).decode().strip()
        async with command("announce", "--node", url, ALIAS, str(reference), "--loudness", "off", "--quiet"):
            async with pexrtc_py.connect(url, ALIAS, display_name="Host") as host, asyncio.timeout(60):
                await host.session.wait_for(lambda session: len(session.roster.participants) > 1)
            # The announcer is a program, so to the recorder nobody is there.
            stay = ("--stop-when-nobody-comes", "0", "--stop-when-alone", "0")
            recorder = await start_recorder(url, ALIAS, path, "--duration", str(HOUR_S), *stay)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(watch(recorder.process.pid, samples))
                    async with asyncio.timeout(HOUR_S + 120):
                        code, result, errors = await recorder.result()
            finally:
                if recorder.process.returncode is None:
                    recorder.process.send_signal(signal.SIGKILL)
                    await recorder.process.communicate()
    assert (code, errors) == (0, [])
    memory = Memory(*samples)
    seen = await asyncio.to_thread(read_marks, path)
    heard = await asyncio.to_thread(hear, path)
    check(path, result, memory, seen, heard)


def hear(path: Path) -> list[Chirp]:
    """Return the chirps of a recording."""
    listener = ChirpListener()
    found: list[Chirp] = []
    resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
    with av.open(path) as container:
        for decoded in container.decode(audio=0):
            at = decoded.time or 0.0
            decoded.pts = None
            for frame in resampler.resample(decoded):
                found += listener.push(frame.to_ndarray()[0].copy(), at)
                at += frame.samples / 48000
    return found + listener.flush()


def number_chirps(chirps: Sequence[Chirp], offset: float) -> list[tuple[int, float]]:
    """Return second of the source, and of the recording, of each chirp; `offset` is where its second 0 would be.

    Counted from one to the next, so that delay may change; that each sweeps as that of its second does proves it.
    """
    numbers = [round(chirps[0].time - offset)]
    for before, after in itertools.pairwise(chirps):
        numbers.append(numbers[-1] + round(after.time - before.time))
    agreeing = sum(direction(number) == chirp.up for number, chirp in zip(numbers, chirps, strict=True))
    sys.stdout.write(f"\nchirps that sweep as that of their second does: {agreeing} of {len(chirps)}\n")
    return [(number, chirp.time) for number, chirp in zip(numbers, chirps, strict=True)]


def check(path: Path, result: dict[str, object], memory: Memory, seen: Seen, heard: list[Chirp]) -> None:
    """Print what was found and hold it against the bounds."""
    say = sys.stdout.write
    warm_up_s = min(WARM_UP_S, HOUR_S / 3)
    growth = memory.slope(warm_up_s)
    late = [held for at, held in zip(memory.times, memory.megabytes, strict=True) if at >= warm_up_s]
    whole = inspect_file(path)
    chirps = number_chirps(heard, seen.offset)
    timely = [(n, at) for n, at in zip(seen.numbers, seen.times, strict=True) if at > CAUGHT_UP_S]
    # Where each stream shows the source's clock: its moment in the recording, less when it was due.
    pictures = [(at, at - number / RATE) for number, at in timely if at > warm_up_s]
    sounds = [(at, at - number) for number, at in chirps if at > warm_up_s]
    by_number = dict(timely)
    pairs = [(at, by_number[number * RATE] - at) for number, at in chirps if number * RATE in by_number]
    skews = np.array([skew for _, skew in pairs])
    apart = float(np.percentile(np.abs(skews - np.median(skews)), 95))
    streams = result["streams"]
    assert isinstance(streams, list)
    lost = {str(one["role"]): (one["lost_packets"], one["dropped"]) for one in streams}
    size_mb = path.stat().st_size / 1e6
    say(f"\n{whole.duration_s:.1f} s, {size_mb:.1f} MB, problems: {[str(p) for p in whole.problems]}\n")
    say(f"memory: {late[0]:.1f} MB after {warm_up_s:.0f} s, {min(late):.1f} to {max(late):.1f} MB, ")
    say(f"{late[-1]:.1f} MB at the end, slope {growth:+.2f} MB an hour\n")
    say(f"pictures: {len(seen.numbers)}, {len(seen.missing)} missing, {seen.unmarked} without a number\n")
    say(f"chirps: {len(chirps)} of {chirps[-1][0] - chirps[0][0] + 1}; lost and dropped: {lost}\n")
    say(f"against the source's clock: picture {drift(pictures) * 1000:+.2f} ms over the run, ")
    say(f"{worst(pictures) * 1000:.1f} ms at worst; sound {drift(sounds) * 1000:+.2f} ms, ")
    say(f"{worst(sounds) * 1000:.1f} ms at worst\n")
    say(f"sound and picture: median {float(np.median(skews)) * 1000:+.1f} ms, drift {drift(pairs) * 1000:+.2f} ms, ")
    say(f"95 % within {apart * 1000:.1f} ms of it, worst {worst(pairs) * 1000:.1f} ms\n")
    assert whole.duration_s == pytest.approx(HOUR_S, abs=1.0)
    assert whole.problems == []
    assert seen.unmarked == 0
    assert seen.missing == []
    assert [number for number, _ in chirps] == list(range(chirps[0][0], chirps[-1][0] + 1))
    assert all(b > a for a, b in itertools.pairwise(seen.numbers))
    assert set(lost.values()) == {(0, 0)}
    assert abs(drift(pairs)) < DRIFT_S
    assert max(worst(pictures), worst(sounds)) < DELAY_S
    assert apart < SKEW_S
    if HOUR_S >= 600:  # lines through a minute say nothing of an hour
        assert abs(drift(pictures)) < DRIFT_S
        assert abs(drift(sounds)) < DRIFT_S
        assert growth < GROWTH_MB_PER_HOUR
